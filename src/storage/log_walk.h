#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "io/task.h"
#include "record/batch_view.h"
#include "storage/file_cache.h"
#include "storage/file_names.h"

/// Reading a partition's directory without its store, for tools. Only files are looked at: what the journal still holds is
/// not seen, and where the last segment ends is a judgement, because a file may hold more than its log.
namespace pyralog::storage {

/// Why a walk went no further.
enum class WalkEnd : std::uint8_t {
  kEndOfFile,    ///< a batch ended there
  kZeros,        ///< nothing was written from here on
  kNotABatch,    ///< no header, or one that contradicts itself
  kCutOff,       ///< the batch is longer than the file
  kBadChecksum,
  kOutOfOrder,   ///< offsets or epochs fall: bytes of a log that was cut here, unless the file is damaged
};
std::string_view walk_end_text(WalkEnd end) noexcept;

struct WalkedSegment {
  Offset base;
  Offset end;                  ///< behind the last good batch
  LeaderEpoch epoch;           ///< of the last good batch
  std::uint64_t position = 0;  ///< where the walk ended
  std::uint64_t file_bytes = 0;
  WalkEnd why = WalkEnd::kEndOfFile;
};

/// Sees one good batch; false ends the walk there.
using BatchVisitor = std::move_only_function<bool(const record::BatchView& batch, std::uint64_t position)>;

/// Visits the batches of a segment whose first record has at least `epoch_min`, up to the first that is not good.
io::Task<Result<WalkedSegment>> walk_segment(SharedFile file, Offset base, LeaderEpoch epoch_min, BatchVisitor visitor);

/// The files of a partition's directory by kind and offset; others are left out. kNotFound.
io::Task<Result<std::vector<FileName>>> list_partition(std::string directory);
/// Opens one of them for reading.
io::Task<Result<SharedFile>> open_for_reading(std::string directory, FileName name);

}  // namespace pyralog::storage
