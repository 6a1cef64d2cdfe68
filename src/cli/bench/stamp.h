#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.h"
#include "core/result.h"
#include "core/time.h"
#include "record/batch_view.h"

namespace pyralog::cli {

/// Times that a value carries from a producing to a consuming load: monotonic, so of one machine, in one process or two.
struct Stamp {
  static constexpr std::size_t kBytes = 24;

  MonotonicTime intended;  ///< when the request was due
  MonotonicTime sent;
};

/// Where in `batch` the stamp of its first record goes. kInvalidArgument: it is compressed or its value is too short.
Result<std::size_t> stamp_position(ByteView batch);

/// Writes the stamp and the batch's timestamps, and renews its CRC.
void write_stamp(MutableBytes batch, std::size_t position, const Stamp& stamp, WallTime now);

/// The stamp of the batch's first record, if it has one.
std::optional<Stamp> read_stamp(const record::BatchView& batch);

}  // namespace pyralog::cli
