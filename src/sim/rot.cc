#include "sim/rot.h"

#include <algorithm>

#include "server/group_service.h"
#include "sim/plan.h"

namespace pyralog::sim {
namespace {

constexpr std::uint64_t kAroundBytes = 16;  // enough to tell a place that was rewritten from a rotten one

/// Compaction moves records, and with them what flipped: then nothing could bring the bits back.
bool is_rewritten(const std::string& path) {
  return path.find("/logs/" + std::string(kKeyedLogPrefix)) != std::string::npos ||
         path.find("/logs/" + std::string(server::kGroupLogName)) != std::string::npos;
}

std::string_view directory_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

}  // namespace

std::vector<std::byte> Rot::look_around(const io::VirtualDisk& disk, const Spot& spot) {
  if (!disk.has(spot.path)) return {};
  const std::vector<std::byte> file = disk.contents(spot.path);
  // Up to the byte itself: what follows may still grow.
  const std::uint64_t end = std::min<std::uint64_t>(file.size(), spot.bit / 8 + 1);
  const std::uint64_t begin = end - std::min(end, kAroundBytes);
  return {file.begin() + static_cast<std::ptrdiff_t>(begin), file.begin() + static_cast<std::ptrdiff_t>(end)};
}

bool Rot::strike(io::VirtualDisk& disk, std::uint64_t detail) {
  std::vector<std::string> paths = disk.files();
  std::erase_if(paths, [&](const std::string& path) {
    return !path.ends_with(".log") || path.find("/logs/") == std::string::npos || disk.contents(path).empty() ||
           is_rewritten(path);
  });
  if (paths.empty()) return false;
  Spot spot{.path = paths[detail % paths.size()], .around = {}};
  spot.bit = detail / paths.size() % (disk.contents(spot.path).size() * 8);
  disk.flip_bit(spot.path, spot.bit);
  spot.around = look_around(disk, spot);
  spots_.push_back(std::move(spot));
  return true;
}

void Rot::heal(io::VirtualDisk& disk) const {
  // The newest first: two of them may lie side by side.
  for (auto spot = spots_.rbegin(); spot != spots_.rend(); ++spot) {
    if (!spot->around.empty() && look_around(disk, *spot) == spot->around) disk.flip_bit(spot->path, spot->bit);
  }
}

bool Rot::has_hit(const LogId& log, PartitionIndex partition) const {
  return has_hit("~" + log.to_string() + "/" + std::to_string(partition.value));
}

bool Rot::has_hit(std::string_view directory) const {
  return std::ranges::any_of(spots_, [&](const Spot& spot) { return directory_of(spot.path).ends_with(directory); });
}

bool Rot::is_named_by(const Error& error) const {
  const std::string text = error.to_string();
  return std::ranges::any_of(spots_, [&](const Spot& spot) {
    return text.find(directory_of(spot.path)) != std::string::npos;
  });
}

}  // namespace pyralog::sim
