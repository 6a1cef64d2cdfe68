#include <algorithm>
#include <iterator>
#include <span>
#include <vector>

#include "cluster/topic_properties.h"
#include "core/limits.h"

namespace pyralog::cluster {
namespace {

using enum PropertyType;
using enum PropertySupport;

constexpr double kInt32Max = 2147483647;
constexpr std::string_view kForever = "9223372036854775807";
constexpr std::string_view kNoTiering = "Tiered storage does not exist yet.";
constexpr std::string_view kNoThrottle = "Throttled replication does not exist yet.";
constexpr std::string_view kNoRecompression = "Batches stay as the producer compressed them.";
constexpr std::string_view kOwnIndex = "The index is kept in this server's own way.";

constexpr Property kTopic[] = {
    {.name = "acks.all.mode", .type = kString, .default_value = "quorum", .choices = "quorum,isr",
     .node_name = "acks.all.mode",
     .documentation = "What a produce request with acks=all waits for: `quorum`, the write quorum and at least "
                      "min.insync.replicas copies; `isr`, in addition every replica that is in sync."},
    {.name = "cleanup.policy", .type = kList, .default_value = "delete", .choices = "compact,delete",
     .node_name = "log.cleanup.policy",
     .documentation = "What happens to old segments. `delete`: they go once retention.ms or retention.bytes says so. "
                      "`compact`: of each key, the last record stays; records need keys. An empty list: they stay for ever."},
    {.name = "compression.gzip.level", .type = kInt, .support = kAccepted, .default_value = "-1", .min = -1, .max = 9,
     .node_name = "compression.gzip.level", .documentation = "Compression level for compression.type=gzip.",
     .reason = kNoRecompression},
    {.name = "compression.lz4.level", .type = kInt, .support = kAccepted, .default_value = "9", .min = 1, .max = 17,
     .node_name = "compression.lz4.level", .documentation = "Compression level for compression.type=lz4.",
     .reason = kNoRecompression},
    {.name = "compression.type", .type = kString, .support = kAccepted, .default_value = "producer",
     .choices = "uncompressed,zstd,lz4,snappy,gzip,producer", .node_name = "compression.type",
     .documentation = "How batches are compressed. `producer`: as they arrive.", .reason = kNoRecompression},
    {.name = "compression.zstd.level", .type = kInt, .support = kAccepted, .default_value = "3", .min = -131072, .max = 22,
     .node_name = "compression.zstd.level", .documentation = "Compression level for compression.type=zstd.",
     .reason = kNoRecompression},
    {.name = "delete.retention.ms", .type = kLong, .default_value = "86400000", .min = 0,
     .node_name = "log.cleaner.delete.retention.ms",
     .documentation = "How long a compacted log keeps the markers of deleted keys, in milliseconds, counted from the first "
                      "compaction that met them. Readers who take longer may miss a deletion."},
    {.name = "file.delete.delay.ms", .type = kLong, .support = kAccepted, .default_value = "60000", .min = 0,
     .node_name = "log.segment.delete.delay.ms",
     .documentation = "How long a file stays after its segment was deleted, in milliseconds.",
     .reason = "Files go as soon as nobody reads them."},
    {.name = "flush.bytes", .type = kLong, .default_value = "16777216", .min = 1, .node_name = "flush.bytes",
     .documentation = "With write.caching=true: the most bytes of a partition that are acknowledged but not yet synced."},
    {.name = "flush.messages", .type = kLong, .default_value = kForever, .min = 1,
     .node_name = "log.flush.interval.messages",
     .documentation = "With write.caching=true: the most records of a partition that are acknowledged but not yet synced. "
                      "Without it there are none."},
    {.name = "flush.ms", .type = kLong, .default_value = "1000", .min = 0, .node_name = "log.flush.interval.ms",
     .documentation = "With write.caching=true: how long an acknowledged record may stay unsynced, in milliseconds. "
                      "Without it every acknowledged record is synced."},
    {.name = "follower.replication.throttled.replicas", .type = kList, .support = kRefused, .default_value = "",
     .documentation = "Replicas whose fetching is throttled.", .reason = kNoThrottle},
    {.name = "index.interval.bytes", .type = kInt, .support = kAccepted, .default_value = "4096", .min = 0,
     .max = kInt32Max, .node_name = "log.index.interval.bytes",
     .documentation = "Bytes of a segment between two entries of its index.", .reason = kOwnIndex},
    {.name = "leader.replication.throttled.replicas", .type = kList, .support = kRefused, .default_value = "",
     .documentation = "Replicas whose sending is throttled.", .reason = kNoThrottle},
    {.name = "local.retention.bytes", .type = kLong, .support = kAccepted, .default_value = "-2", .min = -2,
     .node_name = "log.local.retention.bytes",
     .documentation = "Bytes of a partition that stay on local disks in tiered storage; -2: retention.bytes.",
     .reason = kNoTiering},
    {.name = "local.retention.ms", .type = kLong, .support = kAccepted, .default_value = "-2", .min = -2,
     .node_name = "log.local.retention.ms",
     .documentation = "How long records stay on local disks in tiered storage, in milliseconds; -2: retention.ms.",
     .reason = kNoTiering},
    {.name = "max.compaction.lag.ms", .type = kLong, .default_value = kForever, .min = 1,
     .node_name = "log.cleaner.max.compaction.lag.ms",
     .documentation = "The longest time until a record is compacted, in milliseconds. Segments of a compacted log are "
                      "completed at least that often."},
    {.name = "max.message.bytes", .type = kInt, .default_value = "1048588", .min = 0, .max = limits::kBatchBytesMax,
     .node_name = "message.max.bytes",
     .documentation = "The largest batch that producers may send, in bytes, as compressed."},
    {.name = "message.timestamp.after.max.ms", .type = kLong, .default_value = "3600000", .min = 0,
     .node_name = "log.message.timestamp.after.max.ms",
     .documentation = "How far a record's timestamp may lie after the server's clock, in milliseconds. Not checked with "
                      "message.timestamp.type=LogAppendTime."},
    {.name = "message.timestamp.before.max.ms", .type = kLong, .default_value = kForever, .min = 0,
     .node_name = "log.message.timestamp.before.max.ms",
     .documentation = "How far a record's timestamp may lie before the server's clock, in milliseconds. Not checked with "
                      "message.timestamp.type=LogAppendTime."},
    {.name = "message.timestamp.type", .type = kString, .default_value = "CreateTime",
     .choices = "CreateTime,LogAppendTime", .node_name = "log.message.timestamp.type",
     .documentation = "Whose clock gives records their timestamp: the producer's or the server's."},
    {.name = "min.cleanable.dirty.ratio", .type = kDouble, .default_value = "0.5", .min = 0, .max = 1,
     .node_name = "log.cleaner.min.cleanable.ratio",
     .documentation = "A log is compacted when more than this share of its completed segments has not been yet."},
    {.name = "min.compaction.lag.ms", .type = kLong, .default_value = "0", .min = 0,
     .node_name = "log.cleaner.min.compaction.lag.ms",
     .documentation = "The shortest time until a record is compacted, in milliseconds."},
    {.name = "min.insync.replicas", .type = kInt, .default_value = "1", .min = 1, .max = kInt32Max,
     .node_name = "min.insync.replicas",
     .documentation = "With acks=all: the fewest copies in sync for a write to be accepted, and the fewest that must have "
                      "it before it is acknowledged."},
    {.name = "preallocate", .type = kBoolean, .support = kAccepted, .default_value = "false",
     .node_name = "log.preallocate", .documentation = "Whether a new segment's space is reserved.",
     .reason = "Files are prepared in this server's own way."},
    {.name = "read.quorum", .type = kInt, .support = kRefused, .default_value = "0",
     .documentation = "Copies asked by a quorum read; 0: enough to see every committed record. Recovery does not use it.",
     .reason = "Reads go to the leader; quorum reads do not exist yet."},
    {.name = "record.validation", .type = kString, .default_value = "structure", .choices = "structure,full",
     .node_name = "record.validation",
     .documentation = "How closely a produced batch is looked at. `structure`: checksum, header and, if uncompressed, each "
                      "record; compressed batches are opened where their contents matter. `full`: all are opened."},
    {.name = "remote.log.copy.disable", .type = kBoolean, .support = kRefused, .default_value = "false",
     .documentation = "Whether copying to tiered storage is stopped.", .reason = kNoTiering},
    {.name = "remote.log.delete.on.disable", .type = kBoolean, .support = kRefused, .default_value = "false",
     .documentation = "Whether turning tiered storage off deletes what it holds.", .reason = kNoTiering},
    {.name = "remote.storage.enable", .type = kBoolean, .support = kRefused, .default_value = "false",
     .documentation = "Whether old segments move to tiered storage.", .reason = kNoTiering},
    {.name = "retention.bytes", .type = kLong, .default_value = "-1", .node_name = "log.retention.bytes",
     .documentation = "Bytes that a partition may have before its oldest segments are deleted; negative: no limit."},
    {.name = "retention.ms", .type = kLong, .default_value = "604800000", .min = -1, .node_name = "log.retention.ms",
     .documentation = "How long records are kept at least, in milliseconds; -1: for ever. Whole segments are deleted."},
    {.name = "segment.bytes", .type = kInt, .default_value = "1073741824", .min = 1048576, .max = kInt32Max,
     .node_name = "log.segment.bytes", .documentation = "Bytes from which a partition goes on in a new segment file."},
    {.name = "segment.index.bytes", .type = kInt, .support = kAccepted, .default_value = "10485760", .min = 4,
     .max = kInt32Max, .node_name = "log.index.size.max.bytes", .documentation = "The largest size of a segment's index.",
     .reason = kOwnIndex},
    {.name = "segment.jitter.ms", .type = kLong, .default_value = "0", .min = 0, .node_name = "log.roll.jitter.ms",
     .documentation = "The most that is randomly taken off segment.ms, in milliseconds, so that many partitions do not "
                      "begin segments together."},
    {.name = "segment.ms", .type = kLong, .default_value = "604800000", .min = 1, .node_name = "log.roll.ms",
     .documentation = "The age at which a partition goes on in a new segment file, in milliseconds, though the old one is "
                      "not full."},
    {.name = "unclean.leader.election.enable", .type = kBoolean, .support = kRefused, .default_value = "false",
     .node_name = "unclean.leader.election.enable",
     .documentation = "Whether a replica that may lack acknowledged records can become leader.",
     .reason = "Recovery never drops acknowledged records."},
    {.name = "write.caching", .type = kBoolean, .default_value = "false", .node_name = "write.caching",
     .documentation = "Whether writes are acknowledged before they are synced. A crash of the operating system or a power "
                      "cut can then lose what flush.ms, flush.bytes and flush.messages allow, and the "
                      "death of the process the newest 10 ms, or as long as a sync takes."},
    {.name = "write.quorum", .type = kInt, .default_value = "0", .min = 0, .max = limits::kReplicasPerPartitionMax,
     .node_name = "write.quorum",
     .documentation = "Copies that must have a record before it is committed; 0: a majority."},
};
static_assert(std::ranges::is_sorted(kTopic, {}, &Property::name));

// What only nodes have. All from the configuration file (docs/configuration.md), so read-only here.
constexpr Property kNodeOnly[] = {
    {.name = "advertised.listeners", .type = kString, .default_value = "",
     .documentation = "The addresses that clients are told, by listener."},
    {.name = "auto.create.topics.enable", .type = kBoolean, .default_value = "true",
     .documentation = "Whether a log is created when a client first asks for it."},
    {.name = "broker.id", .type = kInt, .default_value = "1", .documentation = "This node's id."},
    {.name = "broker.rack", .type = kString, .default_value = "", .documentation = "Where this node stands."},
    {.name = "connections.max.idle.ms", .type = kLong, .default_value = "600000",
     .documentation = "How long a connection may be silent before it is closed, in milliseconds."},
    {.name = "default.replication.factor", .type = kInt, .default_value = "1",
     .documentation = "Copies of a new log whose creator does not say."},
    {.name = "delete.topic.enable", .type = kBoolean, .default_value = "true",
     .documentation = "Whether logs can be deleted. They can."},
    {.name = "group.initial.rebalance.delay.ms", .type = kInt, .default_value = "3000",
     .documentation = "How long the first member of an empty group waits for others, in milliseconds."},
    {.name = "group.max.session.timeout.ms", .type = kInt, .default_value = "1800000",
     .documentation = "The longest session timeout that a member may ask for, in milliseconds."},
    {.name = "group.max.size", .type = kInt, .default_value = "10000", .documentation = "Members of a group."},
    {.name = "group.min.session.timeout.ms", .type = kInt, .default_value = "6000",
     .documentation = "The shortest session timeout that a member may ask for, in milliseconds."},
    {.name = "listeners", .type = kString, .default_value = "", .documentation = "The addresses listened on, by listener."},
    {.name = "log.dirs", .type = kString, .default_value = "", .documentation = "Where the data lies."},
    {.name = "log.retention.check.interval.ms", .type = kLong, .default_value = "300000",
     .documentation = "How often old segments are looked for, in milliseconds."},
    {.name = "max.connection.creation.rate", .type = kInt, .default_value = "2000",
     .documentation = "New connections of one listener a second; more wait to be served."},
    {.name = "max.connections", .type = kInt, .default_value = "10000",
     .documentation = "Connections of one listener at a time."},
    {.name = "max.connections.per.ip", .type = kInt, .default_value = "2000",
     .documentation = "Connections of one client address at a time."},
    {.name = "node.id", .type = kInt, .default_value = "1", .documentation = "This node's id."},
    {.name = "num.partitions", .type = kInt, .default_value = "1",
     .documentation = "Partitions of a new log whose creator does not say."},
    {.name = "offset.metadata.max.bytes", .type = kInt, .default_value = "4096",
     .documentation = "The text that a client may commit with an offset, in bytes."},
    {.name = "offsets.retention.check.interval.ms", .type = kLong, .default_value = "600000",
     .documentation = "How often old offsets are looked for, in milliseconds."},
    {.name = "offsets.topic.num.partitions", .type = kInt, .default_value = "50",
     .documentation = "Partitions of the internal log of groups when it is created."},
    {.name = "producer.id.expiration.ms", .type = kInt, .default_value = "86400000",
     .documentation = "How long an idempotent producer is remembered after its last write, in milliseconds."},
    {.name = "socket.request.max.bytes", .type = kInt, .default_value = "104857600",
     .documentation = "The largest request, in bytes."},
};

std::vector<Property> make_node_table() {
  std::vector<Property> table(std::begin(kNodeOnly), std::end(kNodeOnly));
  for (Property& property : table) property.read_only = true;
  for (const Property& topic : kTopic) {
    if (topic.node_name.empty()) continue;
    Property& property = table.emplace_back(topic);
    property.name = topic.node_name;
    property.node_name = {};
  }
  std::ranges::sort(table, {}, &Property::name);
  return table;
}

const Property* find_in(std::span<const Property> table, std::string_view name) {
  const auto at = std::ranges::lower_bound(table, name, {}, &Property::name);
  return at != table.end() && at->name == name ? &*at : nullptr;
}

}  // namespace

std::span<const Property> topic_properties() { return kTopic; }

std::span<const Property> node_properties() {
  static const std::vector<Property> table = make_node_table();
  return table;
}

const Property* find_topic_property(std::string_view name) { return find_in(topic_properties(), name); }
const Property* find_node_property(std::string_view name) { return find_in(node_properties(), name); }

}  // namespace pyralog::cluster
