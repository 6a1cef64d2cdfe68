#pragma once

#include <functional>
#include <optional>
#include <string>

#include "client/cluster_client.h"
#include "core/random.h"
#include "io/sync.h"
#include "io/virtual_world.h"
#include "sim/coverage.h"
#include "sim/group_history.h"
#include "sim/history.h"
#include "sim/keyed_history.h"
#include "sim/plan.h"
#include "sim/rot.h"
#include "sim/server_machine.h"

namespace pyralog::sim {

/// What all clients of a run share. Outlives them.
struct Stage {
  io::VirtualWorld& world;
  ServerMachine& server;
  History& history;
  GroupHistory& groups;
  KeyedHistory& keyed;
  Coverage& coverage;
  const Plan& plan;
  const Rot& rot;
  std::function<void(const std::string&)> note;  ///< a line for who watches the run
  bool stopping = false;                         ///< clients end after what they are at
  std::uint32_t extra_logs = 0;                  ///< made by administrators so far

  MonotonicTime now() const { return world.now(); }
  /// A log that clients know to be there, if there is one; not a compacted one.
  std::optional<std::size_t> pick_log(Random& random) {
    std::vector<std::size_t> there;
    for (std::size_t i = 0; i < history.log_count(); ++i) {
      if (history.log(i).fate == Fate::kThere && history.log(i).use != LogUse::kKeyed) there.push_back(i);
    }
    if (there.empty()) return std::nullopt;
    return there[random.below(there.size())];
  }
  PartitionIndex pick_partition(Random& random, std::size_t log) {
    const auto count = static_cast<std::uint64_t>(history.log(log).partitions_min);
    return PartitionIndex(static_cast<std::int32_t>(random.below(count)));
  }
};

/// Waits a random time up to `longest`.
inline io::Task<> pause_for(Random& random, Duration longest) {
  io::AbortSource never;  // in the frame, which a crash leaves alone
  const auto span = Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(longest.count()) + 1)));
  (void)co_await io::sleep_for(span, never);
}

/// Connects, has `use(cluster)` work and closes, again and again until the stage is stopping.
template <class Use>
io::Task<> keep_using(Stage& stage, Random& random, client::BrokerConnection::Options options, Use use) {
  while (!stage.stopping) {
    std::vector<io::Endpoint> bootstrap{stage.server.kafka()};
    auto cluster = co_await client::ClusterClient::connect(std::move(bootstrap), options);
    if (cluster.ok()) {
      co_await use(**cluster);
      co_await (*cluster)->close();
    }
    co_await pause_for(random, std::chrono::milliseconds(500));
  }
}

/// What most clients allow the server.
inline client::BrokerConnection::Options impatient_options() {
  return {.connect_timeout = std::chrono::seconds(2), .request_timeout = std::chrono::seconds(5)};
}

}  // namespace pyralog::sim
