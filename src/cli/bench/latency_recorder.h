#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "core/time.h"

namespace pyralog::cli {

/// Counts of durations in buckets narrow enough for published percentiles: relative error below 1/128, from 1 ns to 73
/// minutes (longer ones count as that). 36 KiB.
class LatencyRecorder {
 public:
  void record(Duration duration) noexcept {
    const std::uint64_t ns = duration.count() <= 0 ? 0 : std::min(static_cast<std::uint64_t>(duration.count()), kNsMax);
    ++counts_[bucket_of(ns)];
    ++count_;
    sum_ns_ += ns;
    max_ns_ = std::max(max_ns_, ns);
  }

  void merge(const LatencyRecorder& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ns_ += other.sum_ns_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  std::uint64_t count() const noexcept { return count_; }
  Duration max() const noexcept { return Duration(max_ns_); }
  Duration mean() const noexcept { return Duration(count_ == 0 ? 0 : sum_ns_ / count_); }

  /// The largest value that shares a bucket with the recorded value of rank ceil(fraction * count); 0 without values.
  Duration percentile(double fraction) const noexcept {
    const auto rank = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_) - kRankSlack)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets && count_ > 0; ++i) {
      seen += counts_[i];
      if (seen >= rank) return Duration(std::min(bucket_last_ns(i), max_ns_));
    }
    return Duration(max_ns_);
  }

 private:
  static constexpr unsigned kSubBucketsLog2 = 7;
  static constexpr unsigned kExactBits = kSubBucketsLog2 + 1;  // values below 2^8 have a bucket each
  static constexpr unsigned kBitsMax = 42;
  static constexpr std::uint64_t kNsMax = (std::uint64_t{1} << kBitsMax) - 1;
  static constexpr std::size_t kBuckets = (kBitsMax - kExactBits + 2) << kSubBucketsLog2;
  static constexpr double kRankSlack = 1e-9;  // 0.999 * 1000 is a little more than 999 in binary

  static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
    const unsigned width = static_cast<unsigned>(std::bit_width(ns));
    const unsigned exponent = width > kExactBits ? width - kExactBits : 0;
    return (std::size_t{exponent} << kSubBucketsLog2) + (ns >> exponent);
  }
  static constexpr std::uint64_t bucket_last_ns(std::size_t bucket) noexcept {
    if (bucket < (std::size_t{1} << kExactBits)) return bucket;
    const std::size_t exponent = (bucket >> kSubBucketsLog2) - 1;
    const std::uint64_t mantissa = bucket - (exponent << kSubBucketsLog2);
    return ((mantissa + 1) << exponent) - 1;
  }
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace pyralog::cli
