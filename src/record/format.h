#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.h"

/// Layout of Kafka's record batch, magic 2, the same on the wire, in memory and on disk. Big-endian. The table with
/// meanings is `record/format.md`; both change together. Constants only.
namespace pyralog::record::format {

// Byte positions of the header fields.
inline constexpr std::size_t kBaseOffsetAt = 0;       // int64, outside the CRC
inline constexpr std::size_t kBatchLengthAt = 8;      // int32, bytes after this field
inline constexpr std::size_t kLeaderEpochAt = 12;     // int32, outside the CRC
inline constexpr std::size_t kMagicAt = 16;           // int8, at this place in every magic
inline constexpr std::size_t kCrcAt = 17;             // uint32
inline constexpr std::size_t kAttributesAt = 21;      // int16, first byte under the CRC
inline constexpr std::size_t kLastOffsetDeltaAt = 23;  // int32
inline constexpr std::size_t kBaseTimestampAt = 27;   // int64
inline constexpr std::size_t kMaxTimestampAt = 35;    // int64
inline constexpr std::size_t kProducerIdAt = 43;      // int64
inline constexpr std::size_t kProducerEpochAt = 51;   // int16
inline constexpr std::size_t kBaseSequenceAt = 53;    // int32
inline constexpr std::size_t kRecordsCountAt = 57;    // int32
inline constexpr std::size_t kHeaderBytes = 61;

/// Bytes before what `batchLength` counts, and the smallest legal value of that field.
inline constexpr std::size_t kLengthOverheadBytes = kBatchLengthAt + sizeof(std::int32_t);
inline constexpr std::size_t kBatchLengthMin = kHeaderBytes - kLengthOverheadBytes;
/// Bytes needed before a batch's length and magic can be judged.
inline constexpr std::size_t kPrefixBytes = kMagicAt + 1;
/// The smallest legal length of a message of magic 0 or 1, after the same overhead.
inline constexpr std::size_t kLegacyLengthMin = 14;

inline constexpr std::int8_t kMagic = 2;

// Attribute bits.
inline constexpr std::int16_t kCodecMask = 0x07;
inline constexpr std::int16_t kLogAppendTimeBit = 0x08;
inline constexpr std::int16_t kTransactionalBit = 0x10;
inline constexpr std::int16_t kControlBit = 0x20;
inline constexpr std::int16_t kDeleteHorizonBit = 0x40;

// One record: zigzag varints; a length of -1 means null.
inline constexpr std::size_t kVarintBytesMax = 5;
inline constexpr std::size_t kVarlongBytesMax = 10;
/// Attributes, timestamp delta, offset delta, key length, value length, header count: one byte each at least.
inline constexpr std::size_t kRecordBodyBytesMin = 6;
/// Key length and value length: one byte each at least.
inline constexpr std::size_t kRecordHeaderBytesMin = 2;

static_assert(kLeaderEpochAt == kBatchLengthAt + 4 && kMagicAt == kLeaderEpochAt + 4 && kCrcAt == kMagicAt + 1);
static_assert(kAttributesAt == kCrcAt + 4 && kLastOffsetDeltaAt == kAttributesAt + 2);
static_assert(kBaseTimestampAt == kLastOffsetDeltaAt + 4 && kMaxTimestampAt == kBaseTimestampAt + 8);
static_assert(kProducerIdAt == kMaxTimestampAt + 8 && kProducerEpochAt == kProducerIdAt + 8);
static_assert(kBaseSequenceAt == kProducerEpochAt + 2 && kRecordsCountAt == kBaseSequenceAt + 4);
static_assert(kHeaderBytes == kRecordsCountAt + 4);
static_assert(kLengthOverheadBytes == 12 && kBatchLengthMin == 49);
static_assert(kLeaderEpochAt + 4 <= kCrcAt, "what a leader stamps lies before the CRC and is not covered by it");

}  // namespace pyralog::record::format

namespace pyralog::record {

/// How a batch's records are compressed; the values are those of the attribute bits. 5 to 7 are unassigned.
enum class Codec : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
inline constexpr Codec kCodecLast = Codec::kZstd;

/// Whose time a batch's records carry.
enum class TimestampType : std::uint8_t { kCreateTime = 0, kLogAppendTime = 1 };

/// What a record without a timestamp carries.
inline constexpr WallTime kNoTimestamp{-1};
inline constexpr std::int32_t kNoSequence = -1;

}  // namespace pyralog::record
