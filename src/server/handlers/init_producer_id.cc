#include "server/handlers/handlers.h"
#include "server/shard.h"

namespace pyralog::server {

using namespace protocol;

io::Task<Result<InitProducerIdResponse>> handle_init_producer_id(Request& request, const InitProducerIdRequest& message) {
  InitProducerIdResponse response;
  if (message.transactional_id.has_value()) {
    // Transactions are not served: there is no coordinator that could answer.
    response.error_code =
        message.transactional_id->empty() ? KafkaError::kInvalidRequest : KafkaError::kCoordinatorNotAvailable;
    co_return response;
  }
  // Kafka gives an idempotent producer a fresh id too when it asks for the next epoch of its old one.
  auto id = co_await request.shard.next_producer_id();
  if (!id.ok()) {
    response.error_code = to_kafka_error(id.error().code());
    co_return response;
  }
  response.producer_id = *id;
  response.producer_epoch = ProducerEpoch(0);
  co_return response;
}

}  // namespace pyralog::server
