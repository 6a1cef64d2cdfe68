#pragma once

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

/// The files beside a segment's `.log`, and a log's state in a checkpoint. The tables with meanings are in
/// `log_format.md`; both change together. Little-endian. Constants only.
///
/// A partition's directory holds `<base>.log` (batches as in record/format.md; the shard's store owns them), and, owned by
/// PartitionLog: `<base>.index`, `<base>.timeindex` (caches) and `<offset>.snapshot`, named by 20 decimal digits.
namespace pyralog::storage::log_format {

inline constexpr std::size_t kNameDigits = 20;
inline constexpr char kLogSuffix[] = ".log";
inline constexpr char kIndexSuffix[] = ".index";
inline constexpr char kTimeIndexSuffix[] = ".timeindex";
inline constexpr char kSnapshotSuffix[] = ".snapshot";

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

}  // namespace pyralog::storage::log_format
