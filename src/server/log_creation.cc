#include "server/log_creation.h"

#include "cluster/log_name.h"
#include "cluster/placement.h"
#include "cluster/topic_properties.h"
#include "server/controller.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {

Result<cluster::CreateLog> plan_log(Shard& shard, const NewLog& log) {
  const cluster::MetadataImage& image = *shard.image();
  PYRALOG_TRY(cluster::check_log_name(log.name));
  if (image.find_log(log.name) != nullptr) {
    return Error(ErrorCode::kAlreadyExists, "Topic '" + log.name + "' already exists.");
  }
  if (const auto* other = image.find_colliding(log.name)) {
    return Error(ErrorCode::kInvalidArgument, "log name \"" + log.name + "\" collides with \"" + other->name +
                                                  "\": '.' and '_' are the same in metric names");
  }
  cluster::CreateLog command;
  command.id = LogId{shard.reactor().random().uuid()};
  command.name = log.name;
  command.settings = log.settings;
  PYRALOG_TRY(cluster::check_topic_settings(cluster::Settings(log.settings), shard.node_settings()));
  if (!log.placement.empty()) {
    command.partitions = log.placement;
  } else {
    const NodeInfo& info = shard.info();
    const auto partitions = log.partitions == -1 ? info.partitions_default : log.partitions;
    const auto replication = log.replication == -1 ? info.replication_default : log.replication;
    PYRALOG_ASSIGN(command.partitions, cluster::place_partitions(image, partitions, replication));
  }
  return command;
}

io::Task<Result<>> create_log_with_defaults(Shard& shard, std::string name) {
  NewLog log{.name = std::move(name)};
  PYRALOG_CO_ASSIGN(cluster::CreateLog command, plan_log(shard, log));
  PYRALOG_CO_TRY(co_await shard.node().controller().propose(std::move(command)));
  co_return Result<>();
}

}  // namespace pyralog::server
