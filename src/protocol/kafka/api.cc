#include "protocol/kafka/api.h"

#include <algorithm>
#include <array>

#include "protocol/kafka/every_message.h"

namespace pyralog::protocol {
namespace {

constexpr std::size_t kApisCount = [] {
  std::size_t count = 0;
  for_each_api([&]<class Request, class Response>() { ++count; });
  return count;
}();

constexpr std::array<const Api*, kApisCount> kTable = [] {
  std::array<const Api*, kApisCount> table{};
  std::size_t at = 0;
  for_each_api([&]<class Request, class Response>() {
    static_assert(&Request::kApi == &Response::kApi);
    table[at++] = &Request::kApi;
  });
  return table;
}();

static_assert(std::ranges::is_sorted(kTable, {}, &Api::key), "for_each_api is in the order of keys");

}  // namespace

std::span<const Api* const> api_table() noexcept { return kTable; }

const Api* find_api(ApiKey key) noexcept {
  const auto* const found = std::ranges::lower_bound(kTable, key, {}, &Api::key);
  return found != kTable.end() && (*found)->key == key ? *found : nullptr;
}

}  // namespace pyralog::protocol
