#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "storage/partition_files.h"

/// The journal's format: file headers, round headers, descriptors. The tables with meanings are in `format.md`; both change
/// together. Little-endian. Nothing here does I/O.
namespace pyralog::storage {

namespace journal_format {

inline constexpr std::uint64_t kFileMagic = 0x314C4E524A525950;  // "PYRJRNL1" in file order
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kFileVersionAt = 8;
inline constexpr std::size_t kFileShardAt = 12;
inline constexpr std::size_t kFileDiskAt = 16;
inline constexpr std::size_t kFileSaltAt = 32;
inline constexpr std::size_t kFileFirstSequenceAt = 40;
inline constexpr std::size_t kFileGenerationAt = 48;
inline constexpr std::size_t kFileBlockBytesAt = 56;
inline constexpr std::size_t kFileCrcAt = 60;
inline constexpr std::size_t kFileHeaderBytes = 64;
/// The header lies at the start of this many blocks; rounds follow.
inline constexpr std::size_t kFileHeaderCopies = 2;

inline constexpr std::uint32_t kMarkMagic = 0x54584E50;  // "PNXT"
inline constexpr std::size_t kMarkCrcAt = 4;
inline constexpr std::size_t kMarkSaltAt = 8;
inline constexpr std::size_t kMarkNumberAt = 16;
inline constexpr std::size_t kMarkFirstSequenceAt = 24;
inline constexpr std::size_t kMarkBytes = 32;

inline constexpr std::uint32_t kRoundMagic = 0x444E5250;  // "PRND"
inline constexpr std::size_t kRoundCrcAt = 4;
inline constexpr std::size_t kRoundSaltAt = 8;
inline constexpr std::size_t kRoundSequenceAt = 16;
inline constexpr std::size_t kRoundPositionAt = 24;
inline constexpr std::size_t kRoundLengthAt = 32;
inline constexpr std::size_t kRoundCountAt = 40;
inline constexpr std::size_t kRoundHeaderBytes = 64;

inline constexpr std::size_t kDescriptorFlagsAt = 1;
inline constexpr std::size_t kDescriptorPrefixAt = 3;  // for batches; otherwise CRC and value
inline constexpr std::size_t kDescriptorPayloadCrcAt = 4;
inline constexpr std::size_t kDescriptorValueAt = 8;
inline constexpr std::size_t kDescriptorIncarnationAt = 24;
inline constexpr std::size_t kDescriptorSegmentAt = 32;
inline constexpr std::size_t kDescriptorPositionAt = 40;
inline constexpr std::size_t kDescriptorLengthAt = 48;
inline constexpr std::size_t kDescriptorPlaceAt = 52;
inline constexpr std::size_t kDescriptorBytes = 56;
inline constexpr std::uint8_t kDescriptorBatchFlag = 1;

/// What a batch's own CRC does not cover, and the CRC itself.
inline constexpr std::size_t kBatchPrefixBytes = 21;

static_assert(kFileCrcAt + 4 == kFileHeaderBytes && kFileBlockBytesAt + 4 == kFileCrcAt);
static_assert(kRoundCountAt + 4 <= kRoundHeaderBytes);
static_assert(kDescriptorPrefixAt + kBatchPrefixBytes == kDescriptorIncarnationAt);
static_assert(kDescriptorPlaceAt + 4 == kDescriptorBytes);

}  // namespace journal_format

/// The start of a journal file.
struct JournalFileHeader {
  Uuid disk;
  ShardId shard;
  std::uint64_t generation = 0;
  std::uint64_t salt = 0;
  RoundSequence first;
  std::uint32_t block_bytes = 0;

