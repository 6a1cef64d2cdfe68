#include "cli/file_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "cli/known_bounds.h"
#include "cli/session.h"
#include "io/reactor.h"
#include "storage/log_check.h"
#include "storage/log_dump.h"

namespace pyralog::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kLevelsBelowDataDirectory = 3;  // logs, a log, a partition

bool is_partition_name(const std::string& name) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() && number >= 0;
}

Result<std::vector<fs::path>> subdirectories(const fs::path& path) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator entries(path, error), end; !error && entries != end; entries.increment(error)) {
    if (entries->is_directory(error)) found.push_back(entries->path());
  }
  if (error) return Error(ErrorCode::kIo, path.string() + ": " + error.message());
  std::ranges::sort(found);
  return found;
}

bool has_file(const fs::path& directory, std::string_view name) {
  std::error_code ignored;
  return fs::exists(directory / name, ignored);
}

/// The data directory that `path` is or lies in; empty if it lies in none.
std::string data_directory_of(const std::string& path) {
  std::error_code error;
  fs::path above = fs::canonical(path, error);
  for (int level = 0; level <= kLevelsBelowDataDirectory && !error; ++level, above = above.parent_path()) {
    if (has_file(above, "node.toml")) return above.string();
  }
  return "";
}

/// Data directories, locked so that no node writes there meanwhile, and what is known of the logs in them.
struct OwnedNode {
  std::unique_ptr<server::NodeDirectory> directory;
  std::map<std::string, storage::LogBounds> bounds;
};

io::Task<Result<std::map<std::string, OwnedNode>>> own_nodes(std::vector<std::string> paths) {
  io::Reactor& reactor = io::Reactor::current();
  std::map<std::string, OwnedNode> nodes;
  for (const std::string& path : paths) {
    const std::string directory = data_directory_of(path);
    if (directory.empty() || nodes.contains(directory)) continue;
    OwnedNode node;
    const std::uint32_t shards = server::recorded_shards(directory).value_or(0);
    PYRALOG_CO_ASSIGN(node.directory, co_await server::NodeDirectory::open(reactor.disk(), directory, std::nullopt, shards,
                                                                           reactor.random()));
    PYRALOG_CO_ASSIGN(node.bounds, co_await known_bounds(*node.directory));
    nodes.emplace(directory, std::move(node));
  }
  co_return std::move(nodes);
}

std::optional<storage::LogBounds> bounds_of(const std::map<std::string, OwnedNode>& nodes, const std::string& directory) {
  const auto node = nodes.find(data_directory_of(directory));
  if (node == nodes.end()) return std::nullopt;
  std::error_code error;
  const auto bounds = node->second.bounds.find(fs::canonical(directory, error).lexically_relative(node->first).string());
  return error || bounds == node->second.bounds.end() ? std::nullopt : std::optional(bounds->second);
}

void print_findings(const std::string& directory, const storage::LogReport& report) {
  for (const auto& finding : report.problems) {
    fmt::print(stderr, "damaged: {}/{} at byte {}: {}\n", directory, finding.file, finding.position, finding.text);
  }
  for (const auto& finding : report.notes) {
    fmt::print(stderr, "note: {}/{} at byte {}: {}\n", directory, finding.file, finding.position, finding.text);
  }
  if (report.findings_dropped > 0) fmt::print(stderr, "{}: and {} more\n", directory, report.findings_dropped);
}

io::Task<Result<>> check(const CheckFiles& command) {
  PYRALOG_CO_ASSIGN(const auto nodes, co_await own_nodes(command.paths));
  Table table({"directory", "start", "end", "segments", "batches", "records", "bytes", "problems", "notes"});
  std::size_t damaged = 0;
  for (const std::string& path : command.paths) {
    PYRALOG_CO_ASSIGN(const auto directories, partition_directories(path));
    for (const std::string& directory : directories) {
      const auto bounds = bounds_of(nodes, directory);
      PYRALOG_CO_ASSIGN(const storage::LogReport report, co_await storage::check_log(directory, bounds));
      const auto number = [](std::uint64_t count) { return Cell(static_cast<std::int64_t>(count)); };
      table.add({directory, report.start.value, report.end.value, number(report.segments), number(report.batches),
                 number(report.records), number(report.bytes), number(report.problems.size()),
                 number(report.notes.size())});
      print_findings(directory, report);
      damaged += !report.is_sound();
    }
  }
  table.print(command.format);
  if (damaged == 0) co_return Result<>();
  co_return Error(ErrorCode::kCorrupt, fmt::format("{} of the partitions checked", damaged));
}

io::Task<Result<>> dump(const DumpFiles& command) {
  std::vector<std::string> paths{command.path};
  PYRALOG_CO_ASSIGN(const auto nodes, co_await own_nodes(std::move(paths)));
  PYRALOG_CO_ASSIGN(const auto directories, partition_directories(command.path));
  for (const std::string& directory : directories) {
    if (directories.size() > 1) fmt::print("{}\n", directory);
    const storage::DumpOptions options{.begin = Offset(command.begin),
                                       .end = Offset(command.end),
                                       .records = command.records,
                                       .field_bytes_max = command.field_bytes_max};
    auto print = [](std::string_view line) { fmt::print("{}\n", line); };
    PYRALOG_CO_TRY(co_await storage::dump_log(directory, options, std::move(print)));
  }
  co_return Result<>();
}

}  // namespace

Result<std::vector<std::string>> partition_directories(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return Error(ErrorCode::kNotFound, path + " is no directory");
  std::vector<fs::path> logs{fs::path(path)};
  if (has_file(path, "node.toml")) {
    logs.clear();
    if (has_file(path, "logs")) {
      PYRALOG_ASSIGN(logs, subdirectories(fs::path(path) / "logs"));
    }
  }
  std::vector<std::pair<std::int32_t, std::string>> found;
  std::vector<std::string> directories;
  for (const fs::path& log : logs) {
    PYRALOG_ASSIGN(const auto below, subdirectories(log));
    found.clear();
    for (const fs::path& partition : below) {
      const std::string name = partition.filename();
      if (is_partition_name(name)) found.emplace_back(std::stoi(name), partition.string());
    }
    std::ranges::sort(found);
    for (auto& [index, directory] : found) directories.push_back(std::move(directory));
  }
  if (!directories.empty() || has_file(path, "node.toml")) return directories;
  return std::vector<std::string>{path};
}

int check_files(const CheckFiles& command) {
  return run_alone([&](io::RealRuntime&) { return check(command); });
}
int dump_files(const DumpFiles& command) {
  return run_alone([&](io::RealRuntime&) { return dump(command); });
}

}  // namespace pyralog::cli
