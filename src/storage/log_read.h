#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/slice.h"
#include "core/time.h"
#include "storage/file_cache.h"

/// What reading a log takes and gives.
namespace pyralog::storage {

enum class ReadLimit : std::uint8_t { kHighWatermark, kLogEnd };
/// Whether a first batch beyond `bytes_max` is read all the same, so that a reader gets on (Kafka: once per request).
enum class FirstBatch : std::uint8_t { kAlways, kIfItFits };

struct ReadOptions {
  Offset offset;
  std::uint64_t bytes_max = 0;
  ReadLimit limit = ReadLimit::kHighWatermark;
  FirstBatch first_batch = FirstBatch::kAlways;
};

/// Part of a segment file, fit for sending without a copy. Holding it keeps the file open.
struct FileRange {
  SharedFile file;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
};
using ReadPiece = std::variant<Slice, FileRange>;

/// Whole batches, in order: the first one contains the offset asked for. The pieces' borders are not those of batches.
struct ReadResult {
  std::vector<ReadPiece> pieces;
  std::uint64_t bytes = 0;
  Offset end;  ///< behind the last batch read; the offset asked for if there was none
};

struct TimestampedOffset {
  Offset offset;
  WallTime timestamp;
  LeaderEpoch epoch;
};

}  // namespace pyralog::storage
