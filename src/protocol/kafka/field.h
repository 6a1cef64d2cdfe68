#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "core/ids.h"
#include "protocol/kafka/values.h"

namespace pyralog::protocol {

/// Version of one API's request and response.
using ApiVersion = StrongId<struct ApiVersionTag, std::int16_t>;

inline constexpr ApiVersion kVersionLatest{std::numeric_limits<std::int16_t>::max()};
inline constexpr ApiVersion kNeverFlexible = kVersionLatest;

/// Versions [first, last], both included.
struct VersionRange {
  ApiVersion first;
  ApiVersion last;

  constexpr VersionRange(std::int16_t from, std::int16_t to) : first(from), last(to) {}
  constexpr bool contains(ApiVersion version) const noexcept { return first <= version && version <= last; }
  friend constexpr bool operator==(const VersionRange&, const VersionRange&) = default;
};

/// What a field list says about a field beside its name, type and default (the member's initialiser). Built as
/// `from(3).to(7).nullable().ignorable()`.
struct FieldSpec {
  VersionRange versions{0, kVersionLatest.value};
  ApiVersion nullable_from = kVersionLatest;  ///< null is legal from this version, while the field exists
  std::int32_t tag = -1;                      ///< >= 0: travels in the tagged section
  bool is_ignorable = false;                  ///< may be dropped silently where the version lacks it

  constexpr FieldSpec to(std::int16_t last) const {
    return with([&](FieldSpec& f) { f.versions.last = ApiVersion(last); });
  }
  constexpr FieldSpec nullable(std::int16_t first = 0) const {
    return with([&](FieldSpec& f) { f.nullable_from = ApiVersion(first); });
  }
  constexpr FieldSpec tagged(std::int32_t number) const { return with([&](FieldSpec& f) { f.tag = number; }); }
  constexpr FieldSpec ignorable() const { return with([&](FieldSpec& f) { f.is_ignorable = true; }); }

  constexpr bool exists_in(ApiVersion version) const noexcept { return versions.contains(version); }
  constexpr bool is_nullable_in(ApiVersion version) const noexcept { return version >= nullable_from; }
  constexpr bool is_tagged() const noexcept { return tag >= 0; }

 private:
  template <class Change>
  constexpr FieldSpec with(Change change) const {
    FieldSpec copy = *this;
    change(copy);
    return copy;
  }
};

/// A field that exists from version `first` on.
constexpr FieldSpec from(std::int16_t first) {
  FieldSpec spec;
  spec.versions.first = ApiVersion(first);
  return spec;
}

/// A message or part of one. `fields(visit, self...)` calls `visit(name, spec, self.member...)` for each field in wire
/// order; with two objects the visitor sees their members in pairs (a value and its default).
template <class T>
concept WireStruct = std::is_class_v<T> && requires { &T::template fields<int, T>; };

template <class T>
inline constexpr bool kIsArray = false;
template <class T>
inline constexpr bool kIsArray<ArrayView<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsOptionalArray = false;
template <class T>
inline constexpr bool kIsOptionalArray<std::optional<ArrayView<T>>> = true;

/// An integer with a meaning (Offset, NodeId, …): on the wire, its `value`.
template <class T>
concept WrappedInteger = std::is_class_v<T> && requires(T id) {
  typename T::rep;
  { id.value } -> std::same_as<typename T::rep&>;
};

/// A default-constructed T, whose members are the defaults of its fields.
template <class T>
inline constexpr T kDefaultOf{};

}  // namespace pyralog::protocol
