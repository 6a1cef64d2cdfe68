#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

/// The records of the internal log, in the formats that Kafka keeps in `__consumer_offsets`: `format.md`.
namespace pyralog::coordinator {

/// Bytes that mean nothing to the coordinator: subscriptions, assignments.
using Blob = std::string;

/// Counts a group's completed joins.
using Generation = StrongId<struct GenerationTag, std::int32_t>;
inline constexpr Generation kNoGeneration{-1};

/// What a group has an offset for.
struct TopicPartition {
  std::string topic;
  PartitionIndex partition;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

struct CommittedOffset {
  Offset offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
  WallTime committed_at;
  std::optional<WallTime> expires_at;  ///< set by the client, which only versions up to 4 of OffsetCommit can
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

struct StoredMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = -1;  ///< -1: as the session timeout
  std::int32_t session_timeout_ms = 0;
  Blob subscription;
  Blob assignment;
  friend bool operator==(const StoredMember&, const StoredMember&) = default;
};

struct StoredGroup {
  std::string protocol_type;
  Generation generation;
  std::optional<std::string> protocol_name;
  std::optional<std::string> leader;
  WallTime state_since{-1};
  std::vector<StoredMember> members;
  friend bool operator==(const StoredGroup&, const StoredGroup&) = default;
};

/// A record to append: without a value it erases what was stored under its key.
struct LogRecord {
  std::string key;
  std::optional<std::string> value;
  friend bool operator==(const LogRecord&, const LogRecord&) = default;
};

LogRecord offset_record(std::string_view group_id, const TopicPartition& partition, const CommittedOffset& committed);
LogRecord offset_tombstone(std::string_view group_id, const TopicPartition& partition);
LogRecord group_record(std::string_view group_id, const StoredGroup& group);
LogRecord group_tombstone(std::string_view group_id);

struct OffsetEntry {
  TopicPartition partition;
  std::optional<CommittedOffset> committed;  ///< none: erased
};
struct GroupEntry {
  std::optional<StoredGroup> group;  ///< none: erased
};
/// What a record says about one group.
struct LogEntry {
  std::string group_id;
  std::variant<OffsetEntry, GroupEntry> what;
};

/// Reads a record; both parts may hold any bytes. kUnsupportedVersion: a kind or version of record that is not kept here.
/// kCorrupt: malformed; the detail names the group where the key could be read.
Result<LogEntry> read_record(ByteView key, std::optional<ByteView> value);

/// The topics of a consumer's subscription (what it joins with under the protocol type "consumer"). kCorrupt.
Result<std::vector<std::string>> subscribed_topics(std::string_view subscription);

/// The partition of the internal log that keeps a group: as Kafka finds it, from the hash of a Java string.
PartitionIndex partition_of_group(std::string_view group_id, std::int32_t partition_count);

}  // namespace pyralog::coordinator
