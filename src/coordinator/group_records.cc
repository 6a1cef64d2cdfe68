#include "coordinator/group_records.h"

#include <fmt/format.h>

#include "protocol/kafka/decode_impl.h"
#include "protocol/kafka/encode_impl.h"

namespace pyralog::coordinator {
namespace {

using namespace protocol;

// The kind of a record is the version of its key.
constexpr std::int16_t kOffsetKeyOfOld = 0;  // of brokers before 0.9, in the same form
constexpr std::int16_t kOffsetKey = 1;
constexpr std::int16_t kGroupKey = 2;

struct OffsetKey {
  std::string_view group;
  std::string_view topic;
  PartitionIndex partition;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("group", from(0), self.group...);
    visit("topic", from(0), self.topic...);
    visit("partition", from(0), self.partition...);
  }
};

struct OffsetValue {
  static constexpr VersionRange kVersions{0, 4};
  Offset offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string_view metadata;
  std::int64_t commit_timestamp = 0;
  std::int64_t expire_timestamp = -1;
  LogId topic_id;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("offset", from(0), self.offset...);
    visit("leaderEpoch", from(3).ignorable(), self.leader_epoch...);
    visit("metadata", from(0), self.metadata...);
    visit("commitTimestamp", from(0), self.commit_timestamp...);
    visit("expireTimestamp", from(1).to(1).ignorable(), self.expire_timestamp...);
    visit("topicId", from(4).tagged(0).ignorable(), self.topic_id...);
  }
};

struct GroupKey {
  std::string_view group;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("group", from(0), self.group...);
  }
};

struct MemberValue {
  std::string_view member_id;
  std::optional<std::string_view> instance_id;
  std::string_view client_id;
  std::string_view client_host;
  std::int32_t rebalance_timeout = -1;
  std::int32_t session_timeout = 0;
  Bytes subscription;
  Bytes assignment;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("memberId", from(0), self.member_id...);
    visit("groupInstanceId", from(3).nullable(3).ignorable(), self.instance_id...);
    visit("clientId", from(0), self.client_id...);
    visit("clientHost", from(0), self.client_host...);
    visit("rebalanceTimeout", from(1).ignorable(), self.rebalance_timeout...);
    visit("sessionTimeout", from(0), self.session_timeout...);
    visit("subscription", from(0), self.subscription...);
    visit("assignment", from(0), self.assignment...);
  }
  friend bool operator==(const MemberValue&, const MemberValue&) = default;
};

struct GroupValue {
  static constexpr VersionRange kVersions{0, 4};
  std::string_view protocol_type;
  Generation generation;
  std::optional<std::string_view> protocol;
  std::optional<std::string_view> leader;
  std::int64_t current_state_timestamp = -1;
  ArrayView<MemberValue> members;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("protocolType", from(0), self.protocol_type...);
    visit("generation", from(0), self.generation...);
    visit("protocol", from(0).nullable(), self.protocol...);
    visit("leader", from(0).nullable(), self.leader...);
    visit("currentStateTimestamp", from(2).ignorable(), self.current_state_timestamp...);
    visit("members", from(0), self.members...);
  }
};

/// What there is to know of a subscription here; later fields follow.
struct SubscriptionStart {
  ArrayView<std::string_view> topics;

  template <class Visitor, class... Self>
  static constexpr void fields(Visitor& visit, Self&... self) {
    visit("Topics", from(0), self.topics...);
  }
};

constexpr ApiVersion kFlexibleFrom(4);
constexpr ApiVersion kOffsetVersion(3);          // what Kafka writes, so that all tools can read it
constexpr ApiVersion kOffsetVersionExpiring(1);  // the only one with a time to expire at
constexpr ApiVersion kGroupVersion(3);

/// `prefix` as an int16, then the struct as `version` has it.
template <class T>
std::string encode(std::int16_t prefix, const T& value, ApiVersion version) {
  Sizer sizer(version, version >= kFlexibleFrom);
  protocol::detail::size_struct(sizer, value);
  PYRALOG_ASSERT(!sizer.refused(), "a record of ours says what its version can");
  std::string bytes(sizeof prefix + sizer.size().inline_bytes, 0);
  auto* data = reinterpret_cast<std::byte*>(bytes.data());
  store_big(data, prefix);
  std::vector<RecordsHole> no_holes;
  Writer writer(MutableBytes(data, bytes.size()).subspan(sizeof prefix), version, version >= kFlexibleFrom, no_holes);
  protocol::detail::write_struct(writer, value);
  return bytes;
}

