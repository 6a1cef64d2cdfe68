#pragma once

#include <cstdint>

#include "core/ids.h"

namespace pyralog {

/// Seeded pseudo-random numbers (SplitMix64, Steele et al. 2014): the same seed gives the same sequence on every
/// machine. Passed in explicitly; not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(next()) * bound >> 64);
  }

  /// Uniform in [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept { return low + below(high - low + 1); }

  /// True with probability numerator / denominator.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) noexcept { return below(denominator) < numerator; }

  /// An independent generator, so that one consumer's draws do not shift another's.
  Random fork() noexcept { return Random(next()); }

  Uuid uuid() noexcept;

 private:
  std::uint64_t state_;
};

}  // namespace pyralog
