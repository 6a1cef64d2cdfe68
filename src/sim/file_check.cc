#include "sim/file_check.h"

#include <set>

#include "record/batch_splitter.h"
#include "storage/file_names.h"
#include "storage/log_check.h"

namespace pyralog::sim {
namespace {

constexpr std::uint64_t kRotPerHundred = 30;

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// Where a batch lies.
struct Place {
  std::string path;
  std::uint64_t position = 0, bytes = 0;
};

/// All batches of a partition, in order, up to where it ends. Files may hold more than their segment.
std::vector<Place> list_batches(const io::VirtualDisk& disk, const std::string& directory, Offset begin, Offset end) {
  std::vector<Place> places;
  Offset next = begin;
  for (const std::string& path : disk.files()) {
    if (!path.starts_with(directory + "/") || !path.ends_with(".log")) continue;
    const std::vector<std::byte> file = disk.contents(path);
    const auto name = storage::parse_file_name(path.substr(directory.size() + 1));
    if (!name.has_value() || name->offset != next) continue;
    record::BatchSplitter batches(file);
    for (std::uint64_t position = 0;; position = batches.position()) {
      const auto batch = batches.next();
      if (!batch.ok() || !batch->has_value() || (*batch)->base_offset() != next || next == end) break;
      if (position > 0 && disk.has(storage::file_path(directory, next, storage::FileKind::kLog))) break;
      next = (*batch)->end_offset();
      places.push_back({.path = path, .position = position, .bytes = (*batch)->batch_bytes()});
    }
  }
  return places;
}

/// A bit that a check has to notice: not one of the leader's epoch, which no checksum covers.
std::uint64_t pick_bit(const Place& place, Random& random) {
  for (;;) {
    const std::uint64_t bit = random.below(place.bytes * 8), at = bit / 8;
    if (at < record::format::kLeaderEpochAt || at >= record::format::kLeaderEpochAt + sizeof(std::int32_t)) {
      return place.position * 8 + bit;
    }
  }
}

io::Task<Result<>> check_rotten(Stage& stage, io::VirtualDisk& copy, std::string directory, storage::LogReport sound,
                                Random& random) {
  const Offset end = sound.end;
  const std::vector<Place> places = list_batches(copy, directory, sound.start, end);
  if (places.empty()) co_return Result<>();
  const Place& place = places[random.below(places.size())];
  const std::uint64_t bit = pick_bit(place, random);
  copy.flip_bit(place.path, bit);
  const storage::LogBounds bounds{.end = end, .end_position = places.back().position + places.back().bytes};
  PYRALOG_CO_ASSIGN(const storage::LogReport report, co_await storage::check_log(directory, bounds));
  const std::string name = place.path.substr(directory.size() + 1);
  for (const storage::LogFinding& finding : report.problems) {
    if (finding.file == name) co_return stage.coverage.add(Happened::kRotNamed), Result<>();
  }
  stage.history.violate("bit " + std::to_string(bit - place.position * 8) + " of the batch at byte " +
                        std::to_string(place.position) + " of " + place.path + " is flipped; the check of the files finds " +
                        (report.is_sound() ? "nothing" : report.problems.front().file + ": " + report.problems.front().text));
  co_return Result<>();
}

io::Task<Result<>> check_partition(Stage& stage, io::VirtualDisk& copy, std::string directory, Random& random) {
  PYRALOG_CO_ASSIGN(const storage::LogReport report, co_await storage::check_log(directory, std::nullopt));
  for (const storage::LogFinding& finding : report.problems) {
    // An index that was made of a rotten header tells of that, also after the header is what it was.
    if (!finding.file.ends_with(".log") && stage.rot.has_hit(directory)) continue;
    co_return stage.history.violate("the check of the files: " + directory + "/" + finding.file + " at byte " +
                                    std::to_string(finding.position) + ": " + finding.text),
        Result<>();
  }
  // What is looked for below lies side by side.
  const bool is_compacted = directory.find("/logs/" + std::string(kKeyedLogPrefix)) != std::string::npos;
  if (!is_compacted && random.below(100) < kRotPerHundred) {
    co_return co_await check_rotten(stage, copy, directory, report, random);
  }
  co_return Result<>();
}

}  // namespace

void copy_logs(History& history, const io::VirtualDisk& from, io::VirtualDisk& to) {
  for (std::size_t i = 0; i < history.log_count(); ++i) {
    if (history.log(i).fate != Fate::kThere) continue;
    const std::string directory = "~" + history.log(i).id.to_string() + "/";
    for (const std::string& path : from.files()) {
      if (path.find(directory) != std::string::npos) to.overwrite(path, 0, from.contents(path));
    }
  }
}

io::Task<> check_all_files(Stage& stage, io::VirtualDisk& copy, std::uint64_t seed) {
  Random random(seed);
  std::set<std::string> directories;
  for (const std::string& path : copy.files()) directories.insert(directory_of(path));
  for (const std::string& directory : directories) {
    if (stage.history.violation().has_value()) co_return;
    const Result<> checked = co_await check_partition(stage, copy, directory, random);
    if (!checked.ok()) stage.history.violate("the check of " + directory + " fails: " + checked.error().to_string());
  }
}

}  // namespace pyralog::sim
