#pragma once

#include <string>

#include "core/slice.h"
#include "io/disk.h"
#include "storage/partition_log.h"

namespace pyralog::storage {

/// Reads from a log into memory, for those who look at the bytes themselves. Errors: those of `PartitionLog::read`, kIo,
/// kTruncated if a file is shorter than the log says.
io::Task<Result<Slice>> read_bytes(PartitionLog& log, ReadOptions options);

/// A whole file of at most `bytes_max`; kTooLarge beyond.
io::Task<Result<Slice>> read_whole_file(io::Disk& disk, std::string path, std::uint64_t bytes_max);

}  // namespace pyralog::storage
