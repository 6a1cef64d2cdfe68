#pragma once

#include <array>
#include <limits>
#include <optional>

#include "protocol/kafka/field.h"
#include "protocol/kafka/reader.h"

/// The reader's walk over field lists. Included only by the .cc files that instantiate a message's codec.
namespace pyralog::protocol::detail {

template <class T>
constexpr std::size_t encoded_bytes_min(ApiVersion version, bool is_flexible);

/// Adds up the fewest bytes that a struct's fields take in a version.
struct MinimumVisitor {
  ApiVersion version;
  bool is_flexible;
  std::size_t bytes = 0;

  template <class T>
  constexpr void operator()(const char*, const FieldSpec& spec, const T&) {
    if (!spec.is_tagged() && spec.exists_in(version)) bytes += encoded_bytes_min<T>(version, is_flexible);
  }
};

template <class T>
constexpr std::size_t encoded_bytes_min(ApiVersion version, bool is_flexible) {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return sizeof(T);
  } else if constexpr (WrappedInteger<T>) {
    return sizeof(typename T::rep);
  } else if constexpr (std::is_same_v<T, Uuid> || std::is_same_v<T, LogId>) {
    return sizeof(Uuid);
  } else if constexpr (std::is_same_v<T, std::string_view> || std::is_same_v<T, std::optional<std::string_view>>) {
    return is_flexible ? 1 : 2;
  } else if constexpr (std::is_same_v<T, Bytes> || std::is_same_v<T, Records> || kIsArray<T> || kIsOptionalArray<T>) {
    return is_flexible ? 1 : 4;
  } else if constexpr (kIsOptional<T>) {
    return 1;
  } else {
    MinimumVisitor visit{version, is_flexible};
    T::fields(visit, kDefaultOf<T>);
    return visit.bytes + (is_flexible ? 1 : 0);
  }
}

/// encoded_bytes_min for versions 0 … kTableVersions - 1, so that an array costs one look-up.
inline constexpr std::size_t kTableVersions = 24;
template <class T>
inline constexpr auto kMinimumTable = [] {
  std::array<std::array<std::uint16_t, kTableVersions>, 2> table{};
  for (std::size_t version = 0; version < kTableVersions; ++version) {
    for (bool is_flexible : {false, true}) {
      table[is_flexible ? 1 : 0][version] = static_cast<std::uint16_t>(
          encoded_bytes_min<T>(ApiVersion(static_cast<std::int16_t>(version)), is_flexible));
    }
  }
  return table;
}();

template <WireStruct T>
void read_struct(Reader& reader, T& into);

template <class T>
void read_array(Reader& reader, std::int64_t count, ArrayView<T>& into);

template <class Element>
std::int64_t read_count(Reader& reader) {
  const auto version = static_cast<std::size_t>(reader.version().value);
  return reader.array_count(kMinimumTable<Element>[reader.is_flexible() ? 1 : 0][version]);
}

/// Reads a value whose null, if its type has one, is legal if `is_nullable`.
template <class T>
void read_value(Reader& reader, bool is_nullable, T& into) {
  if constexpr (std::is_same_v<T, bool>) {
    into = reader.boolean();
  } else if constexpr (std::is_integral_v<T>) {
    into = reader.integer<T>();
  } else if constexpr (std::is_enum_v<T>) {
    into = static_cast<T>(reader.integer<std::underlying_type_t<T>>());
  } else if constexpr (WrappedInteger<T>) {
    into = T(reader.integer<typename T::rep>());
  } else if constexpr (std::is_same_v<T, Uuid>) {
    into = reader.uuid();
  } else if constexpr (std::is_same_v<T, LogId>) {
    into.uuid = reader.uuid();
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    into = reader.string();
  } else if constexpr (std::is_same_v<T, std::optional<std::string_view>>) {
    into = is_nullable ? reader.nullable_string() : std::optional(reader.string());
  } else if constexpr (std::is_same_v<T, Bytes>) {
    into.view = reader.bytes();
  } else if constexpr (std::is_same_v<T, Records>) {
    const std::optional<ByteView> bytes = reader.nullable_bytes();
    into = bytes ? Records(*bytes) : Records();
    if (!bytes && !is_nullable) reader.fail("null where records are required");
  } else if constexpr (kIsArray<T>) {
    const std::int64_t count = read_count<typename T::value_type>(reader);
    if (count < 0) reader.fail("null where an array is required");
    read_array(reader, count, into);
  } else if constexpr (kIsOptionalArray<T>) {
    const std::int64_t count = read_count<typename T::value_type::value_type>(reader);
    if (count < 0 && !is_nullable) reader.fail("null where an array is required");
    if (count < 0) {
      into.reset();
    } else {
      read_array(reader, count, into.emplace());
    }
  } else if constexpr (kIsOptional<T>) {
    if (reader.integer<std::int8_t>() < 0) {
      if (!is_nullable) reader.fail("null where a struct is required");
      into.reset();
    } else {
      read_struct(reader, into.emplace());
    }
  } else {
    read_struct(reader, into);
  }
}

template <class T>
void read_array(Reader& reader, std::int64_t count, ArrayView<T>& into) {
  into = {};
  if (count <= 0) return;
  const std::span<T> items = reader.elements<T>(static_cast<std::size_t>(count));
  for (T& item : items) {
    if (reader.failed()) return;
    read_value(reader, false, item);
  }
  into = items;
}

struct ReadVisitor {
  Reader& reader;

  template <class T>
  void operator()(const char*, const FieldSpec& spec, T& field) {
    if (spec.is_tagged() || !spec.exists_in(reader.version())) return;
    read_value(reader, spec.is_nullable_in(reader.version()), field);
  }
};

/// Reads the one field that carries `tag`, if the version has it.
struct ReadTaggedVisitor {
  Reader& reader;
  std::uint32_t tag;
  bool is_known = false;

  template <class T>
  void operator()(const char*, const FieldSpec& spec, T& field) {
    if (!spec.is_tagged() || static_cast<std::uint32_t>(spec.tag) != tag || !spec.exists_in(reader.version())) return;
    is_known = true;
    read_value(reader, spec.is_nullable_in(reader.version()), field);
  }
};

template <WireStruct T>
void read_struct(Reader& reader, T& into) {
  ReadVisitor visit{reader};
  T::fields(visit, into);
  if (!reader.is_flexible()) return;
  reader.tagged_fields([&](std::uint32_t tag) {
    ReadTaggedVisitor visit_tagged{reader, tag};
    T::fields(visit_tagged, into);
    return visit_tagged.is_known;
  });
}

}  // namespace pyralog::protocol::detail
