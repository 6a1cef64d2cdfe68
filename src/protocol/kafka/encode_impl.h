#pragma once

#include <optional>

#include "protocol/kafka/field.h"
#include "protocol/kafka/writer.h"

/// The sizer's and the writer's walk over field lists. Included only by the .cc files that instantiate a message's codec.
namespace pyralog::protocol::detail {

template <WireStruct T>
void size_struct(Sizer& sizer, const T& value);
template <WireStruct T>
void write_struct(Writer& writer, const T& value);

template <class T>
void size_value(Sizer& sizer, bool is_nullable, const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    sizer.add(sizeof(T));
  } else if constexpr (WrappedInteger<T>) {
    sizer.add(sizeof(typename T::rep));
  } else if constexpr (std::is_same_v<T, Uuid> || std::is_same_v<T, LogId>) {
    sizer.add(sizeof(Uuid));
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    sizer.string(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    sizer.length(value.view.size());
    sizer.add(value.view.size());
  } else if constexpr (std::is_same_v<T, Records>) {
    if (value.is_null() && !is_nullable) sizer.refuse(ErrorCode::kInvalidArgument, "must not be null");
    sizer.records(value);
  } else if constexpr (kIsArray<T>) {
    sizer.length(value.size());
    for (const auto& item : value) size_value(sizer, false, item);
  } else if constexpr (kIsOptional<T>) {
    using Value = typename T::value_type;
    if constexpr (WireStruct<Value>) sizer.add(1);
    if (value) return size_value(sizer, false, *value);
    if (!is_nullable) sizer.refuse(ErrorCode::kInvalidArgument, "must not be null");
    if constexpr (std::is_same_v<Value, std::string_view>) sizer.null_string();
    if constexpr (kIsArray<Value>) sizer.null_length();
  } else {
    size_struct(sizer, value);
  }
}

struct SizeVisitor {
  Sizer& sizer;

  template <class T>
  void operator()(const char* name, const FieldSpec& spec, const T& field, const T& fallback) {
    if (!spec.exists_in(sizer.version())) {
      if (!spec.is_ignorable && !(field == fallback)) [[unlikely]]
        sizer.refuse(ErrorCode::kUnsupportedVersion, "cannot be sent");
    } else if (!spec.is_tagged()) {
      size_value(sizer, spec.is_nullable_in(sizer.version()), field);
    }
    sizer.name_refusal(name);
  }
};

template <class T>
std::size_t tagged_value_bytes(ApiVersion version, const FieldSpec& spec, const T& field) {
  Sizer inner(version, true);
  size_value(inner, spec.is_nullable_in(version), field);
  return inner.size().inline_bytes;
}

/// Counts the tagged fields that differ from their defaults; only those are sent.
struct CountTaggedVisitor {
  ApiVersion version;
  std::uint32_t count = 0;

  template <class T>
  void operator()(const char*, const FieldSpec& spec, const T& field, const T& fallback) {
    if (spec.is_tagged() && spec.exists_in(version) && !(field == fallback)) ++count;
  }
};

struct SizeTaggedVisitor {
  Sizer& sizer;

  template <class T>
  void operator()(const char* name, const FieldSpec& spec, const T& field, const T& fallback) {
    if (!spec.is_tagged() || !spec.exists_in(sizer.version()) || field == fallback) return;
    const std::size_t before = sizer.size().inline_bytes;
    size_value(sizer, spec.is_nullable_in(sizer.version()), field);
    const auto bytes = static_cast<std::uint32_t>(sizer.size().inline_bytes - before);
    sizer.add(varint_bytes(static_cast<std::uint32_t>(spec.tag)) + varint_bytes(bytes));
    sizer.name_refusal(name);
  }
};

template <WireStruct T>
void size_struct(Sizer& sizer, const T& value) {
  SizeVisitor visit{sizer};
  T::fields(visit, value, kDefaultOf<T>);
  if (!sizer.is_flexible()) return;
  CountTaggedVisitor count{sizer.version()};
  T::fields(count, value, kDefaultOf<T>);
  sizer.add(varint_bytes(count.count));
  if (count.count == 0) return;
  SizeTaggedVisitor visit_tagged{sizer};
  T::fields(visit_tagged, value, kDefaultOf<T>);
}

template <class T>
void write_value(Writer& writer, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    writer.integer<std::int8_t>(value ? 1 : 0);
  } else if constexpr (std::is_integral_v<T>) {
    writer.integer(value);
  } else if constexpr (std::is_enum_v<T>) {
    writer.integer(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (WrappedInteger<T>) {
    writer.integer(value.value);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    writer.uuid(value);
  } else if constexpr (std::is_same_v<T, LogId>) {
    writer.uuid(value.uuid);
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    writer.string_length(static_cast<std::int64_t>(value.size()));
    writer.raw(as_bytes(value));
  } else if constexpr (std::is_same_v<T, Bytes>) {
    writer.bytes_length(static_cast<std::int64_t>(value.view.size()));
    writer.raw(value.view);
  } else if constexpr (std::is_same_v<T, Records>) {
    writer.records(value);
  } else if constexpr (kIsArray<T>) {
    writer.bytes_length(static_cast<std::int64_t>(value.size()));
    for (const auto& item : value) write_value(writer, item);
  } else if constexpr (kIsOptional<T>) {
    using Value = typename T::value_type;
    if constexpr (WireStruct<Value>) writer.integer<std::int8_t>(value ? 1 : -1);
    if (value) return write_value(writer, *value);
    if constexpr (std::is_same_v<Value, std::string_view>) writer.string_length(-1);
    if constexpr (kIsArray<Value>) writer.bytes_length(-1);
  } else {
    write_struct(writer, value);
  }
}

struct WriteVisitor {
  Writer& writer;

  template <class T>
  void operator()(const char*, const FieldSpec& spec, const T& field) {
    if (!spec.is_tagged() && spec.exists_in(writer.version())) write_value(writer, field);
  }
};

/// Field lists name tags in ascending order, which is the order they must have on the wire.
struct WriteTaggedVisitor {
  Writer& writer;

  template <class T>
  void operator()(const char*, const FieldSpec& spec, const T& field, const T& fallback) {
    if (!spec.is_tagged() || !spec.exists_in(writer.version()) || field == fallback) return;
    writer.varint(static_cast<std::uint32_t>(spec.tag));
    writer.varint(static_cast<std::uint32_t>(tagged_value_bytes(writer.version(), spec, field)));
    write_value(writer, field);
  }
};

template <WireStruct T>
void write_struct(Writer& writer, const T& value) {
  WriteVisitor visit{writer};
  T::fields(visit, value);
  if (!writer.is_flexible()) return;
  CountTaggedVisitor count{writer.version()};
  T::fields(count, value, kDefaultOf<T>);
  writer.varint(count.count);
  if (count.count == 0) return;
  WriteTaggedVisitor visit_tagged{writer};
  T::fields(visit_tagged, value, kDefaultOf<T>);
}

}  // namespace pyralog::protocol::detail
