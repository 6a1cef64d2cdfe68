#include "server/config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/property_text.h"
#include "core/limits.h"
#include "server/config_values.h"

namespace pyralog::server {
namespace {

using enum ConfigKind;

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;
constexpr std::int64_t kGiB = 1024 * kMiB;
constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kDay = 86400 * kSecond;

#define PYRALOG_FIELD(member) [](ConfigDraft& config) -> ConfigField { return &config.member; }

constexpr ConfigKey kTable[] = {
    {.name = "groups.groups_max",
     .kind = kNumber,
     .default_text = "100000",
     .min = 1,
     .max = 100'000'000,
     .documentation = "Groups, those without members included; each shard takes an equal share of them. More are refused "
                      "(POLICY_VIOLATION); what is there already stays.",
     .field = PYRALOG_FIELD(groups_max)},
    {.name = "groups.initial_rebalance_delay",
     .kind = kDuration,
     .default_text = "3s",
     .min = 0,
     .max = kDay,
     .kafka_name = "group.initial.rebalance.delay.ms",
     .documentation = "How long the first member of an empty group waits for others before partitions are assigned.",
     .field = PYRALOG_FIELD(groups.initial_rebalance_delay)},
    {.name = "groups.log_partitions",
     .kind = kNumber,
     .default_text = "50",
     .min = 1,
     .max = 1000,
     .kafka_name = "offsets.topic.num.partitions",
     .documentation = "Partitions of the internal log of groups and their offsets, which is created on first use. Has no "
                      "effect after that.",
     .field = PYRALOG_FIELD(group_log_partitions)},
    {.name = "groups.member_bytes_max",
     .kind = kBytes,
     .default_text = "8MiB",
     .min = 4 * kKiB,
     .max = limits::kBatchBytesMax,
     .documentation = "What the members of a group say of themselves, all together: subscriptions under each strategy, names, "
                      "addresses. Who goes beyond it is refused (GROUP_MAX_SIZE_REACHED).",
     .field = PYRALOG_FIELD(groups.member_bytes_max)},
    {.name = "groups.members_max",
     .kind = kNumber,
     .default_text = "10000",
     .min = 1,
     .max = 1'000'000,
     .kafka_name = "group.max.size",
     .documentation = "Members of a group; more are refused.",
     .field = PYRALOG_FIELD(groups.members_max)},
    {.name = "groups.notice_lost_connections",
     .kind = kSwitch,
     .default_text = "true",
     .documentation = "A member whose connection ends has the time of two of its heartbeats, and at least 2 s, to come back by "
                      "another one; then it counts as gone. `false`: only when its session timeout has passed, as in Kafka. "
                      "Static members always have their session.",
     .field = PYRALOG_FIELD(groups.notices_lost_connections)},
    {.name = "groups.offset_metadata_bytes_max",
     .kind = kBytes,
     .default_text = "4KiB",
     .min = 0,
     .max = 32 * kKiB - 1,
     .kafka_name = "offset.metadata.max.bytes",
     .documentation = "The text that a client may commit with an offset.",
     .field = PYRALOG_FIELD(groups.offset_metadata_bytes_max)},
    {.name = "groups.offsets_retention",
     .kind = kDuration,
     .default_text = "7d",
     .min = 60 * kSecond,
     .max = 3650 * kDay,
     .documentation = "How long a group's offsets are kept after it became empty, and an active group's after it gave up the "
                      "log (Kafka: `offsets.retention.minutes`).",
     .field = PYRALOG_FIELD(groups.offsets_retention)},
    {.name = "groups.offsets_retention_check_interval",
     .kind = kDuration,
     .default_text = "10m",
     .min = 100,
     .max = kDay,
     .kafka_name = "offsets.retention.check.interval.ms",
     .documentation = "How often old offsets are looked for.",
     .field = PYRALOG_FIELD(groups.offsets_retention_check_interval)},
    {.name = "groups.session_timeout_max",
     .kind = kDuration,
     .default_text = "30m",
     .min = 1,
     .max = 20 * kDay,
     .kafka_name = "group.max.session.timeout.ms",
     .documentation = "The longest session timeout that a member may ask for.",
     .field = PYRALOG_FIELD(groups.session_timeout_max)},
    {.name = "groups.session_timeout_min",
     .kind = kDuration,
     .default_text = "6s",
     .min = 1,
     .max = 20 * kDay,
     .kafka_name = "group.min.session.timeout.ms",
     .documentation = "The shortest session timeout that a member may ask for: how soon it is missed when it dies.",
     .field = PYRALOG_FIELD(groups.session_timeout_min)},
    {.name = "http.listen",
     .kind = kAddress,
     .default_text = "127.0.0.1:9644",
     .documentation = "Where /metrics, /healthz and /readyz are served. Port 0 picks a free one.",
     .field = PYRALOG_FIELD(http_listen)},
    {.name = "io.backend",
     .kind = kChoice,
     .default_text = "auto",
     .choices = "auto,posix",
     .documentation = "How files are written and read. `auto`: through the kernel's ring where it may be used, else "
                      "through threads. `posix`: through threads.",
     .field = PYRALOG_FIELD(posix_io)},
    {.name = "io.send_buffer_bytes",
     .kind = kBytes,
     .default_text = "128KiB",
     .min = 0,
     .max = 64 * kMiB,
     .documentation = "What the kernel may hold of the answers on a connection, at most net.core.wmem_max. A connection "
                      "carries at most about that much a round trip, so more is for readers far away; readers on the same "
                      "machine or nearby cost the more CPU the more it is. 0B: as the kernel thinks best. (Kafka: "
                      "`socket.send.buffer.bytes`.)",
     .field = PYRALOG_FIELD(send_buffer_bytes)},
    {.name = "kafka.advertise",
     .kind = kAddress,
     .default_text = "",
     .documentation = "The address of kafka.listen that clients are told. Empty: the address itself. Needed when it "
                      "listens on all addresses, or behind a proxy.",
     .field = PYRALOG_FIELD(kafka_advertise)},
    {.name = "kafka.connection_rate_max",
     .kind = kNumber,
     .default_text = "2000",
     .min = 1,
     .max = 1'000'000,
     .kafka_name = "max.connection.creation.rate",
     .documentation = "New connections of one listener a second, after a burst of as many; more wait to be served.",
     .field = PYRALOG_FIELD(connections_per_second_max)},
    {.name = "kafka.connections_max",
     .kind = kNumber,
     .default_text = "10000",
     .min = 1,
     .max = 1'000'000,
     .kafka_name = "max.connections",
     .documentation = "Connections of one listener at a time; more are closed at once.",
     .field = PYRALOG_FIELD(connections_max)},
    {.name = "kafka.connections_per_address_max",
     .kind = kNumber,
     .default_text = "2000",
     .min = 1,
     .max = 1'000'000,
     .kafka_name = "max.connections.per.ip",
     .documentation = "Connections from one client address at a time.",
     .field = PYRALOG_FIELD(connections_per_address_max)},
    {.name = "kafka.idle_timeout",
     .kind = kDuration,
     .default_text = "10m",
     .min = kSecond,
     .max = 30 * kDay,
     .kafka_name = "connections.max.idle.ms",
     .documentation = "How long a connection may be silent before it is closed.",
     .field = PYRALOG_FIELD(connection_idle_max)},
    {.name = "kafka.listen",
     .kind = kAddress,
     .default_text = "127.0.0.1:9092",
     .documentation = "Where Kafka clients connect. Port 0 picks a free one. Has no default if there are named listeners.",
     .field = PYRALOG_FIELD(kafka_listen)},
    {.name = "kafka.pipelined_bytes_max",
     .kind = kBytes,
     .default_text = "100MiB",
     .min = 64 * kKiB,
     .max = kGiB,
     .documentation = "Bytes of the requests of one connection that are under way; beyond it the connection is not "
                      "read.",
     .field = PYRALOG_FIELD(pipelined_bytes_max)},
    {.name = "kafka.pipelined_requests_max",
     .kind = kNumber,
     .default_text = "64",
     .min = 1,
     .max = 10'000,
     .documentation = "Requests of one connection that are under way; beyond it the connection is not read.",
     .field = PYRALOG_FIELD(pipelined_requests_max)},
    {.name = "kafka.request_bytes_max",
     .kind = kBytes,
     .default_text = "100MiB",
     .min = 64 * kKiB,
     .max = kGiB,
     .kafka_name = "socket.request.max.bytes",
     .documentation = "The largest request; a connection that announces a larger one is closed.",
     .field = PYRALOG_FIELD(request_bytes_max)},
    {.name = "kafka.request_memory_bytes_max",
     .kind = kBytes,
     .default_text = "512MiB",
     .min = 16 * kMiB,
     .max = 1024 * kGiB,
     .documentation = "Memory of all requests being received or served, one half of it for those above 64 KiB; connections "
                      "that need more wait, unread. At least kafka.request_bytes_max.",
     .field = PYRALOG_FIELD(request_memory_bytes_max)},
    {.name = "logging.format",
     .kind = kChoice,
     .default_text = "text",
     .choices = "text,json",
     .documentation = "The form of the lines that the node writes about itself, to standard error.",
     .field = PYRALOG_FIELD(logging_format)},
    {.name = "logging.level",
     .kind = kChoice,
     .default_text = "info",
     .choices = "trace,debug,info,warning,error",
     .documentation = "The least important lines that are written.",
     .field = PYRALOG_FIELD(logging_level)},
    {.name = "metrics.series_max",
     .kind = kNumber,
     .default_text = "1000",
     .min = 0,
     .max = 1'000'000,
     .documentation = "Time series of single logs in /metrics, two for each; the largest logs come first. 0: none.",
     .field = PYRALOG_FIELD(metrics_series_max)},
    {.name = "node.data_dir",
     .kind = kText,
     .default_text = "./pyralog-data",
     .kafka_name = "log.dirs",
     .documentation = "Where the data lies. Created when missing; used by one process at a time.",
     .field = PYRALOG_FIELD(data_directory)},
    {.name = "node.id",
     .kind = kNumber,
     .default_text = "",
     .min = 0,
     .max = INT32_MAX,
     .documentation = "This node's number in the cluster. Empty: the one in the data directory, or 1 for a new one.",
     .field = PYRALOG_FIELD(node_id)},
    {.name = "node.rack",
     .kind = kText,
     .default_text = "",
     .kafka_name = "broker.rack",
     .documentation = "Where this node stands. Clients are told, and may prefer copies in their own.",
     .field = PYRALOG_FIELD(rack)},
    {.name = "node.shards",
     .kind = kNumber,
     .default_text = "0",
     .min = 0,
     .max = 1024,
     .documentation = "Threads that serve, each with its own partitions. 0: one per usable processor. May change between "
                      "starts: the first start after that moves all journals into the segments.",
     .field = PYRALOG_FIELD(shards)},
    {.name = "replication.auto_create",
     .kind = kSwitch,
     .default_text = "true",
     .kafka_name = "auto.create.topics.enable",
     .documentation = "Whether a log is created when a client first asks for it (and asks to create it).",
     .field = PYRALOG_FIELD(auto_create_logs)},
    {.name = "replication.partitions",
     .kind = kNumber,
     .default_text = "1",
     .min = 1,
     .max = limits::kPartitionsPerLogMax,
     .kafka_name = "num.partitions",
     .documentation = "Partitions of a new log whose creator does not say.",
     .field = PYRALOG_FIELD(partitions_default)},
    {.name = "replication.replication_factor",
     .kind = kNumber,
     .default_text = "1",
     .min = 1,
     .max = limits::kReplicasPerPartitionMax,
     .kafka_name = "default.replication.factor",
     .documentation = "Copies of a new log whose creator does not say.",
     .field = PYRALOG_FIELD(replication_default)},
    {.name = "replication.write_quorum",
     .kind = kNumber,
     .default_text = "0",
     .min = 0,
     .max = limits::kReplicasPerPartitionMax,
     .kafka_name = "write.quorum",
     .documentation = "Copies that must have a record before it is committed. 0: a majority.",
     .field = PYRALOG_FIELD(write_quorum_default)},
    {.name = "rpc.listen",
     .kind = kAddress,
     .default_text = "127.0.0.1:33145",
     .documentation = "The address for other nodes. A cluster of one node holds it, but nothing is served there.",
     .field = PYRALOG_FIELD(rpc_listen)},
    {.name = "security.insecure",
     .kind = kSwitch,
     .default_text = "false",
     .documentation = "Accepts listeners that other machines can reach without encryption and authentication.",
     .field = PYRALOG_FIELD(insecure)},
    {.name = "storage.compaction_bytes_per_second_max",
     .kind = kBytes,
     .default_text = "0",
     .min = 0,
     .max = 1024 * kGiB,
     .documentation = "Bytes that compaction may read and write per second; 0: as fast as it can.",
     .field = PYRALOG_FIELD(compaction_bytes_per_second_max)},
    {.name = "storage.compaction_interval",
     .kind = kDuration,
     .default_text = "15s",
     .min = 10,
     .max = kDay,
     .documentation = "How often logs with cleanup.policy=compact are looked at.",
     .field = PYRALOG_FIELD(compaction_interval)},
    {.name = "storage.compaction_memory_bytes_max",
     .kind = kBytes,
     .default_text = "128MiB",
     .min = 1u << 20,
     .max = 64 * kGiB,
     .documentation = "Memory for the keys of logs that are being compacted, 24 bytes each. A log with more keys takes several "
                      "passes.",
     .field = PYRALOG_FIELD(compaction_memory_bytes_max)},
    {.name = "storage.dirty_bytes_max",
     .kind = kBytes,
     .default_text = "64MiB",
     .min = limits::kRoundBytesMax,
     .max = 16 * kGiB,
     .documentation = "Per shard: records in memory that are not in their segments yet (the journal has them). Beyond it, "
                      "writes wait.",
     .field = PYRALOG_FIELD(dirty_bytes_max)},
    {.name = "storage.free_bytes_min",
     .kind = kBytes,
     .default_text = "512MiB",
     .min = 0,
     .max = 1024 * kGiB,
     .documentation = "Free space of the disk below which writes are refused; reads, deletion and settings go on.",
     .field = PYRALOG_FIELD(free_bytes_min)},
    {.name = "storage.journal_bytes_max",
     .kind = kBytes,
     .default_text = "256MiB",
     .min = 4 * limits::kJournalFileBytes,
     .max = 64 * kGiB,
     .documentation = "Per shard: the journal's size on disk. Beyond it, writes wait.",
     .field = PYRALOG_FIELD(journal_bytes_max)},
    {.name = "storage.open_files_max",
     .kind = kNumber,
     .default_text = "4096",
     .min = 64,
     .max = 1'000'000,
     .documentation = "Segment files kept open; at most a quarter of what the process may open.",
     .field = PYRALOG_FIELD(open_files_max)},
    {.name = "storage.producer_expiry",
     .kind = kDuration,
     .default_text = "1d",
     .min = kSecond,
     .max = 24 * kDay,
     .kafka_name = "producer.id.expiration.ms",
     .documentation = "How long an idempotent producer is remembered after its last write.",
     .field = PYRALOG_FIELD(producer_expiry)},
    {.name = "storage.retention_check_interval",
     .kind = kDuration,
     .default_text = "5m",
     .min = 10,
     .max = kDay,
     .kafka_name = "log.retention.check.interval.ms",
     .documentation = "How often old segments are looked for.",
     .field = PYRALOG_FIELD(retention_check_interval)},
    {.name = "storage.scrub_bytes_per_second",
     .kind = kBytes,
     .default_text = "4MiB",
     .min = 0,
     .max = 16 * kGiB,
     .documentation = "How fast sealed segments are read in the background to find damage, once a day at most. 0B: not at all.",
     .field = PYRALOG_FIELD(scrub_bytes_per_second)},
    {.name = "storage.tail_cache_bytes_max",
     .kind = kBytes,
     .default_text = "32MiB",
     .min = 0,
     .max = 64 * kGiB,
     .documentation = "Per shard: recent records kept in memory for readers after they are in their segments.",
     .field = PYRALOG_FIELD(tail_cache_bytes_max)},
};
#undef PYRALOG_FIELD

constexpr ConfigSection kSections[] = {
    {"node", "The node itself."},
    {"kafka", "Connections of Kafka clients."},
    {"rpc", "Other nodes."},
    {"http", "Metrics and health."},
    {"groups", "Consumer groups and their offsets."},
    {"security", "Who may connect."},
    {"storage", "Journal, segments, memory and disk."},
    {"replication", "Logs that are created without saying more."},
    {"io", "Access to the disk and the network."},
    {"metrics", "What is measured."},
    {"logging", "What the node says about itself."},
};

Error refused(std::string why) { return {ErrorCode::kInvalidArgument, std::move(why)}; }

std::string bound_text(ConfigKind kind, std::int64_t bound) {
  if (kind == kDuration) return render_duration(std::chrono::milliseconds(bound));
  if (kind == kBytes) return render_bytes(static_cast<std::uint64_t>(bound));
  return fmt::format("{}", bound);
}

/// The number that `text` says, in the unit of the key's bounds.
Result<std::int64_t> parse_bounded(const ConfigKey& key, std::string_view text) {
  std::int64_t number = 0;
  if (key.kind == kDuration) {
    PYRALOG_ASSIGN(const auto duration, parse_duration(text));
    number = duration.count();
  } else if (key.kind == kBytes) {
    PYRALOG_ASSIGN(const auto bytes, parse_bytes(text));
    number = static_cast<std::int64_t>(bytes);
  } else {
    PYRALOG_ASSIGN(number, parse_whole_number(text));
  }
  if (number < key.min || number > key.max) return refused(fmt::format("\"{}\" must be {}", text, range_text(key)));
  return number;
}

struct Assignment {
  const ConfigKey& key;
  std::string_view text;

