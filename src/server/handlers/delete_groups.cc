#include "server/handlers/group_answers.h"
#include "server/handlers/handlers.h"

namespace pyralog::server {

io::Task<Result<protocol::DeleteGroupsResponse>> handle_delete_groups(Request& request,
                                                                      const protocol::DeleteGroupsRequest& message) {
  protocol::DeleteGroupsResponse response;
  auto results = request.arena.make<protocol::DeleteGroupsResponse::Group>(message.groups_names.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].group_id = message.groups_names[i];
    auto remove = [group_id = std::string(message.groups_names[i])](GroupHost& host) {
      auto ask = [group_id](auto& coordinator, auto waiter, auto) { coordinator.delete_group(group_id, waiter); };
      return host.ask<coordinator::PlainAnswer>(std::move(ask));
    };
    auto answer = co_await with_group<coordinator::PlainAnswer>(request.shard, results[i].group_id, std::move(remove));
    results[i].error_code = answer ? answer->error : answer.error();
  }
  response.results = results;
  co_return response;
}

}  // namespace pyralog::server
