#include "server/group_service.h"

#include <spdlog/spdlog.h>

#include <vector>

#include "server/controller.h"
#include "server/log_creation.h"

namespace pyralog::server {

void GroupService::refresh() {
  if (closed_) return;
  const std::size_t shards = shard_.node().shard_count();
  room_.groups_max = (shard_.info().groups_max + shards - 1) / shards;
  const auto* log = shard_.image()->find_log(kGroupLogName);
  if (log == nullptr) return;
  for (std::size_t i = 0; i < log->partitions.size(); ++i) {
    const PartitionIndex index(static_cast<std::int32_t>(i));
    const Incarnation incarnation = log->partitions[i].incarnation;
    if (shard_.find(incarnation) == nullptr || hosts_.contains(index)) continue;
    auto& host = hosts_[index];
    host = std::make_unique<GroupHost>(shard_, incarnation, index, shard_.info().groups, room_);
    host->start();
  }
}

GroupHost* GroupService::find(PartitionIndex index) noexcept {
  const auto found = hosts_.find(index);
  return found != hosts_.end() ? found->second.get() : nullptr;
}

void GroupService::forget_topic(std::string_view name) {
  for (auto& [index, host] : hosts_) host->forget_topic(name);
}

io::Task<> GroupService::close() {
  closed_ = true;
  for (auto& [index, host] : hosts_) co_await host->close();
}

GroupPlace find_group_place(const cluster::MetadataImage& image, std::string_view group_id) {
  const auto* log = image.find_log(kGroupLogName);
  if (log == nullptr) return {};
  const auto count = static_cast<std::int32_t>(log->partitions.size());
  const PartitionIndex index = coordinator::partition_of_group(group_id, count);
  return {.index = index, .partition = log->find(index)};
}

io::Task<Result<>> ensure_group_log(Shard& shard) {
  if (shard.image()->find_log(kGroupLogName) != nullptr) co_return Result<>();
  NewLog log{.name = std::string(kGroupLogName), .partitions = shard.info().group_log_partitions, .replication = 1};
  log.settings = {{.name = "cleanup.policy", .value = "compact"},
                  {.name = "max.message.bytes", .value = std::to_string(limits::kBatchBytesMax)},
                  // One of which a group with many members may need all; usually it is left sooner: GroupHost.
                  {.name = "segment.bytes", .value = std::to_string(limits::kBatchBytesMax)}};
  auto command = plan_log(shard, log);
  Result<> created;
  if (!command.ok()) {
    created = command.error();
  } else if (auto proposed = co_await shard.node().controller().propose(std::move(*command)); !proposed.ok()) {
    created = proposed.error();
  } else {
    spdlog::info("groups: created {} with {} partitions", kGroupLogName, log.partitions);
  }
  if (!created.ok() && created.error() == ErrorCode::kAlreadyExists) created = {};
  co_return created;
}

}  // namespace pyralog::server
