#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace pyralog::storage {

/// The kinds of files in a partition's directory (log_format.h).
enum class FileKind : std::uint8_t { kLog, kIndex, kTimeIndex, kSnapshot };

/// "<directory>/<offset, 20 digits><suffix>".
std::string file_path(std::string_view directory, Offset offset, FileKind kind);

struct FileName {
  Offset offset;
  FileKind kind;
  friend bool operator==(const FileName&, const FileName&) = default;
};

/// What a name (without directory) says; nothing if no file of ours is called that.
std::optional<FileName> parse_file_name(std::string_view name);

}  // namespace pyralog::storage