  /// Writes kFileHeaderBytes.
  void encode(MutableBytes into) const;
  /// kTruncated, kCorrupt (not a header, or damaged), kUnsupportedVersion (intact, but of a later release).
  static Result<JournalFileHeader> decode(ByteView bytes);
  friend bool operator==(const JournalFileHeader&, const JournalFileHeader&) = default;
};

/// In the last block of a journal file: which file the rounds went on in.
struct SuccessorMark {
  std::uint64_t salt = 0;    ///< of the file that it stands in
  std::uint64_t number = 0;  ///< of the file that took over
  RoundSequence first;       ///< its first round, which is durable, and so are its bodies

  /// Writes kMarkBytes.
  void encode(MutableBytes into) const;
  /// Nothing if there is none with this salt: none was written in this use of the file, or it was torn.
  static std::optional<SuccessorMark> decode(ByteView bytes, std::uint64_t salt);
  friend bool operator==(const SuccessorMark&, const SuccessorMark&) = default;
};

enum class RoundKind : std::uint8_t {
  kData = 1,      ///< bytes of a log at `at`: one batch, or (flag clear) part of a body's first or last block
  kImage = 2,     ///< the acknowledged start of the block that the following DATA continues
  kBody = 3,      ///< bytes of a log that lie in the segment itself; the CRC is theirs
  kTruncate = 4,  ///< the log ends at offset `value`, place `at`
  kStart = 5,     ///< the log starts at offset `value`; segments below `at.segment` are gone; its state, with what
                  ///< the gone batches left in it
  kCreate = 6,    ///< the partition exists, starting at offset `value`
  kDelete = 7,
  kState = 8,  ///< the value of key (incarnation, at.position); no payload: none
  kEmpty = 9,
  kPartition = 10,  ///< what is known of a partition, whole: rounds before this one count no more for it
  kCompact = 11,  ///< segments from `at.segment` up to the one at `value` gave way to others
};

struct Descriptor {
  RoundKind kind = RoundKind::kEmpty;
  bool is_batch = false;
  Incarnation incarnation;
  LogPosition at;
  std::uint32_t length = 0;  ///< of the payload, or of a body
  std::uint32_t place = 0;   ///< of the payload, from the round's start
  std::uint32_t payload_crc = 0;  ///< unless is_batch
  std::int64_t value = 0;         ///< unless is_batch
  std::array<std::byte, journal_format::kBatchPrefixBytes> prefix{};  ///< if is_batch

  bool has_payload() const noexcept { return length > 0 && kind != RoundKind::kBody; }
  std::uint64_t end_position() const noexcept { return at.position + length; }
};

struct RoundHeader {
  std::uint64_t salt = 0;
  RoundSequence sequence;
  std::uint64_t position = 0;  ///< in its file
  std::uint64_t length = 0;    ///< whole blocks
  std::uint32_t count = 0;     ///< of descriptors

  std::uint64_t payload_place_min() const noexcept {
    return journal_format::kRoundHeaderBytes + std::uint64_t{count} * journal_format::kDescriptorBytes;
  }
};

/// Bounds that a round's header must keep.
struct RoundBounds {
  std::uint64_t block_bytes = 0;
  std::uint64_t round_bytes_max = 0;
  std::uint64_t file_bytes = 0;
};

/// Writes header and descriptors, with their CRC, into the start of `into` (at least header.payload_place_min() bytes).
void encode_round(const RoundHeader& header, std::span<const Descriptor> descriptors, MutableBytes into);

/// What the first kRoundHeaderBytes claim, if magic, `salt` and `position` are right and the sizes are possible; the CRC
/// is not checked. kCorrupt.
Result<RoundHeader> peek_round(ByteView bytes, std::uint64_t salt, std::uint64_t position, const RoundBounds& bounds);

/// Descriptors of a round whose first `header.payload_place_min()` bytes, at least, are given. kCorrupt: the CRC is wrong
/// or a descriptor is impossible.
Result<std::vector<Descriptor>> decode_descriptors(const RoundHeader& header, ByteView bytes);

/// kCorrupt unless every payload of the whole round in `bytes` is what its descriptor says.
Result<> verify_payloads(std::span<const Descriptor> descriptors, ByteView bytes);

}  // namespace pyralog::storage
