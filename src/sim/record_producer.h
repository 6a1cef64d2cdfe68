#pragma once

#include "client/producer.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// A client that writes through `client::Producer`, one after another, each with settings of its own, and learns only
/// whether all of what it wrote was acknowledged.
class RecordProducer {
 public:
  RecordProducer(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {}
  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  io::Task<> use(client::ClusterClient& cluster);
  io::Task<Result<>> write(client::Producer& producer, std::size_t log, std::string_view sender,
                           std::vector<std::size_t>& sendings);

  Stage& stage_;
  Random random_;
};

}  // namespace pyralog::sim
