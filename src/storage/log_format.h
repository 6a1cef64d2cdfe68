#pragma once

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

/// The files beside a segment's `.log`, and a log's state in a checkpoint. The tables with meanings are in
/// `log_format.md`; both change together. Little-endian. Constants only.
///
/// A partition's directory holds `<base>.log` (batches as in record/format.md; the shard's store owns them), and, owned by
/// PartitionLog: `<base>.index`, `<base>.timeindex` (caches) and `<offset>.snapshot`, named by 20 decimal digits. A segment
/// that compaction wrote is `<base>-<edition>.log`, its indexes likewise.
namespace pyralog::storage::log_format {

inline constexpr std::size_t kNameDigits = 20;
inline constexpr char kLogSuffix[] = ".log";
inline constexpr char kIndexSuffix[] = ".index";
inline constexpr char kTimeIndexSuffix[] = ".timeindex";
inline constexpr char kSnapshotSuffix[] = ".snapshot";
inline constexpr char kCompactingSuffix[] = ".compacting";  // a `.log` that is being written

// A producer in a snapshot or in a log state: the entry, then its batches.
inline constexpr std::size_t kProducerBytes = 20;
inline constexpr std::size_t kProducerBatchBytes = 24;

inline constexpr std::uint8_t kStateVersion = 1;

namespace snapshot {
inline constexpr std::uint64_t kMagic = 0x31504E5352505950;  // "PYPRSNP1" in file order
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kVersionAt = 8;
inline constexpr std::size_t kOffsetAt = 12;
inline constexpr std::size_t kEpochAt = 20;
inline constexpr std::size_t kCrcAt = 24;
inline constexpr std::size_t kHeaderBytes = 28;
static_assert(kOffsetAt == kVersionAt + 4 && kEpochAt == kOffsetAt + 8 && kCrcAt == kEpochAt + 4);
static_assert(kHeaderBytes == kCrcAt + 4);
}  // namespace snapshot

/// `.index` and `.timeindex`: a header block, written when the segment is sealed, then blocks of entries. A block is used
/// only if its CRC is right, so what a crash left of an unsynced file is never believed.
namespace index {
inline constexpr std::size_t kBlockBytes = limits::kBlockBytes;
/// A batch gets an entry if it starts at least this many bytes after the last one that has.
inline constexpr std::size_t kIntervalBytes = 4096;

inline constexpr std::uint64_t kSparseMagic = 0x3158444952505950;  // "PYPRIDX1" in file order
inline constexpr std::uint64_t kTimeMagic = 0x314D495452505950;    // "PYPRTIM1"
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kVersionAt = 8;
inline constexpr std::size_t kHeaderCrcAt = 12;
inline constexpr std::size_t kSegmentBaseAt = 16;
inline constexpr std::size_t kEndOffsetAt = 24;
inline constexpr std::size_t kEndPositionAt = 32;
inline constexpr std::size_t kEntryCountAt = 40;
inline constexpr std::size_t kPeakTimestampAt = 48;
inline constexpr std::size_t kPeakBaseAt = 56;
inline constexpr std::size_t kAppendedAt = 64;
inline constexpr std::size_t kHeaderBytes = 72;

// An entry block.
inline constexpr std::size_t kBlockCrcAt = 0;
inline constexpr std::size_t kBlockKindAt = 4;
inline constexpr std::size_t kBlockVersionAt = 5;
inline constexpr std::size_t kBlockCountAt = 6;
inline constexpr std::size_t kBlockBaseAt = 8;
inline constexpr std::size_t kEntriesAt = 16;
inline constexpr std::uint8_t kBlockVersion = 1;

inline constexpr std::uint8_t kSparseKind = 1;
inline constexpr std::size_t kSparseEntryBytes = 20;
inline constexpr std::size_t kSparseEntriesPerBlock = (kBlockBytes - kEntriesAt) / kSparseEntryBytes;
inline constexpr std::uint8_t kTimeKind = 2;
inline constexpr std::size_t kTimeEntryBytes = 16;
inline constexpr std::size_t kTimeEntriesPerBlock = (kBlockBytes - kEntriesAt) / kTimeEntryBytes;
static_assert(kSparseEntriesPerBlock == 204 && kTimeEntriesPerBlock == 255);
static_assert(kHeaderBytes == kAppendedAt + 8 && kHeaderBytes <= kBlockBytes);
}  // namespace index

}  // namespace pyralog::storage::log_format
