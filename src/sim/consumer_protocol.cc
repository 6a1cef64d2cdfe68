#include "sim/consumer_protocol.h"

#include <algorithm>

#include "protocol/kafka/reader.h"

namespace pyralog::sim {
namespace {

constexpr std::int16_t kSubscriptionVersion = 1;
constexpr std::int16_t kAssignmentVersion = 0;
constexpr std::int32_t kNoUserData = -1;

template <std::integral T>
void put(std::string& text, T value) {
  std::byte bytes[sizeof(T)];
  store_big(bytes, value);
  text.append(reinterpret_cast<const char*>(bytes), sizeof(T));
}

void put_name(std::string& text, std::string_view name) {
  put(text, static_cast<std::int16_t>(name.size()));
  text += name;
}

/// Partitions, by their log.
void put_partitions(std::string& text, const std::vector<LogPartition>& partitions) {
  std::map<std::string, std::vector<PartitionIndex>> by_log;
  for (const auto& [log, partition] : partitions) by_log[log].push_back(partition);
  put(text, static_cast<std::int32_t>(by_log.size()));
  for (const auto& [log, indexes] : by_log) {
    put_name(text, log);
    put(text, static_cast<std::int32_t>(indexes.size()));
    for (const PartitionIndex index : indexes) put(text, index.value);
  }
}

struct Sharing {
  const Subscriptions& members;
  std::map<LogPartition, std::string> owners;
  std::map<std::string, std::size_t> load;  // what is meant for each, which it may get only in the next round
  std::size_t fair = 0;

  const std::string* owner_of(const LogPartition& place) const {
    const auto found = owners.find(place);
    return found != owners.end() ? &found->second : nullptr;
  }
  bool subscribes(const std::string& id, const std::string& log) const {
    const auto& logs = members.at(id).logs;
    return std::ranges::find(logs, log) != logs.end();
  }
  /// Its owner, if that has room, else who has least; null: nobody wants it.
  const std::string* choose(const LogPartition& place) {
    const std::string* owner = owner_of(place);
    if (owner != nullptr && subscribes(*owner, place.first) && load[*owner] < fair) return owner;
    const std::string* chosen = nullptr;
    for (const auto& [id, subscription] : members) {
      if (subscribes(id, place.first) && (chosen == nullptr || load[id] < load[*chosen])) chosen = &id;
    }
    return chosen;
  }
};

}  // namespace

std::string encode_subscription(const Subscription& subscription) {
  std::string text;
  put(text, kSubscriptionVersion);
  put(text, static_cast<std::int32_t>(subscription.logs.size()));
  for (const std::string& log : subscription.logs) put_name(text, log);
  put(text, kNoUserData);
  put_partitions(text, subscription.owned);
  return text;
}

std::optional<Subscription> decode_subscription(ByteView bytes) {
  Subscription subscription;
  protocol::Arena arena;
  protocol::Reader reader(bytes, protocol::ApiVersion(0), protocol::Reader::Lengths::kFixed, arena);
  if (reader.integer<std::int16_t>() != kSubscriptionVersion) return std::nullopt;
  for (std::int64_t left = reader.array_count(2); left > 0 && !reader.failed(); --left) {
    subscription.logs.emplace_back(reader.string());
  }
  (void)reader.nullable_bytes();
  for (std::int64_t left = reader.array_count(2 + 4); left > 0 && !reader.failed(); --left) {
    const std::string log(reader.string());
    for (std::int64_t count = reader.array_count(4); count > 0 && !reader.failed(); --count) {
      subscription.owned.emplace_back(log, PartitionIndex(reader.integer<std::int32_t>()));
    }
  }
  return reader.failed() ? std::nullopt : std::optional(std::move(subscription));
}

std::string encode_assignment(const std::vector<LogPartition>& partitions) {
  std::string text;
  put(text, kAssignmentVersion);
  put_partitions(text, partitions);
  put(text, kNoUserData);
  return text;
}

std::string_view strategy_name(Balance balance) noexcept {
  return balance == Balance::kEager ? "range" : "cooperative-sticky";
}

Assignments share_out(const Subscriptions& members, const std::map<std::string, std::int32_t>& partition_counts,
                      Balance balance) {
  Sharing sharing{.members = members};
  std::size_t total = 0;
  for (const auto& [log, count] : partition_counts) total += static_cast<std::size_t>(count);
  sharing.fair = (total + members.size() - 1) / members.size();
  Assignments shares;
  for (const auto& [id, subscription] : members) {
    shares[id];
    if (balance == Balance::kEager) continue;
    for (const LogPartition& place : subscription.owned) sharing.owners[place] = id;
  }
  for (const auto& [log, count] : partition_counts) {
    for (std::int32_t i = 0; i < count; ++i) {
      const LogPartition place{log, PartitionIndex(i)};
      const std::string* chosen = sharing.choose(place);
      if (chosen == nullptr) continue;
      ++sharing.load[*chosen];
      const std::string* owner = sharing.owner_of(place);
      if (owner == nullptr || *owner == *chosen) shares[*chosen].push_back(place);
    }
  }
  return shares;
}

}  // namespace pyralog::sim