  Result<> operator()(bool* field) const {
    if (key.kind == kChoice) {
      PYRALOG_TRY(check_choice());
      *field = text == cluster::split_list(key.choices)[1];
      return {};
    }
    PYRALOG_ASSIGN(*field, parse_switch(text));
    return {};
  }
  Result<> operator()(std::optional<std::int32_t>* field) const {
    if (text.empty()) {
      field->reset();
      return {};
    }
    PYRALOG_ASSIGN(const std::int64_t number, parse_bounded(key, text));
    *field = static_cast<std::int32_t>(number);
    return {};
  }
  template <std::integral Number>
  Result<> operator()(Number* field) const {
    PYRALOG_ASSIGN(const std::int64_t number, parse_bounded(key, text));
    *field = static_cast<Number>(number);
    return {};
  }
  Result<> operator()(std::chrono::milliseconds* field) const {
    PYRALOG_ASSIGN(const std::int64_t number, parse_bounded(key, text));
    *field = std::chrono::milliseconds(number);
    return {};
  }
  Result<> operator()(std::string* field) const {
    if (key.kind == kChoice) PYRALOG_TRY(check_choice());
    *field = text;
    return {};
  }
  Result<> operator()(io::Endpoint* field) const {
    *field = {};
    if (text.empty() && key.default_text.empty()) return {};
    PYRALOG_ASSIGN(*field, io::Endpoint::parse(text));
    return {};
  }

