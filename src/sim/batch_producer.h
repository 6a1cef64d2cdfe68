#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "client/broker_connection.h"
#include "protocol/kafka/produce.h"
#include "record/batch_builder.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// A client that makes its own Produce requests: every setting that a client may have, several partitions in a request,
/// several requests under way. Idempotent or not as the seed says; then an unresolved batch is sent again, on a new
/// connection if need be, until the server says what became of it.
class BatchProducer {
 public:
  BatchProducer(Stage& stage, std::uint64_t seed);

  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  using Place = std::pair<std::size_t, PartitionIndex>;
  struct Part {
    std::size_t sending = 0;
    Place place;
    Slice bytes;
    bool sent_before = false;
  };

  io::Task<> use(client::BrokerConnection& connection);
  io::Task<Result<>> obtain_id(client::BrokerConnection& connection);
  std::vector<Part> new_parts();
  std::optional<Part> new_part(Place place);
  Result<> send(client::BrokerConnection& connection, std::vector<Part> parts);
  void take_answer(const Result<Slice>& frame, protocol::ApiVersion version, std::vector<Part> parts);
  void settle(Part part, protocol::KafkaError error, Offset base);
  void forget_id();

  Stage& stage_;
  Random random_;
  bool is_idempotent_;
  std::int16_t acks_;
  std::size_t under_way_max_;
  record::Codec codec_;
  std::uint32_t session_ = 0;
  std::uint32_t life_ = 0;
  ProducerId id_ = kNoProducerId;
  ProducerEpoch epoch_ = kNoProducerEpoch;
  std::map<Place, std::int32_t> sequences_;
  std::vector<Part> unresolved_;  // of an idempotent producer, to be sent again
  std::set<Place> busy_;          // with something under way; an idempotent producer adds nothing there
  std::size_t under_way_ = 0;
  io::WaitList answered_;
};

}  // namespace pyralog::sim