template <class T>
Result<T> decode_body(ByteView body, ApiVersion version, Arena& arena) {
  const auto lengths = version >= kFlexibleFrom ? Reader::Lengths::kCompact : Reader::Lengths::kFixed;
  Reader reader(body, version, lengths, arena);
  T value{};
  protocol::detail::read_struct(reader, value);
  PYRALOG_TRY(reader.result());
  return value;
}

/// Reads a value, whose first two bytes are its version.
template <class T>
Result<T> decode_value(ByteView value, Arena& arena) {
  if (value.size() < 2) return Error(ErrorCode::kCorrupt, "value without a version");
  const ApiVersion version(load_big<std::int16_t>(value.data()));
  if (!T::kVersions.contains(version)) {
    return Error(ErrorCode::kUnsupportedVersion, fmt::format("value of version {}", version.value));
  }
  return decode_body<T>(value.subspan(2), version, arena);
}

Blob blob_of(Bytes bytes) { return Blob(as_text(bytes.view)); }
Bytes bytes_of(const Blob& blob) { return {as_bytes(blob)}; }

std::optional<std::string> owned(std::optional<std::string_view> text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

CommittedOffset committed_of(const OffsetValue& value) {
  CommittedOffset committed{.offset = value.offset,
                            .leader_epoch = value.leader_epoch,
                            .metadata = std::string(value.metadata),
                            .committed_at = WallTime{value.commit_timestamp}};
  if (value.expire_timestamp != -1) committed.expires_at = WallTime{value.expire_timestamp};
  return committed;
}

StoredGroup group_of(const GroupValue& value) {
  StoredGroup group{.protocol_type = std::string(value.protocol_type),
                    .generation = value.generation,
                    .protocol_name = owned(value.protocol),
                    .leader = owned(value.leader),
                    .state_since = WallTime{value.current_state_timestamp}};
  for (const MemberValue& member : value.members) {
    group.members.push_back({.member_id = std::string(member.member_id),
                             .instance_id = owned(member.instance_id),
                             .client_id = std::string(member.client_id),
                             .client_host = std::string(member.client_host),
                             .rebalance_timeout_ms = member.rebalance_timeout,
                             .session_timeout_ms = member.session_timeout,
                             .subscription = blob_of(member.subscription),
                             .assignment = blob_of(member.assignment)});
  }
  return group;
}

Result<LogEntry> read_offset(ByteView key, std::optional<ByteView> value, Arena& arena) {
  PYRALOG_ASSIGN(const OffsetKey read, decode_body<OffsetKey>(key, ApiVersion(0), arena));
  OffsetEntry entry{.partition = {std::string(read.topic), read.partition}};
  if (value) {
    auto body = decode_value<OffsetValue>(*value, arena);
    if (!body.ok()) {
      return body.error().with_context(
          fmt::format("offset of group \"{}\" for {}-{}", read.group, read.topic, read.partition.value));
    }
    entry.committed = committed_of(*body);
  }
  return LogEntry{std::string(read.group), std::move(entry)};
}

Result<LogEntry> read_group(ByteView key, std::optional<ByteView> value, Arena& arena) {
  PYRALOG_ASSIGN(const GroupKey read, decode_body<GroupKey>(key, ApiVersion(0), arena));
  GroupEntry entry;
  if (value) {
    auto body = decode_value<GroupValue>(*value, arena);
    if (!body.ok()) return body.error().with_context(fmt::format("state of group \"{}\"", read.group));
    entry.group = group_of(*body);
  }
  return LogEntry{std::string(read.group), std::move(entry)};
}

OffsetKey offset_key(std::string_view group_id, const TopicPartition& partition) {
  return {.group = group_id, .topic = partition.topic, .partition = partition.partition};
}

/// The bytes of the UTF-8 sequence that starts with `lead`; 0: none does.
std::size_t sequence_bytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >> 5 == 0b110) return 2;
  if (lead >> 4 == 0b1110) return 3;
  return lead >> 3 == 0b11110 ? 4 : 0;
}

