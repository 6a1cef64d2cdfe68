#include "storage/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/checksum.h"
#include "storage/byte_codec.h"
#include "storage/planted.h"

namespace pyralog::storage {
namespace {

using namespace checkpoint_format;

constexpr std::size_t kSegmentBytes = 25;
enum SegmentFlag : std::uint8_t { kNamed = 1, kHasEdition = 2, kFlagsAll = 3 };

Error malformed() { return Error(ErrorCode::kCorrupt, "a checkpoint is malformed"); }

void put_position(std::vector<std::byte>& out, LogPosition at) {
  put_little(out, at.segment.value);
  put_little(out, at.position);
}

bool take_position(ByteView& bytes, LogPosition& at) {
  return take_little(bytes, at.segment.value) && take_little(bytes, at.position);
}

bool take_duration(ByteView& bytes, Duration& duration) {
  std::int64_t count = 0;
  if (!take_little(bytes, count)) return false;
  duration = Duration(count);
  return true;
}

bool take_text(ByteView& bytes, std::string& text) {
  std::uint16_t length = 0;
  if (!take_little(bytes, length) || bytes.size() < length) return false;
  text = as_text(bytes.first(length));
  bytes = bytes.subspan(length);
  return true;
}

Result<std::vector<Segment>> take_segments(ByteView& bytes) {
  std::uint32_t count = 0;
  if (!take_little(bytes, count) || count == 0 || count > bytes.size() / kSegmentBytes) return malformed();
  std::vector<Segment> segments(count);
  for (std::size_t i = 0; i < count; ++i) {
    Segment& segment = segments[i];
    std::uint8_t flags = 0;
    if (!take_little(bytes, segment.base.value) || !take_little(bytes, segment.end) ||
        !take_little(bytes, segment.clean_end) || !take_little(bytes, flags) || flags > kFlagsAll ||
        ((flags & kHasEdition) != 0 && !take_little(bytes, segment.edition))) {
      return malformed();
    }
    segment.named = (flags & kNamed) != 0;
    if (segment.clean_end > segment.end || (i > 0 && segment.base <= segments[i - 1].base)) return malformed();
  }
  return segments;
}

}  // namespace

Result<CheckpointPartition> decode_partition(ByteView& bytes) {
  CheckpointPartition partition;
  std::uint8_t durability = 0;
  std::uint8_t has_mark = 0;
  if (!take_little(bytes, partition.incarnation.value) || !take_little(bytes, partition.redo.value) ||
      !take_little(bytes, partition.start.value) || !take_little(bytes, durability) || durability > 1 ||
      !take_text(bytes, partition.directory)) {
    return malformed();
  }
  partition.durability = static_cast<DurabilityClass>(durability);
  CachedBounds& bounds = partition.cached_bounds;
  if (!take_little(bytes, bounds.write_bytes_max) || !take_little(bytes, bounds.write_records_max) ||
      !take_duration(bytes, bounds.write_delay_max) || !take_little(bytes, bounds.flush_bytes_max) ||
      !take_duration(bytes, bounds.flush_delay_max)) {
    return malformed();
  }
  PYRALOG_ASSIGN(partition.segments, take_segments(bytes));
  if (!take_little(bytes, has_mark)) return malformed();
  if (has_mark != 0) {
    CachedMark mark;
    if (!take_position(bytes, mark.scan_from) || !take_position(bytes, mark.solid_end)) return malformed();
    partition.cached = mark;
  }
  PYRALOG_ASSIGN(partition.state, LogState::decode(bytes));
  return partition;
}

PartitionEntry PartitionEntry::of(const PartitionFiles& partition) {
  return {.incarnation = partition.incarnation(),
          .start = partition.start(),
          .durability = partition.durability(),
          .directory = partition.directory(),
          .bounds = partition.cached_bounds(),
          .segments = partition.segments()};
}

void PartitionEntry::encode(std::vector<std::byte>& out) const {
  put_little(out, incarnation.value);
  put_little(out, redo.value);
  put_little(out, start.value);
  put_little(out, static_cast<std::uint8_t>(durability));
  put_little(out, static_cast<std::uint16_t>(directory.size()));
  const ByteView text = as_bytes(directory);
  out.insert(out.end(), text.begin(), text.end());
  put_little(out, bounds.write_bytes_max);
  put_little(out, bounds.write_records_max);
  put_little(out, std::int64_t{bounds.write_delay_max.count()});
  put_little(out, bounds.flush_bytes_max);
  put_little(out, std::int64_t{bounds.flush_delay_max.count()});
  put_little(out, static_cast<std::uint32_t>(segments.size()));
  for (const Segment& segment : segments) {
    put_little(out, segment.base.value);
    put_little(out, segment.end);
    put_little(out, segment.clean_end);
    std::uint8_t flags = segment.named ? kNamed : 0;
    if (segment.edition != 0) flags |= kHasEdition;
    put_little(out, flags);
    if (segment.edition != 0) put_little(out, segment.edition);
  }
  put_little(out, static_cast<std::uint8_t>(cached.has_value()));
  if (cached.has_value()) {
    put_position(out, cached->scan_from);
    put_position(out, cached->solid_end);
  }
  out.insert(out.end(), state.begin(), state.end());
}

void CheckpointWriter::add(const PartitionEntry& partition) {
  if (partition.redo != PartitionEntry::kNoRedo) {
    lowest_redo_ = lowest_redo_.has_value() ? std::min(*lowest_redo_, partition.redo) : partition.redo;
  }
  ++partitions_count_;
  partition.encode(out_);
}

void CheckpointWriter::add(StateKey key, ByteView value) {
  ++states_count_;
  put_little(states_, key.owner.value);
  put_little(states_, key.slot);
  put_little(states_, static_cast<std::uint32_t>(value.size()));
  states_.insert(states_.end(), value.begin(), value.end());
}

std::vector<std::byte> CheckpointWriter::finish(std::uint64_t sequence, RoundSequence shown, bool clean_stop) {
  out_.insert(out_.end(), states_.begin(), states_.end());
  std::vector<std::byte> head;
  put_little(head, kMagic);
  put_little(head, std::uint32_t{0});
  put_little(head, kVersion);
  put_little(head, std::uint64_t{out_.size()});
  put_little(head, sequence);
  put_little(head, shown.value);
  put_little(head, redo_from(shown).value);
  head.insert(head.end(), reinterpret_cast<const std::byte*>(options_.disk_uuid.bytes.data()),
              reinterpret_cast<const std::byte*>(options_.disk_uuid.bytes.data()) + options_.disk_uuid.bytes.size());
  put_little(head, options_.generation);
  put_little(head, options_.shard.value);
  put_little(head, clean_stop ? kCleanStopFlag : std::uint32_t{0});
  put_little(head, partitions_count_);
  put_little(head, states_count_);
  put_little(head, options_.geometry.block_bytes);
  std::copy(head.begin(), head.end(), out_.begin());
  store_little(out_.data() + kCrcAt, crc32c(ByteView(out_).subspan(kCoveredAt)));
  out_.resize(align_up(out_.size(), options_.geometry.block_bytes));
  return std::move(out_);
}

Result<Checkpoint> Checkpoint::decode(ByteView file, const StoreOptions& expected) {
  ByteView bytes = file;
  std::uint64_t magic = 0, length = 0, generation = 0, block_bytes = 0;
  std::uint32_t version = 0, crc = 0, shard = 0, flags = 0, partitions_count = 0, states_count = 0;
  if (file.size() < kHeaderBytes) return ErrorCode::kTruncated;
  Checkpoint checkpoint;
  Uuid disk;
  bool whole = take_little(bytes, magic) && take_little(bytes, crc) && take_little(bytes, version) &&
               take_little(bytes, length) && take_little(bytes, checkpoint.sequence) &&
               take_little(bytes, checkpoint.shown.value) && take_little(bytes, checkpoint.redo_from.value);
  std::memcpy(disk.bytes.data(), bytes.data(), disk.bytes.size());
  bytes = bytes.subspan(disk.bytes.size());
  whole = whole && take_little(bytes, generation) && take_little(bytes, shard) && take_little(bytes, flags) &&
          take_little(bytes, partitions_count) && take_little(bytes, states_count) && take_little(bytes, block_bytes);
  if (!whole || magic != kMagic) return Error(ErrorCode::kCorrupt, "not a checkpoint");
  if (length < kHeaderBytes || length > file.size()) return Error(ErrorCode::kCorrupt, "a checkpoint ends too early");
  if (crc != crc32c(file.first(length).subspan(kCoveredAt))) return Error(ErrorCode::kCorrupt, "bad checksum of a checkpoint");
  if (version != kVersion) return Error(ErrorCode::kUnsupportedVersion, "the checkpoint was written by a later release");
  if (disk != expected.disk_uuid || shard != expected.shard.value || generation != expected.generation) {
    return Error(ErrorCode::kForeign, "the checkpoint belongs to another disk or shard");
  }
  if (block_bytes != expected.geometry.block_bytes) {
    return Error(ErrorCode::kUnsupportedVersion, "the checkpoint was written with another block size");
  }
  checkpoint.clean_stop = (flags & kCleanStopFlag) != 0;
  bytes = file.first(length).subspan(kHeaderBytes);
  for (std::uint32_t i = 0; i < partitions_count; ++i) {
    PYRALOG_ASSIGN(CheckpointPartition partition, decode_partition(bytes));
    checkpoint.partitions.push_back(std::move(partition));
  }
  for (std::uint32_t i = 0; i < states_count; ++i) {
    StateKey key;
    std::uint32_t value_bytes = 0;
    if (!take_little(bytes, key.owner.value) || !take_little(bytes, key.slot) || !take_little(bytes, value_bytes) ||
        value_bytes > bytes.size()) {
      return malformed();
    }
    checkpoint.states.emplace(key, Slice::copy_of(bytes.first(value_bytes)));
    bytes = bytes.subspan(value_bytes);
  }
  if (!bytes.empty()) return malformed();
  return checkpoint;
}

io::Task<Result<std::vector<std::byte>>> CheckpointFiles::read_file(unsigned which) {
  const std::string path = names_.checkpoint_file(which);
  io::OpenOptions options{.access = io::Access::kReadWrite, .caching = io::Caching::kDirect};
  if (planted(Bug::kReadThroughCache)) options.caching = io::Caching::kCached;
  PYRALOG_CO_ASSIGN(auto file, co_await reactor_.disk().open(path, options));
  // After kill -9 or a failed sync the page cache may show what the disk lacks: make it durable, then ask the disk.
  if (!planted(Bug::kCheckpointNotSyncedFirst)) PYRALOG_CO_TRY(co_await file->sync());
  PYRALOG_CO_ASSIGN(const std::uint64_t size, file->size());
  if (size > kBytesMax) co_return Error(ErrorCode::kCorrupt, fmt::format("{} is too large for a checkpoint", path));
  Slice buffer = Slice::allocate(align_up(std::max<std::uint64_t>(size, 1), options_.geometry.block_bytes));
  PYRALOG_CO_ASSIGN(const std::size_t got, co_await file->read(0, buffer.mutable_view()));
  co_return std::vector<std::byte>(buffer.data(), buffer.data() + got);
}

io::Task<Result<std::optional<Checkpoint>>> CheckpointFiles::load() {
  std::optional<Checkpoint> newest;
  for (unsigned which = 0; which < 2; ++which) {
    const std::string path = names_.checkpoint_file(which);
    auto read = co_await read_file(which);
    if (!read.ok() && read.error() == ErrorCode::kNotFound) continue;
    if (!read.ok()) co_return read.error().with_context(path);
    names_durable_[which] = false;  // its name may be in the cache alone
    auto decoded = Checkpoint::decode(*read, options_);
    if (!decoded.ok()) {
      const ErrorCode code = decoded.error().code();
      if (code == ErrorCode::kForeign || code == ErrorCode::kUnsupportedVersion) co_return decoded.error().with_context(path);
      damage_ = decoded.error().with_context(path);
      continue;
    }
    if (newest.has_value() && newest->sequence >= decoded->sequence) continue;
    newest = std::move(*decoded);
    newest_ = which;
    sequence_ = newest->sequence;
  }
  co_return newest;
}

io::Task<Result<>> CheckpointFiles::store(std::vector<std::byte> file) {
  const unsigned which = planted(Bug::kSingleCheckpoint) ? newest_ : 1 - newest_;
  const std::uint64_t sequence = next_sequence();
  io::OpenOptions options{.existence = io::Existence::kMayCreate, .caching = io::Caching::kDirect};
  PYRALOG_CO_ASSIGN(auto target, co_await reactor_.disk().open(names_.checkpoint_file(which), options));
  Slice aligned = Slice::copy_of(file);
  std::vector<ByteView> pieces{aligned.view().first(file.size())};
  PYRALOG_CO_TRY(co_await target->write_and_sync(0, std::move(pieces)));
  if (!names_durable_[which]) {
    PYRALOG_CO_TRY(co_await reactor_.disk().sync_directory(names_.directory));
    names_durable_[which] = true;
  }
  newest_ = which;
  sequence_ = sequence;
  co_return Result<>();
}

}  // namespace pyralog::storage
