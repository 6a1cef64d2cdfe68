#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "io/task.h"

namespace pyralog::storage {

/// What the shard's checkpoint and journal say about the log, where that is known (from a cleanly stopped node): without it,
/// bytes behind the last segment's good batches are a note, not a problem.
struct LogBounds {
  Offset end;
  std::uint64_t end_position = 0;  ///< in the last segment that is not empty
};

struct LogFinding {
  std::string file;
  std::uint64_t position = 0;
  std::string text;
};

struct LogReport {
  static constexpr std::size_t kFindingsMax = 1000;

  Offset start;  ///< of the first segment
  Offset end;
  std::uint64_t segments = 0, batches = 0, records = 0, bytes = 0;
  std::vector<LogFinding> problems;  ///< the log, or a file that is believed, is damaged
  std::vector<LogFinding> notes;     ///< worth knowing; nothing is lost
  std::uint64_t findings_dropped = 0;  ///< beyond kFindingsMax of either

  bool is_sound() const noexcept { return problems.empty(); }
};

/// Checks a partition's directory while nobody writes there: every batch (checksum, structure, each record; offsets without
/// gaps but where compaction made them, epochs that do not fall), every index entry against the batches, every producer
/// snapshot. Changes nothing.
/// kNotFound: no such directory.
io::Task<Result<LogReport>> check_log(std::string directory, std::optional<LogBounds> bounds);

}  // namespace pyralog::storage
