#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "io/virtual_disk.h"
#include "sim/consumer_protocol.h"
#include "sim/history.h"
#include "sim/server_machine.h"

namespace pyralog::sim {

enum class FaultKind : std::uint8_t {
  kCrash,         ///< at a moment
  kCrashAtStep,   ///< at a step of the disk
  kCrashInWrite,  ///< behind the next write to one of the server's files, before that is synced
  kOrderlyStop,
  kFailedSync,
  kFailedWrite,
  kFailedRead,
  kRot,           ///< a bit of a segment flips, until the end of all faults, or until a start is refused for it
  kDiskFull,
  kSlowDisk,
  kCut,           ///< a client from the server: one way or both
  kReset,
  kLossyLink,
  kSlowLink,
  kClientVanishes,
  kServerPause,
  kClockJump,
};
inline constexpr std::size_t kFaultKinds = 17;
std::string_view fault_name(FaultKind kind) noexcept;

struct Fault {
  Duration at{};
  FaultKind kind{};
  Duration span{};           ///< of those that last
  std::uint64_t detail = 0;  ///< what else is random about it
};

/// What the names of compacted logs begin with.
inline constexpr std::string_view kKeyedLogPrefix = "keyed-";

struct LogPlan {
  std::string name;
  LogUse use = LogUse::kAny;
  std::int32_t partitions = 1;
  bool is_cached = false;
  bool may_shrink = false;
  std::vector<std::pair<std::string, std::string>> settings;
};

/// A consumer group, which lives as long as the run; its logs are those that are there for groups.
struct GroupPlan {
  std::string id;
  Balance balance{};
  std::vector<std::size_t> logs;  ///< in the plan's order
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = 0;
  std::uint64_t members_per_client_max = 1;
  bool has_static_members = false;
};

/// How the server goes down before the final check.
enum class LastStop : std::uint8_t { kKill, kPowerLoss, kBlockLoss, kOrderly };

/// Everything about a run that is not left to the world's own generator. Drawn from the seed.
struct Plan {
  std::uint64_t seed = 0;
  ServerOptions server;
  std::vector<LogPlan> logs;
  std::vector<GroupPlan> groups;
  std::uint32_t clients = 1;
  Duration length{};
  Duration pause_max{};  ///< between two operations of a client
  std::size_t value_bytes_max = 200;
  std::uint32_t batch_records_max = 10;
  std::uint32_t crash_in_recovery_per_hundred = 0;
  std::uint32_t other_shards_per_hundred = 0;  ///< of the starts
  bool has_admin = false;
  bool changes_class = false;          ///< the administrator does, log by log
  bool changes_class_default = false;  ///< the node's
  LastStop last_stop{};
  std::vector<Fault> faults;  ///< by time
};

Plan make_plan(std::uint64_t seed);
io::CrashMode crash_mode(std::uint64_t detail) noexcept;

}  // namespace pyralog::sim
