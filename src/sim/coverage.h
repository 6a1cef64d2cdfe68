#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace pyralog::sim {

/// What really happened in runs, fault by fault and path by path: a kind that never fires in many seeds is a hole in the
/// simulation, and fails it.
enum class Happened : std::uint8_t {
#define PYRALOG_HAPPENED(name, text) name,
#include "sim/happened.def"
#undef PYRALOG_HAPPENED
};
inline constexpr std::string_view kHappenedText[] = {
#define PYRALOG_HAPPENED(name, text) text,
#include "sim/happened.def"
#undef PYRALOG_HAPPENED
};
inline constexpr std::size_t kHappenedKinds = std::size(kHappenedText);
/// In so many seeds everything happens.
inline constexpr std::uint64_t kSeedsThatReachAll = 200;

class Coverage {
 public:
  void add(Happened kind, std::uint64_t count = 1) noexcept { counts_[static_cast<std::size_t>(kind)] += count; }
  std::uint64_t count(std::size_t kind) const noexcept { return counts_[kind]; }

 private:
  std::array<std::uint64_t, kHappenedKinds> counts_{};
};

}  // namespace pyralog::sim
