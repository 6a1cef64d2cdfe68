#include "coordinator/group_records.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pyralog::coordinator {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

Result<LogEntry> read(const std::string& key, const std::string& value) { return read_record(as_bytes(key), as_bytes(value)); }

const std::string kOffsetKeyBytes = from_hex("0001 0001 67 0001 74 00000002");  // kind 1, "g", "t", 2
const std::string kGroupKeyBytes = from_hex("0002 0001 67");                    // kind 2, "g"

// The layouts are Kafka's; these bytes were written by hand from its schemas.
TEST(GroupRecords, OffsetsHaveKafkasBytes) {
  const CommittedOffset committed{
      .offset = Offset(5), .leader_epoch = LeaderEpoch(3), .metadata = "m", .committed_at = WallTime{0x0102}};
  const LogRecord record = offset_record("g", {"t", PartitionIndex(2)}, committed);
  EXPECT_EQ(hex(record.key), hex(kOffsetKeyBytes));
  EXPECT_EQ(hex(*record.value), hex(from_hex("0003 0000000000000005 00000003 0001 6d 0000000000000102")));
  EXPECT_EQ(offset_tombstone("g", {"t", PartitionIndex(2)}), (LogRecord{record.key, std::nullopt}));
  const auto entry = read(record.key, *record.value);
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->group_id, "g");
  EXPECT_EQ(std::get<OffsetEntry>(entry->what).committed, committed);
  EXPECT_EQ(std::get<OffsetEntry>(entry->what).partition, (TopicPartition{"t", PartitionIndex(2)}));
}

TEST(GroupRecords, AnExpiryNeedsVersionOne) {
  const CommittedOffset committed{
      .offset = Offset(5), .metadata = "", .committed_at = WallTime{1}, .expires_at = WallTime{2}};
  const LogRecord record = offset_record("g", {"t", PartitionIndex(2)}, committed);
  EXPECT_EQ(hex(*record.value), hex(from_hex("0001 0000000000000005 0000 0000000000000001 0000000000000002")));
  EXPECT_EQ(std::get<OffsetEntry>(read(record.key, *record.value)->what).committed, committed);
}

TEST(GroupRecords, AllVersionsOfOffsetsAreRead) {
  const auto offset_of = [](std::string_view value) {
    auto entry = read(kOffsetKeyBytes, from_hex(value));
    return entry.ok() ? std::get<OffsetEntry>(entry->what).committed->offset.value : -1;
  };
  EXPECT_EQ(offset_of("0000 0000000000000005 0000 0000000000000001"), 5);
  EXPECT_EQ(offset_of("0002 0000000000000006 0000 0000000000000001"), 6);
  // Version 4: compact lengths, and a tagged topic id.
  EXPECT_EQ(offset_of("0004 0000000000000007 ffffffff 01 0000000000000001 00"), 7);
  EXPECT_EQ(offset_of("0004 0000000000000008 ffffffff 01 0000000000000001 01 00 10 000102030405060708090a0b0c0d0e0f"), 8);
  EXPECT_EQ(offset_of("0005 0000000000000008"), -1);
  EXPECT_EQ(offset_of("0003 0000"), -1);
  EXPECT_EQ(offset_of("00"), -1);
}

TEST(GroupRecords, GroupsHaveKafkasBytes) {
  StoredGroup group{.protocol_type = "c",
                    .generation = Generation(4),
                    .protocol_name = "r",
                    .leader = "l",
                    .state_since = WallTime{9}};
  group.members.push_back({.member_id = "m",
                           .instance_id = "i",
                           .client_id = "x",
                           .client_host = "h",
                           .rebalance_timeout_ms = 2,
                           .session_timeout_ms = 3,
                           .subscription = "s",
                           .assignment = "a"});
  const LogRecord record = group_record("g", group);
  EXPECT_EQ(hex(record.key), hex(kGroupKeyBytes));
  EXPECT_EQ(hex(*record.value), hex(from_hex("0003 0001 63 00000004 0001 72 0001 6c 0000000000000009 00000001"
                                             "0001 6d 0001 69 0001 78 0001 68 00000002 00000003"
                                             "00000001 73 00000001 61")));
  EXPECT_EQ(std::get<GroupEntry>(read(record.key, *record.value)->what).group, group);
  EXPECT_EQ(group_tombstone("g"), (LogRecord{record.key, std::nullopt}));
}

TEST(GroupRecords, AllVersionsOfGroupsAreRead) {
  const auto members_of = [](std::string_view value) {
    auto entry = read(kGroupKeyBytes, from_hex(value));
    return entry.ok() ? static_cast<int>(std::get<GroupEntry>(entry->what).group->members.size()) : -1;
  };
  EXPECT_EQ(members_of("0000 0000 00000001 ffff ffff 00000000"), 0);
  EXPECT_EQ(members_of("0000 0000 00000001 ffff ffff 00000001 0001 6d 0000 0000 00000003 00000000 00000000"), 1);
  EXPECT_EQ(members_of("0001 0000 00000001 ffff ffff 00000001 0001 6d 0000 0000 00000002 00000003 00000000 00000000"), 1);
  EXPECT_EQ(members_of("0002 0000 00000001 ffff ffff 0000000000000009 00000000"), 0);
  EXPECT_EQ(members_of("0004 01 00000001 00 00 0000000000000009 02 02 6d 00 01 01 00000002 00000003 01 01 00 00"), 1);
  EXPECT_EQ(members_of("0000 0000 00000001 ffff ffff 7fffffff"), -1);
}

TEST(GroupRecords, SubscriptionsNameTopics) {
  EXPECT_EQ(*subscribed_topics(from_hex("0000 00000002 0001 61 0002 6263 ffffffff")), (std::vector<std::string>{"a", "bc"}));
  // A version to come has more behind.
  EXPECT_EQ(*subscribed_topics(from_hex("0009 00000001 0001 61 00000000 ffff")), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(subscribed_topics("").ok());
  EXPECT_FALSE(subscribed_topics(from_hex("ffff 00000000")).ok());
  EXPECT_FALSE(subscribed_topics(from_hex("0000 7fffffff")).ok());
}

// From Java: Math.abs("…".hashCode()) % 50, with 0 for Integer.MIN_VALUE.
TEST(GroupRecords, GroupsAreWhereKafkaPutsThem) {
  EXPECT_EQ(partition_of_group("", 50).value, 0);
  EXPECT_EQ(partition_of_group("a", 50).value, 97 % 50);
  EXPECT_EQ(partition_of_group("ab", 50).value, (97 * 31 + 98) % 50);
  EXPECT_EQ(partition_of_group("hello", 50).value, 99162322 % 50);
  EXPECT_EQ(partition_of_group("console-consumer-1", 1).value, 0);
  EXPECT_EQ(partition_of_group("polygenelubricants", 50).value, 0);            // hashes to Integer.MIN_VALUE
  EXPECT_EQ(partition_of_group("\xc3\xa4", 50).value, 0xE4 % 50);              // ä
  EXPECT_EQ(partition_of_group("\xf0\x9f\x98\x80", 50).value, 1772899 % 50);   // U+1F600: 0xD83D × 31 + 0xDE00
}

}  // namespace
}  // namespace pyralog::coordinator
