#pragma once

#include <span>

#include "core/result.h"
#include "io/task.h"
#include "server/request.h"

namespace pyralog::server {

/// One served API.
struct ServedApi {
  const protocol::Api* api;
  io::Task<Result<Answer>> (*run)(Request&);
};

/// Every API that this server answers, by ascending key; what ApiVersions advertises.
std::span<const ServedApi> served_apis() noexcept;

/// True for requests that may run while earlier ones of their connection still do: produce requests, whose order is fixed
/// when they start.
bool may_run_beside_others(ByteView frame) noexcept;

/// Decodes the request in `request.frame`, runs its handler and encodes the answer. An error means that the connection
/// cannot go on: malformed bytes, or an API or version that is not served (but an ApiVersions request of any version is
/// answered).
io::Task<Result<Answer>> dispatch(Request& request);

}  // namespace pyralog::server
