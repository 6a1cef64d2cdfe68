#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/task_scope.h"
#include "storage/store_context.h"

namespace pyralog::storage {

class FileWindow;

/// Reads sealed segments slowly in the background, past the page cache, and checks each batch's checksum, so that rot is
/// found while something can be done about it, not by the reader who needs the record. Tells of damage; changes nothing.
///
/// A pass goes once over all logs of the shard, from a random one on, because a restart begins a new pass: a node that is
/// often restarted must not read the same logs each time. The rate is that of StoreOptions; 0 is off.
class Scrubber {
 public:
  /// How long from the start of a pass to that of the next, at least; and until the first one.
  static constexpr Duration kPassInterval = std::chrono::hours(24);
  static constexpr Duration kFirstDelay = std::chrono::minutes(1);

  explicit Scrubber(StoreContext& context) : context_(context) {}
  Scrubber(const Scrubber&) = delete;

  io::Task<> run(io::TaskScope& scope);

 private:
  struct Target {
    Incarnation incarnation;
    Offset base;
    Edition edition = 0;
    std::uint64_t end = 0;
    std::string path;
  };
  std::vector<Incarnation> begin_pass();
  /// The first sealed segment of the log from offset `from` on whose bytes are all in its file.
  std::optional<Target> next_segment(Incarnation incarnation, Offset from) const;
  /// Whether the file still is what it was: not removed, cut or replaced.
  bool is_current(const Target& target) const;
  io::Task<> scrub(const Target& target, io::TaskScope& scope);
  io::Task<Result<>> check(io::File& file, const Target& target, SegmentDamage& damage, io::TaskScope& scope);
  io::Task<> pace(std::uint64_t bytes, io::TaskScope& scope);

  StoreContext& context_;
  std::uint64_t unpaced_bytes_ = 0;
};

}  // namespace pyralog::storage
