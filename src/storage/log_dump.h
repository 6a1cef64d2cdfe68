#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"
#include "io/task.h"

namespace pyralog::storage {

struct DumpOptions {
  Offset begin;                  ///< batches that end at or below it are left out
  Offset end{INT64_MAX};         ///< and those that begin at or above it
  bool records = false;          ///< a line per record too
  std::size_t field_bytes_max = 200;  ///< of a key, value or header that are shown
};

/// Prints a partition's directory as text: a line per file, per batch, and per record if wanted, to `print` (without line
/// ends). Stops in each segment at the first bytes that are no good batch, and says so. Changes nothing. kNotFound.
io::Task<Result<>> dump_log(std::string directory, DumpOptions options, std::function<void(std::string_view)> print);

/// `bytes` in double quotes, with what is not printable ASCII as \xNN; shortened beyond `bytes_max`.
std::string quoted(std::string_view bytes, std::size_t bytes_max);

}  // namespace pyralog::storage
