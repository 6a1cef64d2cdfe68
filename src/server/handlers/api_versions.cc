#include <algorithm>

#include "server/handlers/handlers.h"
#include "server/request_dispatch.h"

namespace pyralog::server {
namespace {

using namespace protocol;

// KIP-511: what a client may call itself.
bool is_software_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

}  // namespace

io::Task<Result<ApiVersionsResponse>> handle_api_versions(Request& request, const ApiVersionsRequest& message) {
  ApiVersionsResponse response;
  if (request.version() >= ApiVersion(3) &&
      (!is_software_name(message.client_software_name) || !is_software_name(message.client_software_version))) {
    response.error_code = KafkaError::kInvalidRequest;
    co_return response;
  }
  const auto served = served_apis();
  auto ranges = request.arena.make<ApiVersionsResponse::Range>(served.size());
  for (std::size_t i = 0; i < served.size(); ++i) {
    ranges[i] = {.api_key = served[i].api->key,
                 .min_version = served[i].api->advertised.first,
                 .max_version = served[i].api->advertised.last};
  }
  response.api_keys = ranges;
  co_return response;
}

}  // namespace pyralog::server
