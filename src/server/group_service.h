#pragma once

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cluster/metadata_image.h"
#include "io/remote_call.h"
#include "io/task.h"
#include "protocol/kafka/error_code.h"
#include "server/group_host.h"
#include "server/lag_times.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {

/// The internal log of group state, under Kafka's name. Ordinary clients may read it, and do nothing else to it.
inline constexpr std::string_view kGroupLogName = "__consumer_offsets";

inline bool is_internal_log(std::string_view name) noexcept { return name == kGroupLogName; }

/// A shard's coordinators: one for each partition of the internal log that it owns.
class GroupService {
 public:
  explicit GroupService(Shard& shard) : shard_(shard), lag_times_(shard) {}
  GroupService(const GroupService&) = delete;

  /// Starts those of partitions that have come. Once the shard serves.
  void refresh();
  /// Ends all of them; requests are told to look elsewhere.
  io::Task<> close();
  /// A log was deleted, and with it what groups had committed for it.
  void forget_topic(std::string_view name);

  LagTimes& lag_times() noexcept { return lag_times_; }
  /// Null: not here.
  GroupHost* find(PartitionIndex index) noexcept;
  const std::map<PartitionIndex, std::unique_ptr<GroupHost>>& hosts() const noexcept { return hosts_; }

 private:
  Shard& shard_;
  coordinator::GroupRoom room_;  // the shard's share
  std::map<PartitionIndex, std::unique_ptr<GroupHost>> hosts_;
  LagTimes lag_times_;
  bool closed_ = false;
};

/// Where a group's state is kept; null while the internal log does not exist.
struct GroupPlace {
  PartitionIndex index;
  const cluster::PartitionMetadata* partition = nullptr;
};
GroupPlace find_group_place(const cluster::MetadataImage& image, std::string_view group_id);

/// Makes the internal log if it does not exist. kUnavailable and others of `Controller::propose`.
io::Task<Result<>> ensure_group_log(Shard& shard);

namespace detail {

template <class T, class Work>
io::Task<std::expected<T, protocol::KafkaError>> run_with_host(Shard& owner, PartitionIndex index, Work work) {
  GroupHost* host = owner.groups().find(index);
  if (host == nullptr) co_return std::unexpected(protocol::KafkaError::kNotCoordinator);
  if (const auto refusal = host->refusal(); refusal != protocol::KafkaError::kNone) co_return std::unexpected(refusal);
  co_return co_await work(*host);
}

}  // namespace detail

/// Runs `work(GroupHost&)` (a Task<T>) where `group_id` is coordinated. What it captures must be owned values.
template <class T, class Work>
io::Task<std::expected<T, protocol::KafkaError>> with_group(Shard& origin, std::string_view group_id, Work work) {
  const GroupPlace place = find_group_place(*origin.image(), group_id);
  if (place.partition == nullptr) co_return std::unexpected(protocol::KafkaError::kNotCoordinator);
  Shard& owner = origin.node().shard_of(place.partition->incarnation);
  auto there = [&owner, index = place.index, work = std::move(work)]() mutable {
    return detail::run_with_host<T, Work>(owner, index, std::move(work));
  };
  co_return co_await io::call_on(owner.reactor(), std::move(there));
}

}  // namespace pyralog::server
