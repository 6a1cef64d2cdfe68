#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "protocol/kafka/error_code.h"
#include "protocol/kafka/every_message.h"

/// Prints the field lists of all messages and the table of error codes as JSON, for `tools/check_kafka_schemas.py`.
namespace pyralog::protocol {
namespace {

template <class T>
std::string type_name() {
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_integral_v<T>) {
    return fmt::format("int{}", 8 * sizeof(T));
  } else if constexpr (std::is_enum_v<T>) {
    return type_name<std::underlying_type_t<T>>();
  } else if constexpr (WrappedInteger<T>) {
    return type_name<typename T::rep>();
  } else if constexpr (std::is_same_v<T, Uuid> || std::is_same_v<T, LogId>) {
    return "uuid";
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return "string";
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return "bytes";
  } else if constexpr (std::is_same_v<T, Records>) {
    return "records";
  } else if constexpr (kIsArray<T>) {
    return "[]" + type_name<typename T::value_type>();
  } else if constexpr (kIsOptional<T>) {
    return type_name<typename T::value_type>();
  } else {
    return "struct";
  }
}

/// What a reader assumes where the field is absent, as JSON.
template <class T>
std::string default_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (WrappedInteger<T>) {
    return std::to_string(value.value);
  } else if constexpr (std::is_same_v<T, Uuid> || std::is_same_v<T, LogId>) {
    return value.is_zero() ? "\"zero\"" : "\"other\"";
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return fmt::format("\"{}\"", value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return value.view.empty() ? "\"\"" : "\"other\"";
  } else if constexpr (kIsArray<T>) {
    return value.empty() ? "[]" : "[\"other\"]";
  } else if constexpr (kIsOptional<T>) {
    return value ? default_value(*value) : "null";
  } else {
    return "null";  // Records; structs have no default of their own.
  }
}

template <class T>
std::string fields_of();

template <class T>
std::string fields_of_element() {
  if constexpr (kIsOptional<T> || kIsArray<T>) {
    return fields_of_element<typename T::value_type>();
  } else if constexpr (WireStruct<T>) {
    return fields_of<T>();
  } else {
    return "[]";
  }
}

struct PrintVisitor {
  std::string text;

  template <class T>
  void operator()(const char* name, const FieldSpec& spec, const T& fallback) {
    constexpr bool kHasNull = kIsOptional<T> || std::is_same_v<T, Records>;
    if (!text.empty()) text += ",\n";
    text += fmt::format(
        R"({{"name":"{}","type":"{}","first":{},"last":{},"nullable_from":{},"has_null":{},"tag":{},"ignorable":{},)"
        R"("default":{},"fields":{}}})",
        name, type_name<T>(), spec.versions.first.value, spec.versions.last.value, spec.nullable_from.value, kHasNull,
        spec.tag, spec.is_ignorable, default_value(fallback), fields_of_element<T>());
  }
};

template <class T>
std::string fields_of() {
  PrintVisitor visit;
  T::fields(visit, kDefaultOf<T>);
  return "[" + visit.text + "]";
}

template <class Message>
std::string message(const char* kind) {
  const Api& api = Message::kApi;
  return fmt::format(R"({{"name":"{}{}","key":{},"first":{},"last":{},"flexible_from":{},"fields":{}}})", api.name, kind,
                     static_cast<std::int16_t>(api.key), api.accepted.first.value, api.accepted.last.value,
                     api.flexible_from.value, fields_of<Message>());
}

std::string dump() {
  std::string messages;
  for_each_api([&]<class Request, class Response>() {
    if (!messages.empty()) messages += ",\n";
    messages += message<Request>("Request") + ",\n" + message<Response>("Response");
  });
  std::string errors;
  for (int code = -32768; code <= 32767; ++code) {
    const std::string_view name = kafka_error_name(static_cast<KafkaError>(code));
    if (name == "UNKNOWN") continue;
    errors += fmt::format("{}\"{}\":\"{}\"", errors.empty() ? "" : ",", code, name);
  }
  return fmt::format("{{\"messages\":[{}],\"errors\":{{{}}}}}\n", messages, errors);
}

}  // namespace
}  // namespace pyralog::protocol

int main() {
  std::fputs(pyralog::protocol::dump().c_str(), stdout);
  return 0;
}
