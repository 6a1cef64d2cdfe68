#include "cluster/codec.h"

#include <cstring>

#include "core/limits.h"

namespace pyralog::cluster {
namespace {

constexpr std::size_t kSettingBytesMin = 2 + 2;
constexpr std::size_t kChangeBytesMin = 2 + 1;

}  // namespace

void ByteWriter::text(std::string_view value) {
  PYRALOG_ASSERT(value.size() <= UINT16_MAX, "text too long for its format");
  integer(static_cast<std::uint16_t>(value.size()));
  const ByteView bytes = as_bytes(value);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteWriter::uuid(const Uuid& value) {
  const auto bytes = std::as_bytes(std::span(value.bytes));
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteWriter::settings(std::span<const Setting> settings) {
  integer(static_cast<std::uint32_t>(settings.size()));
  for (const Setting& setting : settings) {
    text(setting.name);
    text(setting.value);
  }
}

void ByteWriter::changes(std::span<const SettingChange> changes) {
  integer(static_cast<std::uint32_t>(changes.size()));
  for (const SettingChange& change : changes) {
    text(change.name);
    integer(static_cast<std::uint8_t>(change.value.has_value()));
    if (change.value.has_value()) text(*change.value);
  }
}

void ByteWriter::replicas(std::span<const NodeId> replicas) {
  PYRALOG_ASSERT(!replicas.empty() && replicas.size() <= UINT16_MAX, "count of replicas does not fit its format");
  integer(static_cast<std::uint16_t>(replicas.size()));
  for (const NodeId node : replicas) integer(node.value);
}

bool ByteReader::has(std::size_t bytes) {
  if (failed()) return false;
  if (left_.size() >= bytes) return true;
  fail(ErrorCode::kTruncated, "ends in the middle of a field");
  return false;
}

void ByteReader::fail(ErrorCode code, std::string_view why) {
  if (failed()) return;
  code_ = code;
  why_ = why;
  left_ = {};
}

Result<> ByteReader::finish() {
  if (!failed() && !left_.empty()) fail(ErrorCode::kCorrupt, "bytes are left over at the end");
  if (failed()) return Error(code_, std::string(why_));
  return {};
}

std::size_t ByteReader::count(std::size_t element_bytes_min) {
  const auto count = integer<std::uint32_t>();
  if (count > left_.size() / element_bytes_min) {
    fail(ErrorCode::kTruncated, "a list is longer than the bytes left");
    return 0;
  }
  return count;
}

std::size_t ByteReader::settings_count(std::size_t element_bytes_min) {
  const std::size_t settings = count(element_bytes_min);
  if (settings <= limits::kSettingsPerResourceMax) return settings;
  fail(ErrorCode::kCorrupt, "more settings than a resource can have");
  return 0;
}

std::string ByteReader::text() {
  const auto size = integer<std::uint16_t>();
  if (!has(size)) return {};
  std::string value(as_text(left_.first(size)));
  left_ = left_.subspan(size);
  return value;
}

Uuid ByteReader::uuid() {
  Uuid value;
  if (!has(value.bytes.size())) return value;
  std::memcpy(value.bytes.data(), left_.data(), value.bytes.size());
  left_ = left_.subspan(value.bytes.size());
  return value;
}

std::vector<Setting> ByteReader::settings() {
  std::vector<Setting> settings;
  for (std::size_t left = settings_count(kSettingBytesMin); left > 0 && !failed(); --left) {
    Setting& setting = settings.emplace_back();
    setting.name = text();
    setting.value = text();
  }
  return settings;
}

std::vector<SettingChange> ByteReader::changes() {
  std::vector<SettingChange> changes;
  for (std::size_t left = settings_count(kChangeBytesMin); left > 0 && !failed(); --left) {
    SettingChange& change = changes.emplace_back();
    change.name = text();
    const auto has_value = integer<std::uint8_t>();
    if (has_value > 1) fail(ErrorCode::kCorrupt, "a flag is neither 0 nor 1");
    if (has_value == 1) change.value = text();
  }
  return changes;
}

std::vector<NodeId> ByteReader::replicas() {
  const auto count = integer<std::uint16_t>();
  if (!has(count * sizeof(std::int32_t))) return {};
  if (count == 0) fail(ErrorCode::kCorrupt, "a partition has no replicas");
  std::vector<NodeId> replicas;
  replicas.reserve(count);
  for (std::size_t i = 0; i < count; ++i) replicas.emplace_back(integer<std::int32_t>());
  return replicas;
}

}  // namespace pyralog::cluster
