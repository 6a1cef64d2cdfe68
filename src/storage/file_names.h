#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace pyralog::storage {

/// The kinds of files in a partition's directory (log_format.h).
enum class FileKind : std::uint8_t { kLog, kIndex, kTimeIndex, kSnapshot, kCompacting };

/// Which of the files with a segment's base: how often compaction has written it anew.
using Edition = std::uint32_t;

/// A segment's files.
struct SegmentName {
  Offset base;
  Edition edition = 0;
  friend constexpr auto operator<=>(const SegmentName&, const SegmentName&) = default;
};

/// "<directory>/<offset, 20 digits><suffix>", with "-<edition>" before the suffix if that is not 0.
std::string file_path(std::string_view directory, Offset offset, FileKind kind, Edition edition = 0);

struct FileName {
  Offset offset;
  FileKind kind;
  Edition edition = 0;
  friend bool operator==(const FileName&, const FileName&) = default;
};

/// What a name (without directory) says; nothing if no file of ours is called that.
std::optional<FileName> parse_file_name(std::string_view name);

}  // namespace pyralog::storage
