#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/table.h"
#include "core/result.h"

namespace pyralog::cli {

// `pyralog log check` and `pyralog log dump`: files of a node that does not run. A path is a data directory, a log's
// directory or a partition's. The node's lock is held meanwhile.

struct CheckFiles {
  OutputFormat format = OutputFormat::kTable;
  std::vector<std::string> paths;
};
struct DumpFiles {
  std::string path;
  bool records = false;
  std::int64_t begin = 0;
  std::int64_t end = INT64_MAX;
  std::size_t field_bytes_max = 200;
};

/// Fails (exit code 1) when something is damaged; what, goes to stderr.
int check_files(const CheckFiles& command);
int dump_files(const DumpFiles& command);

/// The partitions' directories below `path`, by name; `path` itself if it is one. kNotFound, kInvalidArgument.
Result<std::vector<std::string>> partition_directories(const std::string& path);

}  // namespace pyralog::cli
