#pragma once

#include <optional>
#include <string_view>
#include <type_traits>

#include "core/random.h"
#include "protocol/kafka/arena.h"
#include "protocol/kafka/field.h"
#include "protocol/kafka/values.h"

/// Random messages for tests: any value that the version can carry.
namespace pyralog::protocol::testing {

template <WireStruct T>
void fill(Random& random, Arena& arena, ApiVersion version, T& into);

/// Mostly short lengths, now and then one that needs a longer prefix.
inline std::size_t random_length(Random& random) { return random.chance(1, 20) ? random.below(400) : random.below(6); }

inline std::string_view random_text(Random& random, Arena& arena) {
  const std::span<char> text = arena.make<char>(random_length(random));
  for (char& c : text) c = static_cast<char>(random.next());
  return {text.data(), text.size()};
}

template <class T>
void fill_value(Random& random, Arena& arena, ApiVersion version, bool is_nullable, T& into) {
  if constexpr (std::is_same_v<T, bool>) {
    into = random.chance(1, 2);
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    into = static_cast<T>(random.next() >> random.below(64));
  } else if constexpr (WrappedInteger<T>) {
    fill_value(random, arena, version, false, into.value);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    into = random.uuid();
  } else if constexpr (std::is_same_v<T, LogId>) {
    into.uuid = random.uuid();
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    into = random_text(random, arena);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    into.view = as_bytes(random_text(random, arena));
  } else if constexpr (std::is_same_v<T, Records>) {
    into = is_nullable && random.chance(1, 4) ? Records() : Records(as_bytes(random_text(random, arena)));
  } else if constexpr (kIsArray<T>) {
    const std::size_t count = random.chance(1, 50) ? random.below(150) : random.below(4);
    const auto items = arena.make<typename T::value_type>(count);
    for (auto& item : items) fill_value(random, arena, version, false, item);
    into = items;
  } else if constexpr (kIsOptional<T>) {
    into.reset();
    if (!is_nullable || random.chance(2, 3)) fill_value(random, arena, version, false, into.emplace());
  } else {
    fill(random, arena, version, into);
  }
}

struct FillVisitor {
  Random& random;
  Arena& arena;
  ApiVersion version;

  template <class T>
  void operator()(const char*, const FieldSpec& spec, T& field) {
    if (!spec.exists_in(version)) return;
    if (spec.is_tagged() && random.chance(1, 3)) return;
    fill_value(random, arena, version, spec.is_nullable_in(version), field);
  }
};

template <WireStruct T>
void fill(Random& random, Arena& arena, ApiVersion version, T& into) {
  FillVisitor visit{random, arena, version};
  T::fields(visit, into);
}

}  // namespace pyralog::protocol::testing
