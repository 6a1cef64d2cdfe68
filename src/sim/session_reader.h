#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "client/broker_connection.h"
#include "protocol/kafka/fetch.h"
#include "sim/log_follower.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// A client that reads many partitions in one fetch session (KIP-227): names them once, then only what has changed; adds
/// some, forgets some, and tries to go on with its session after its connection is lost. Reads logs that were always durable.
class SessionReader {
 public:
  SessionReader(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {}
  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  using Place = std::pair<std::size_t, PartitionIndex>;
  using Response = client::Reply<protocol::FetchResponse>;
  struct Part {
    Offset next;
    bool is_told = false;    // the server knows `next`
    bool is_rotten = false;  // what came was damaged: to be forgotten
    History::Floor floor;  // when the last request was sent
  };

  io::Task<> use(client::BrokerConnection& connection);
  /// What to ask for next, and what to forget.
  void add_some();
  void forget_some();
  io::Task<Result<Response>> fetch(client::BrokerConnection& connection);
  /// False: the session cannot go on.
  bool take(const Response& response);
  void take_partition(std::size_t log, const protocol::FetchResponse::Partition& answer, const Response& response);
  void take_error(Place place, const protocol::FetchResponse::Partition& answer);
  void check_news(bool has_records);
  void restart();
  PartitionCursor& cursor(std::size_t log);

  Stage& stage_;
  Random random_;
  std::map<Place, Part> parts_;  // of the session
  std::set<Place> forgotten_;       // which the server may not know yet
  std::map<std::size_t, PartitionCursor> cursors_;
  std::int32_t session_ = 0;
  std::int32_t epoch_ = 0;  // of the next request
  bool is_own_ = false;     // the session was opened on this connection, so nothing may have happened to it
  std::uint32_t life_ = 0;
};

}  // namespace pyralog::sim
