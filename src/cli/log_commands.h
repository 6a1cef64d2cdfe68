#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/session.h"
#include "cli/table.h"

namespace pyralog::cli {

struct ListLogs {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
  bool internal = false;  ///< with those that the server keeps for itself
};

struct DescribeLog {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
  std::string name;
  bool all_settings = false;  ///< with those that have their default
};

struct CreateLog {
  SessionOptions session;
  std::string name;
  std::int32_t partitions = -1;  ///< -1: the server's default
  std::int16_t replication = -1;
  std::vector<std::pair<std::string, std::string>> settings;
  bool if_absent = false;
};

struct AlterLog {
  SessionOptions session;
  std::string name;
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> unset;
  std::optional<std::int32_t> partitions;
};

struct DeleteLogs {
  SessionOptions session;
  std::vector<std::string> names;
};

struct DeleteRecords {
  SessionOptions session;
  OutputFormat format = OutputFormat::kTable;
  std::string name;
  std::optional<std::int32_t> partition;  ///< none: all of them
  std::int64_t before = -1;               ///< the first offset to be kept; -1: the end
};

// `pyralog log`. The exit code.
int list_logs(const ListLogs& command);
int describe_log(const DescribeLog& command);
int create_log(const CreateLog& command);
int alter_log(const AlterLog& command);
int delete_logs(const DeleteLogs& command);
int delete_records(const DeleteRecords& command);

}  // namespace pyralog::cli
