#pragma once

#include <map>
#include <vector>

#include "core/random.h"
#include "record/batch_view.h"
#include "storage/compacted_segment.h"
#include "storage/crash_model.h"

/// Compaction as the store sees it, for the crash simulation: which batches stay is a matter of chance.
namespace pyralog::storage::crash {

/// A run of a partition's sealed segments that becomes one.
class Recompaction {
 public:
  /// The partition has sealed segments.
  Recompaction(Random& random, const PartitionFiles& partition) : random_(random) {
    const auto segments = partition.segments();
    first_ = random_.below(segments.size() - 1);
    const std::size_t count = random_.between(1, segments.size() - 1 - first_);
    const auto from = segments.begin() + static_cast<std::ptrdiff_t>(first_);
    sources_.assign(from, from + static_cast<std::ptrdiff_t>(count));
    end_ = segments[first_ + count].base;
  }

  SegmentName name() const { return {sources_.front().base, sources_.front().edition + 1}; }
  Offset end() const noexcept { return end_; }
  std::size_t count() const noexcept { return sources_.size(); }

  /// Takes some batches out of what a model has of the segments, and makes these one; returns its bytes.
  Bytes choose(std::map<Offset, Bytes>& segments) {
    Bytes kept;
    for (const Segment& source : sources_) {
      const auto found = segments.find(source.base);
      if (found == segments.end()) continue;
      keep_some(found->second, kept);
      segments.erase(found);
    }
    if (!kept.empty()) segments[sources_.front().base] = kept;
    return kept;
  }

  io::Task<Result<std::vector<Segment>>> write(CompactedSegment& output, ByteView bytes) {
    PYRALOG_CO_TRY(co_await output.begin());
    PYRALOG_CO_TRY(co_await output.append(bytes));
    PYRALOG_CO_ASSIGN(const Segment written, co_await output.finish());
    std::vector<Segment> replacements{written};
    if (bytes.empty() && first_ > 0) replacements.clear();
    co_return replacements;
  }

 private:
  void keep_some(const Bytes& segment, Bytes& kept) {
    const std::uint64_t share = random_.below(3);
    for (std::size_t at = 0; at < segment.size();) {
      const std::size_t bytes = record::BatchHeader::parse(ByteView(segment).subspan(at)).value().batch_bytes();
      const auto begin = segment.begin() + static_cast<std::ptrdiff_t>(at);
      if (random_.chance(share, 2)) kept.insert(kept.end(), begin, begin + static_cast<std::ptrdiff_t>(bytes));
      at += bytes;
    }
  }

  Random& random_;
  std::vector<Segment> sources_;
  std::size_t first_ = 0;
  Offset end_;
};

}  // namespace pyralog::storage::crash
