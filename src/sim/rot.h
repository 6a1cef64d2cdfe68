#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "io/virtual_disk.h"

namespace pyralog::sim {

/// Bits that flipped in segments of logs: where they are, and their return to what they were.
class Rot {
 public:
  /// Flips a bit; false if no segment has one.
  bool strike(io::VirtualDisk& disk, std::uint64_t detail);
  /// Flips back every bit that is still as it rotted, and not rewritten since.
  void heal(io::VirtualDisk& disk) const;

  /// Whether any file of the partition has ever rotted.
  bool has_hit(const LogId& log, PartitionIndex partition) const;
  bool has_hit(std::string_view directory) const;
  /// Whether an error speaks of a directory in which something has rotted.
  bool is_named_by(const Error& error) const;
  const std::string& newest_path() const { return spots_.back().path; }

 private:
  struct Spot {
    std::string path;
    std::uint64_t bit = 0;
    std::vector<std::byte> around;  // with the bit flipped
  };
  static std::vector<std::byte> look_around(const io::VirtualDisk& disk, const Spot& spot);

  std::vector<Spot> spots_;
};

}  // namespace pyralog::sim