  Result<> check_choice() const {
    if (cluster::list_contains(key.choices, text)) return {};
    return refused(fmt::format("\"{}\" must be {}", text, range_text(key)));
  }
};

}  // namespace

std::span<const ConfigKey> config_table() { return kTable; }
std::span<const ConfigSection> config_sections() { return kSections; }

const ConfigKey* find_config_key(std::string_view name) {
  const auto at = std::ranges::find(kTable, name, &ConfigKey::name);
  return at != std::end(kTable) ? &*at : nullptr;
}

Result<> assign(const ConfigKey& key, ConfigDraft& config, std::string_view text) {
  return std::visit(Assignment{key, text}, key.field(config));
}

std::string kafka_text(const ConfigKey& key, std::string_view text) {
  if (key.kind != kDuration && key.kind != kBytes) return std::string(text);
  const auto number = parse_bounded(key, text);
  PYRALOG_ASSERT(number.ok(), "the text has been read before");
  return fmt::format("{}", *number);
}

std::string range_text(const ConfigKey& key) {
  switch (key.kind) {
    case kSwitch:
      return "true or false";
    case kChoice:
      return fmt::format("one of {}", fmt::join(cluster::split_list(key.choices), ", "));
    case kNumber:
    case kBytes:
    case kDuration:
      return fmt::format("from {} to {}", bound_text(key.kind, key.min), bound_text(key.kind, key.max));
    case kAddress:
      return "host:port";
    case kText:
      return "";
  }
  return "";
}

}  // namespace pyralog::server