/// Takes the next code point of UTF-8 off `text`; what is malformed counts as U+FFFD, byte by byte.
std::uint32_t take_code_point(std::string_view& text) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t bytes = sequence_bytes(byte_at(0));
  std::uint32_t point = bytes <= 1 ? byte_at(0) : byte_at(0) & (0x7Fu >> bytes);
  bool valid = bytes != 0 && bytes <= text.size();
  for (std::size_t i = 1; valid && i < bytes; ++i) {
    valid = byte_at(i) >> 6 == 0b10;
    point = point << 6 | (byte_at(i) & 0x3Fu);
  }
  text.remove_prefix(valid ? bytes : 1);
  return valid ? point : kReplacement;
}

}  // namespace

LogRecord offset_record(std::string_view group_id, const TopicPartition& partition, const CommittedOffset& committed) {
  const OffsetValue value{.offset = committed.offset,
                          .leader_epoch = committed.leader_epoch,
                          .metadata = committed.metadata,
                          .commit_timestamp = committed.committed_at.ms,
                          .expire_timestamp = committed.expires_at ? committed.expires_at->ms : -1};
  const ApiVersion version = committed.expires_at ? kOffsetVersionExpiring : kOffsetVersion;
  return {.key = encode(kOffsetKey, offset_key(group_id, partition), ApiVersion(0)),
          .value = encode(version.value, value, version)};
}

LogRecord offset_tombstone(std::string_view group_id, const TopicPartition& partition) {
  return {.key = encode(kOffsetKey, offset_key(group_id, partition), ApiVersion(0)), .value = std::nullopt};
}

LogRecord group_record(std::string_view group_id, const StoredGroup& group) {
  std::vector<MemberValue> members;
  members.reserve(group.members.size());
  for (const StoredMember& member : group.members) {
    members.push_back({.member_id = member.member_id,
                       .instance_id = member.instance_id,
                       .client_id = member.client_id,
                       .client_host = member.client_host,
                       .rebalance_timeout = member.rebalance_timeout_ms,
                       .session_timeout = member.session_timeout_ms,
                       .subscription = bytes_of(member.subscription),
                       .assignment = bytes_of(member.assignment)});
  }
  const GroupValue value{.protocol_type = group.protocol_type,
                         .generation = group.generation,
                         .protocol = group.protocol_name,
                         .leader = group.leader,
                         .current_state_timestamp = group.state_since.ms,
                         .members = members};
  return {.key = encode(kGroupKey, GroupKey{group_id}, ApiVersion(0)),
          .value = encode(kGroupVersion.value, value, kGroupVersion)};
}

LogRecord group_tombstone(std::string_view group_id) {
  return {.key = encode(kGroupKey, GroupKey{group_id}, ApiVersion(0)), .value = std::nullopt};
}

Result<LogEntry> read_record(ByteView key, std::optional<ByteView> value) {
  if (key.size() < 2) return Error(ErrorCode::kCorrupt, "key without a kind");
  const auto kind = load_big<std::int16_t>(key.data());
  Arena arena;
  if (kind == kOffsetKey || kind == kOffsetKeyOfOld) return read_offset(key.subspan(2), value, arena);
  if (kind == kGroupKey) return read_group(key.subspan(2), value, arena);
  return Error(ErrorCode::kUnsupportedVersion, fmt::format("record of kind {}", kind));
}

Result<std::vector<std::string>> subscribed_topics(std::string_view subscription) {
  const ByteView bytes = as_bytes(subscription);
  if (bytes.size() < 2) return Error(ErrorCode::kCorrupt, "subscription without a version");
  if (load_big<std::int16_t>(bytes.data()) < 0) return Error(ErrorCode::kCorrupt, "subscription of a negative version");
  Arena arena;
  PYRALOG_ASSIGN(const SubscriptionStart start, decode_body<SubscriptionStart>(bytes.subspan(2), ApiVersion(0), arena));
  return std::vector<std::string>(start.topics.begin(), start.topics.end());
}

PartitionIndex partition_of_group(std::string_view group_id, std::int32_t partition_count) {
  std::uint32_t hash = 0;  // over UTF-16 code units
  const auto add = [&](std::uint32_t unit) { hash = 31 * hash + unit; };
  while (!group_id.empty()) {
    const std::uint32_t point = take_code_point(group_id);
    if (point < 0x10000) {
      add(point);
    } else {
      add(0xD800 + ((point - 0x10000) >> 10));
      add(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  // Kafka takes the absolute value, and 0 for the one number that has none.
  const auto as_java = static_cast<std::int32_t>(hash);
  const std::int32_t positive = as_java == INT32_MIN ? 0 : as_java < 0 ? -as_java : as_java;
  return PartitionIndex(positive % partition_count);
}

}  // namespace pyralog::coordinator
