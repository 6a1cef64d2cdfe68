#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/result.h"
#include "io/sync.h"
#include "io/task.h"
#include "storage/compaction.h"
#include "storage/partition_log.h"
#include "storage/segment_scan.h"

namespace pyralog::storage {

struct CompactionReport {
  CompactionCounts counts;
  Offset end;                     ///< compaction has come up to here
  std::uint64_t bytes_read = 0;   ///< those read to learn keys, and those read to be written anew
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_before = 0, bytes_after = 0;  ///< of the log
  std::size_t segments_before = 0, segments_after = 0;
  std::uint32_t passes = 0;       ///< more than one where the keys did not fit into memory
};

/// One compaction of one log (compaction.h says what stays): sealed segments are read, written anew side by side with the old
/// ones, and swapped a group at a time, oldest first, so that no tombstone is ever gone before what it deletes. Appends,
/// reads, retention and deletions go on meanwhile; what takes segments away only ends it early. Begins again where it
/// stopped.
class LogCompaction {
 public:
  struct Options {
    std::uint64_t map_bytes_max = 0;      ///< for keys; several passes if they need more
    std::uint64_t bytes_per_second = 0;   ///< read and written; 0: no bound
    std::function<bool()> cancelled;      ///< asked often; empty: never
  };

  /// The log outlives it; `abort` ends its waits.
  LogCompaction(PartitionLog& log, Options options, io::AbortSource& abort);

  /// kAborted: cancelled, or the log changed beneath it; kNoSpace; kCorrupt, with the segment's name; those of the store.
  /// What has been swapped by then stays.
  io::Task<Result<>> run(WallTime now);

  const CompactionReport& report() const noexcept { return report_; }

 private:
  static constexpr std::uint64_t kPaceBytes = 256u << 10;

  /// Neighbouring segments that become one.
  struct Group {
    std::vector<Segment> sources;
    Offset end;
  };
  /// A group's new segment, while it comes about.
  struct Output;

  std::vector<Segment> segments_below(Offset end) const;
  std::vector<Group> groups_below(Offset end) const;
  io::Task<Result<Offset>> note_all(KeyMap& keys, Offset from, Offset end);
  io::Task<Result<>> rewrite_all(CompactionPass& pass, Offset end);
  io::Task<Result<>> rewrite(CompactionPass& pass, Group group);
  io::Task<Result<>> rewrite_source(CompactionPass& pass, const Segment& source, Output& output);
  io::Task<Result<>> copy_prefix(SegmentScan& scan, Output& output);
  io::Task<Result<>> swap(const Group& group, Output& output);
  bool is_unchanged(const Group& group) const;
  io::Task<Result<SegmentScan>> open(const Segment& segment);
  Error in_segment(const Segment& segment, const Error& error) const;
  io::Task<Result<>> pace(std::uint64_t bytes);

  PartitionLog& log_;
  Options options_;
  io::AbortSource& abort_;
  CompactionReport report_;
  std::uint64_t unpaced_bytes_ = 0;
  MonotonicTime due_{};
};

}  // namespace pyralog::storage
