#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/groups.h"
#include "core/bytes.h"

/// What consumers tell each other through a group: Kafka's ConsumerProtocolSubscription version 1 and
/// ConsumerProtocolAssignment version 0; and how a leader shares out partitions. Pure.
namespace pyralog::sim {

using client::LogPartition;

struct Subscription {
  std::vector<std::string> logs;
  std::vector<LogPartition> owned;
  friend bool operator==(const Subscription&, const Subscription&) = default;
};

std::string encode_subscription(const Subscription& subscription);
/// Nothing: malformed.
std::optional<Subscription> decode_subscription(ByteView bytes);
/// What `client::parse_assignment` reads.
std::string encode_assignment(const std::vector<LogPartition>& partitions);

/// Eager: everything is shared out at once, since everybody has given up everything. Cooperative: who owns a partition keeps
/// it, or gives it up first and gets it to others in the next round.
enum class Balance : std::uint8_t { kEager, kCooperative };
std::string_view strategy_name(Balance balance) noexcept;

using Subscriptions = std::map<std::string, Subscription>;              ///< by member id
using Assignments = std::map<std::string, std::vector<LogPartition>>;  ///< by member id, of all members

/// Every partition goes to at most one of its subscribers, and evenly.
Assignments share_out(const Subscriptions& members, const std::map<std::string, std::int32_t>& partition_counts,
                      Balance balance);

}  // namespace pyralog::sim
