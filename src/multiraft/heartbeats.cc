#include "multiraft/heartbeats.h"

namespace pyralog::multiraft {

Result<> check_batch(const HeartbeatBatch& batch) {
  const auto corrupt = [](const char* why) { return Error(ErrorCode::kCorrupt, why); };
  if (batch.boot == BootId(0) || batch.sequence == 0) return corrupt("heartbeats: of no boot, or without a number");
  if (batch.shard_counters.empty() || batch.shard_counters.size() > kShardsPerNodeMax) {
    return corrupt("heartbeats: impossible number of shards");
  }
  if (batch.groups.size() > kGroupsPerHeartbeatMax) return corrupt("heartbeats: too many groups");
  return {};
}

}  // namespace pyralog::multiraft
