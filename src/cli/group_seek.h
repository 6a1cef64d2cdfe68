#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.h"
#include "cli/table.h"
#include "core/ids.h"
#include "core/result.h"

namespace pyralog::cli {

/// Where a group is to go on.
struct SeekTarget {
  enum class Kind : std::uint8_t { kStart, kEnd, kTime, kOffset, kShift };
  Kind kind = Kind::kStart;
  std::int64_t value = 0;  ///< milliseconds, an offset, or records forward (negative: back)
};

enum class SeekMode : std::uint8_t { kPlan, kExecute };
enum class MemberTreatment : std::uint8_t { kRefuse, kRemove };

struct SeekGroup {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
  std::string name;
  std::optional<SeekTarget> target;
  std::vector<std::string> logs;         ///< none: those that the group has committed to a part of
  std::vector<std::int32_t> partitions;  ///< of the only log; none: all of them
  SeekMode mode = SeekMode::kPlan;
  MemberTreatment members = MemberTreatment::kRefuse;
};

/// What there is in one partition.
struct SeekPartition {
  Offset start;
  Offset end;
  std::optional<Offset> committed;
  std::optional<Offset> at_time;  ///< of the first record at or after the target's time; none: no record is that late
};

/// The offset to commit, which always lies within the log: a target outside becomes its nearer end. kInvalidArgument where a
/// shift has nothing to start from.
Result<Offset> seek_offset(const SeekTarget& target, const SeekPartition& partition);

/// `pyralog group seek`. The exit code.
int seek_group(const SeekGroup& command);

}  // namespace pyralog::cli
