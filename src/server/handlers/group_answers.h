#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordinator/group_messages.h"
#include "protocol/kafka/values.h"
#include "server/connection.h"
#include "server/group_service.h"
#include "server/request.h"
#include "server/shard.h"

/// Between the coordinator's owned values and the messages' views.
namespace pyralog::server {

inline std::optional<std::string> owned(std::optional<std::string_view> text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}
inline coordinator::Blob owned(protocol::Bytes bytes) { return coordinator::Blob(as_text(bytes.view)); }

inline std::string_view lent(Request& request, std::string_view text) { return request.arena.copy(text); }
inline std::optional<std::string_view> lent_optional(Request& request, const std::optional<std::string>& text) {
  return text ? std::optional(request.arena.copy(*text)) : std::nullopt;
}
inline protocol::Bytes lent_bytes(Request& request, const coordinator::Blob& blob) {
  return {as_bytes(request.arena.copy(blob))};
}

/// Clients show only that a policy forbids it.
inline void warn_of_too_many_groups(Request& request, std::string_view group_id) {
  request.shard.warn_of_client(request.connection.socket().peer(),
                               "refused to make group " + std::string(group_id) +
                                   ": there are as many as groups.groups_max allows");
}

}  // namespace pyralog::server
