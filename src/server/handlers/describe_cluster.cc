#include "server/handlers/admin_answers.h"
#include "server/handlers/handlers.h"
#include "server/shard.h"

namespace pyralog::server {

using namespace protocol;

io::Task<Result<DescribeClusterResponse>> handle_describe_cluster(Request& request, const DescribeClusterRequest& message) {
  const NodeInfo& info = request.shard.info();
  DescribeClusterResponse response;
  response.endpoint_type = message.endpoint_type;
  if (message.endpoint_type != EndpointType::kBroker) {
    refuse(request, response,
           message.endpoint_type == EndpointType::kController ? KafkaError::kMismatchedEndpointType
                                                              : KafkaError::kUnsupportedEndpointType,
           "this is a broker endpoint");
    co_return response;
  }
  auto brokers = request.arena.make<DescribeClusterResponse::Broker>(1);
  const io::Endpoint& advertised = request.connection.listener().advertised;
  brokers[0] = {.broker_id = info.id, .host = advertised.host, .port = advertised.port};
  if (!info.rack.empty()) brokers[0].rack = info.rack;
  response.brokers = brokers;
  response.cluster_id = request.arena.copy(info.cluster_id.to_string());
  response.controller_id = info.id;
  co_return response;
}

}  // namespace pyralog::server
