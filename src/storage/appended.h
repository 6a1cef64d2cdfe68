#pragma once

#include "core/ids.h"
#include "core/time.h"
#include "record/format.h"
#include "storage/partition_files.h"

namespace pyralog::storage {

/// What became of a client's batch.
struct Appended {
  Offset base;
  Offset end;           ///< exclusive
  RoundSequence round;  ///< wait for it before acknowledging the batch as durable
  /// The log's append time if it stamps one; of a retry, what the original has; else negative.
  WallTime timestamp = record::kNoTimestamp;
  bool is_duplicate = false;
};

}  // namespace pyralog::storage
