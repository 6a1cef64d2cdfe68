#pragma once

#include <string>
#include <vector>

#include "cli/session.h"
#include "cli/table.h"

namespace pyralog::cli {

struct ListGroups {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
};

struct DescribeGroup {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
  std::string name;
};

struct DeleteGroups {
  SessionOptions session;
  std::vector<std::string> names;
};

// `pyralog group`. The exit code.
int list_groups(const ListGroups& command);
int describe_group(const DescribeGroup& command);
int delete_groups(const DeleteGroups& command);

}  // namespace pyralog::cli
