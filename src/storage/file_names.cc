#include "storage/file_names.h"

#include <charconv>
#include <array>

#include "storage/log_format.h"

namespace pyralog::storage {
namespace {

constexpr std::array<std::pair<FileKind, std::string_view>, 5> kSuffixes{{
    {FileKind::kLog, log_format::kLogSuffix},
    {FileKind::kIndex, log_format::kIndexSuffix},
    {FileKind::kTimeIndex, log_format::kTimeIndexSuffix},
    {FileKind::kSnapshot, log_format::kSnapshotSuffix},
    {FileKind::kCompacting, log_format::kCompactingSuffix},
}};

std::string_view suffix_of(FileKind kind) noexcept { return kSuffixes[static_cast<std::size_t>(kind)].second; }

}  // namespace

std::string file_path(std::string_view directory, Offset offset, FileKind kind, Edition edition) {
  std::array<char, log_format::kNameDigits> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), offset.value);
  const auto count = static_cast<std::size_t>(written.ptr - digits.data());
  const std::string_view suffix = suffix_of(kind);
  std::string path;
  path.reserve(directory.size() + 1 + log_format::kNameDigits + suffix.size());
  path.append(directory).append(1, '/').append(log_format::kNameDigits - count, '0').append(digits.data(), count);
  if (edition != 0) path.append(1, '-').append(std::to_string(edition));
  return path.append(suffix);
}

std::optional<FileName> parse_file_name(std::string_view name) {
  if (name.size() < log_format::kNameDigits) return std::nullopt;
  const std::string_view digits = name.substr(0, log_format::kNameDigits);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::int64_t offset = 0;
  const auto read = std::from_chars(digits.begin(), digits.end(), offset);
  if (read.ec != std::errc() || read.ptr != digits.end()) return std::nullopt;
  std::string_view rest = name.substr(log_format::kNameDigits);
  Edition edition = 0;
  if (rest.starts_with('-')) {
    // One name for each file: no other spelling of its edition.
    if (rest.size() < 2 || rest[1] < '1' || rest[1] > '9') return std::nullopt;
    const auto number = std::from_chars(rest.begin() + 1, rest.end(), edition);
    if (number.ec != std::errc()) return std::nullopt;
    rest = rest.substr(static_cast<std::size_t>(number.ptr - rest.begin()));
  }
  for (const auto& [kind, suffix] : kSuffixes) {
    if (rest != suffix) continue;
    const bool has_editions = kind != FileKind::kSnapshot;
    return edition == 0 || has_editions ? std::optional(FileName{Offset(offset), kind, edition}) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace pyralog::storage
