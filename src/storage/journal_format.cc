#include "storage/journal_format.h"

#include <algorithm>
#include <cstring>

#include "core/checksum.h"
#include "record/format.h"

namespace pyralog::storage {
namespace {

using namespace journal_format;

Error damaged(const char* what) { return Error(ErrorCode::kCorrupt, what); }

void encode_descriptor(const Descriptor& descriptor, std::byte* to) {
  std::memset(to, 0, kDescriptorBytes);
  to[0] = static_cast<std::byte>(descriptor.kind);
  to[kDescriptorFlagsAt] = std::byte{descriptor.is_batch ? kDescriptorBatchFlag : std::uint8_t{0}};
  if (descriptor.is_batch) {
    std::memcpy(to + kDescriptorPrefixAt, descriptor.prefix.data(), kBatchPrefixBytes);
  } else {
    store_little(to + kDescriptorPayloadCrcAt, descriptor.payload_crc);
    store_little(to + kDescriptorValueAt, descriptor.value);
  }
  store_little(to + kDescriptorIncarnationAt, descriptor.incarnation.value);
  store_little(to + kDescriptorSegmentAt, descriptor.at.segment.value);
  store_little(to + kDescriptorPositionAt, descriptor.at.position);
  store_little(to + kDescriptorLengthAt, descriptor.length);
  store_little(to + kDescriptorPlaceAt, descriptor.place);
}

Descriptor decode_descriptor(const std::byte* from) {
  Descriptor descriptor;
  descriptor.kind = static_cast<RoundKind>(from[0]);
  descriptor.is_batch = (static_cast<std::uint8_t>(from[kDescriptorFlagsAt]) & kDescriptorBatchFlag) != 0;
  if (descriptor.is_batch) {
    std::memcpy(descriptor.prefix.data(), from + kDescriptorPrefixAt, kBatchPrefixBytes);
  } else {
    descriptor.payload_crc = load_little<std::uint32_t>(from + kDescriptorPayloadCrcAt);
    descriptor.value = load_little<std::int64_t>(from + kDescriptorValueAt);
  }
  descriptor.incarnation.value = load_little<std::uint64_t>(from + kDescriptorIncarnationAt);
  descriptor.at.segment.value = load_little<std::int64_t>(from + kDescriptorSegmentAt);
  descriptor.at.position = load_little<std::uint64_t>(from + kDescriptorPositionAt);
  descriptor.length = load_little<std::uint32_t>(from + kDescriptorLengthAt);
  descriptor.place = load_little<std::uint32_t>(from + kDescriptorPlaceAt);
  return descriptor;
}

bool is_possible(const Descriptor& descriptor, const RoundHeader& header) {
  if (descriptor.kind < RoundKind::kData || descriptor.kind > RoundKind::kCompact) return false;
  if (descriptor.is_batch && descriptor.kind != RoundKind::kData) return false;
  if (descriptor.is_batch && descriptor.length < record::format::kHeaderBytes) return false;
  if (descriptor.at.segment < Offset(0) || descriptor.at.position > INT64_MAX) return false;
  if (!descriptor.is_batch && descriptor.value < 0) return false;
  if (!descriptor.has_payload()) return true;
  return descriptor.place >= header.payload_place_min() && descriptor.place <= header.length &&
         descriptor.length <= header.length - descriptor.place;
}

}  // namespace

void JournalFileHeader::encode(MutableBytes into) const {
  std::byte* to = into.data();
  store_little(to, kFileMagic);
  store_little(to + kFileVersionAt, kVersion);
  store_little(to + kFileShardAt, shard.value);
  std::memcpy(to + kFileDiskAt, disk.bytes.data(), disk.bytes.size());
  store_little(to + kFileSaltAt, salt);
  store_little(to + kFileFirstSequenceAt, first.value);
  store_little(to + kFileGenerationAt, generation);
  store_little(to + kFileBlockBytesAt, block_bytes);
  store_little(to + kFileCrcAt, crc32c({to, kFileCrcAt}));
}

Result<JournalFileHeader> JournalFileHeader::decode(ByteView bytes) {
  if (bytes.size() < kFileHeaderBytes) return ErrorCode::kTruncated;
  const std::byte* from = bytes.data();
  if (load_little<std::uint64_t>(from) != kFileMagic) return damaged("not the header of a journal file");
  if (load_little<std::uint32_t>(from + kFileCrcAt) != crc32c({from, kFileCrcAt})) {
    return damaged("bad checksum of a journal file's header");
  }
  if (load_little<std::uint32_t>(from + kFileVersionAt) != kVersion) {
    return Error(ErrorCode::kUnsupportedVersion, "the journal was written by a later release");
  }
  JournalFileHeader header;
  header.shard.value = load_little<std::uint32_t>(from + kFileShardAt);
  std::memcpy(header.disk.bytes.data(), from + kFileDiskAt, header.disk.bytes.size());
  header.salt = load_little<std::uint64_t>(from + kFileSaltAt);
  header.first.value = load_little<std::uint64_t>(from + kFileFirstSequenceAt);
  header.generation = load_little<std::uint64_t>(from + kFileGenerationAt);
  header.block_bytes = load_little<std::uint32_t>(from + kFileBlockBytesAt);
  return header;
}

void encode_round(const RoundHeader& header, std::span<const Descriptor> descriptors, MutableBytes into) {
  std::byte* to = into.data();
  std::memset(to, 0, kRoundHeaderBytes);
  store_little(to, kRoundMagic);
  store_little(to + kRoundSaltAt, header.salt);
  store_little(to + kRoundSequenceAt, header.sequence.value);
  store_little(to + kRoundPositionAt, header.position);
  store_little(to + kRoundLengthAt, header.length);
  store_little(to + kRoundCountAt, header.count);
  std::byte* at = to + kRoundHeaderBytes;
  for (const Descriptor& descriptor : descriptors) {
    encode_descriptor(descriptor, at);
    at += kDescriptorBytes;
  }
  const std::size_t covered = header.payload_place_min() - kRoundSaltAt;
  store_little(to + kRoundCrcAt, crc32c({to + kRoundSaltAt, covered}));
}

void SuccessorMark::encode(MutableBytes into) const {
  std::byte* to = into.data();
  store_little(to, kMarkMagic);
  store_little(to + kMarkSaltAt, salt);
  store_little(to + kMarkNumberAt, number);
  store_little(to + kMarkFirstSequenceAt, first.value);
  store_little(to + kMarkCrcAt, crc32c(ByteView(into).subspan(kMarkSaltAt, kMarkBytes - kMarkSaltAt)));
}

std::optional<SuccessorMark> SuccessorMark::decode(ByteView bytes, std::uint64_t salt) {
  if (bytes.size() < kMarkBytes || load_little<std::uint32_t>(bytes.data()) != kMarkMagic) return std::nullopt;
  const std::uint32_t crc = crc32c(bytes.subspan(kMarkSaltAt, kMarkBytes - kMarkSaltAt));
  if (load_little<std::uint32_t>(bytes.data() + kMarkCrcAt) != crc) return std::nullopt;
  SuccessorMark mark;
  mark.salt = load_little<std::uint64_t>(bytes.data() + kMarkSaltAt);
  mark.number = load_little<std::uint64_t>(bytes.data() + kMarkNumberAt);
  mark.first = RoundSequence(load_little<std::uint64_t>(bytes.data() + kMarkFirstSequenceAt));
  if (mark.salt != salt) return std::nullopt;
  return mark;
}

Result<RoundHeader> peek_round(ByteView bytes, std::uint64_t salt, std::uint64_t position, const RoundBounds& bounds) {
  if (bytes.size() < kRoundHeaderBytes) return ErrorCode::kCorrupt;
  const std::byte* from = bytes.data();
  if (load_little<std::uint32_t>(from) != kRoundMagic) return ErrorCode::kCorrupt;
  RoundHeader header;
  header.salt = load_little<std::uint64_t>(from + kRoundSaltAt);
  header.sequence.value = load_little<std::uint64_t>(from + kRoundSequenceAt);
  header.position = load_little<std::uint64_t>(from + kRoundPositionAt);
  header.length = load_little<std::uint64_t>(from + kRoundLengthAt);
  header.count = load_little<std::uint32_t>(from + kRoundCountAt);
  if (header.salt != salt || header.position != position) return ErrorCode::kCorrupt;
  if (header.length == 0 || header.length % bounds.block_bytes != 0 || header.length > bounds.round_bytes_max) {
    return ErrorCode::kCorrupt;
  }
  if (position > bounds.file_bytes || header.length > bounds.file_bytes - position) return ErrorCode::kCorrupt;
  if (header.count == 0 || header.payload_place_min() > header.length) return ErrorCode::kCorrupt;
  return header;
}

Result<std::vector<Descriptor>> decode_descriptors(const RoundHeader& header, ByteView bytes) {
  if (bytes.size() < header.payload_place_min()) return ErrorCode::kCorrupt;
  const std::size_t covered = header.payload_place_min() - kRoundSaltAt;
  if (load_little<std::uint32_t>(bytes.data() + kRoundCrcAt) != crc32c(bytes.subspan(kRoundSaltAt, covered))) {
    return ErrorCode::kCorrupt;
  }
  std::vector<Descriptor> descriptors;
  descriptors.reserve(header.count);
  const std::byte* from = bytes.data() + kRoundHeaderBytes;
  for (std::uint32_t i = 0; i < header.count; ++i, from += kDescriptorBytes) {
    descriptors.push_back(decode_descriptor(from));
    if (!is_possible(descriptors.back(), header)) return ErrorCode::kCorrupt;
  }
  return descriptors;
}

Result<> verify_payloads(std::span<const Descriptor> descriptors, ByteView bytes) {
  for (const Descriptor& descriptor : descriptors) {
    if (!descriptor.has_payload()) continue;
    if (descriptor.place > bytes.size() || descriptor.length > bytes.size() - descriptor.place) return ErrorCode::kCorrupt;
    const ByteView payload = bytes.subspan(descriptor.place, descriptor.length);
    if (!descriptor.is_batch) {
      if (crc32c(payload) != descriptor.payload_crc) return ErrorCode::kCorrupt;
      continue;
    }
    if (!std::equal(descriptor.prefix.begin(), descriptor.prefix.end(), payload.begin())) return ErrorCode::kCorrupt;
    const auto crc = load_big<std::uint32_t>(descriptor.prefix.data() + record::format::kCrcAt);
    if (crc32c(payload.subspan(kBatchPrefixBytes)) != crc) return ErrorCode::kCorrupt;
  }
  return {};
}

}  // namespace pyralog::storage
