#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/commands.h"
#include "cluster/settings.h"
#include "core/assert.h"
#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"

/// How commands and snapshots are made of primitives: little-endian integers; text as its length in 16 bits and its
/// bytes; lists as a count and their elements (`format.md`).
namespace pyralog::cluster {

class ByteWriter {
 public:
  template <std::integral T>
  void integer(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    store_little(bytes_.data() + at, value);
  }
  void text(std::string_view value);
  void uuid(const Uuid& value);
  void settings(std::span<const Setting> settings);
  void changes(std::span<const SettingChange> changes);
  void replicas(std::span<const NodeId> replicas);

  /// Overwrites an integer written before.
  template <std::integral T>
  void patch(std::size_t at, T value) {
    PYRALOG_ASSERT(at + sizeof value <= bytes_.size(), "patch beyond the end");
    store_little(bytes_.data() + at, value);
  }
  std::size_t size() const noexcept { return bytes_.size(); }
  ByteView view() const noexcept { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what ByteWriter wrote, from bytes that may be anything. The first failure sticks: later reads give zeros and
/// empty lists, so callers check once, with `finish`. Counts are checked against the bytes left before memory is taken.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : left_(bytes) {}

  template <std::integral T>
  T integer() {
    if (!has(sizeof(T))) return T{};
    const T value = load_little<T>(left_.data());
    left_ = left_.subspan(sizeof(T));
    return value;
  }
  std::string text();
  Uuid uuid();
  std::vector<Setting> settings();
  std::vector<SettingChange> changes();
  std::vector<NodeId> replicas();  ///< at least one
  /// A 32-bit count of elements of at least `element_bytes_min` bytes each.
  std::size_t count(std::size_t element_bytes_min);

  void fail(ErrorCode code, std::string_view why);
  bool failed() const noexcept { return why_.data() != nullptr; }
  /// Ok if all was well and nothing is left over.
  Result<> finish();

 private:
  bool has(std::size_t bytes);
  std::size_t settings_count(std::size_t element_bytes_min);

  ByteView left_;
  ErrorCode code_{};
  std::string_view why_;
};

inline constexpr std::size_t kPlacementBytesMin = 2 + 4;  // a count of replicas and one of them

}  // namespace pyralog::cluster
