#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace pyralog {

/// Counts of durations in buckets that grow by a quarter power of two (relative error <= 25 %), from 1 µs to about 134 s.
/// Fixed size (under 1 KiB), one writer; shards are merged when somebody looks.
class LatencyHistogram {
 public:
  static constexpr std::size_t kSubBucketsLog2 = 2;
  static constexpr std::size_t kBuckets = (27u << kSubBucketsLog2) + 1;

  void record(Duration duration) noexcept {
    const auto us = duration.count() <= 0 ? 0 : static_cast<std::uint64_t>(duration.count()) / 1000;
    ++counts_[bucket_of(us)];
    ++count_;
    sum_us_ += us;
    if (us > max_us_) max_us_ = us;
  }

  void merge(const LatencyHistogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_us_ += other.sum_us_;
    if (other.max_us_ > max_us_) max_us_ = other.max_us_;
  }

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t sum_us() const noexcept { return sum_us_; }
  std::uint64_t max_us() const noexcept { return max_us_; }
  std::uint64_t bucket_count(std::size_t bucket) const noexcept { return counts_[bucket]; }

  /// Exclusive upper bound of a bucket; the last bucket has none.
  static constexpr std::uint64_t bucket_end_us(std::size_t bucket) noexcept {
    if (bucket < kSubBuckets) return bucket + 1;
    const std::size_t exponent = (bucket >> kSubBucketsLog2) - 1;
    const std::uint64_t mantissa = (bucket & (kSubBuckets - 1)) + kSubBuckets;
    return (mantissa + 1) << exponent;
  }

  static constexpr std::size_t bucket_of(std::uint64_t us) noexcept {
    if (us < kSubBuckets) return us;
    const std::size_t exponent = static_cast<std::size_t>(std::bit_width(us)) - 1 - kSubBucketsLog2;
    const std::size_t bucket = ((exponent + 1) << kSubBucketsLog2) + ((us >> exponent) & (kSubBuckets - 1));
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }

  /// The end of the bucket (or the maximum, if that is less) that holds the recorded value of rank `fraction` (0..1) in
  /// ascending order; 0 when nothing is recorded.
  std::uint64_t percentile_us(double fraction) const noexcept {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets && count_ > 0; ++i) {
      seen += counts_[i];
      if (static_cast<double>(seen) > fraction * static_cast<double>(count_) || seen == count_) {
        const std::uint64_t end = bucket_end_us(i);
        return i + 1 == kBuckets || end > max_us_ ? max_us_ : end;
      }
    }
    return 0;
  }

 private:
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBucketsLog2;

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_us_ = 0;
  std::uint64_t max_us_ = 0;
};

}  // namespace pyralog
