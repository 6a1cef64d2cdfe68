#pragma once

#include <vector>

#include "client/broker_connection.h"
#include "client/cluster_client.h"
#include "record/batch_builder.h"
#include "record/compression.h"
#include "sim/keyed_history.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// A client that writes values and deletions under few keys to compacted logs, one batch after another, each once.
class KeyedWriter {
 public:
  KeyedWriter(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {}
  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  io::Task<> use(client::BrokerConnection& connection);
  io::Task<> write(client::BrokerConnection& connection, std::size_t log);
  std::vector<KeyedId> fill(record::BatchBuilder& builder, KeyedHistory::Place place);

  Stage& stage_;
  Random random_;
};

/// Reads all of a compacted log's partitions, from start to end, and has the history judge what is there. Errors are those of
/// the cluster; damage is a violation.
io::Task<Result<>> check_keyed_log(Stage& stage, client::ClusterClient& cluster, client::LogInfo info, std::size_t log);

/// A client that does that again and again while others write and the log is compacted.
class KeyedReader {
 public:
  KeyedReader(Stage& stage, std::uint64_t seed) : stage_(stage), random_(seed) {}
  /// Works until the stage is stopping.
  io::Task<> run();

 private:
  io::Task<> use(client::ClusterClient& cluster);

  Stage& stage_;
  Random random_;
};

}  // namespace pyralog::sim
