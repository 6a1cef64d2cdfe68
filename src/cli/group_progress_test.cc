#include "cli/group_progress.h"

#include <gtest/gtest.h>

namespace pyralog::cli {
namespace {

using client::GroupInfo;
using client::GroupMember;

constexpr std::int64_t kSecond = 1000;

client::LogPartition place(std::int32_t partition) { return {"orders", PartitionIndex(partition)}; }

GroupMember member(const std::string& id, std::vector<client::LogPartition> partitions) {
  return {.id = id, .instance_id = {}, .client_id = "c", .host = "/h", .partitions = std::move(partitions)};
}

GroupInfo group(const std::string& state, std::vector<GroupMember> members) {
  return {.id = "g", .state = state, .protocol_type = "consumer", .protocol = "range", .coordinator = NodeId(1),
          .members = std::move(members)};
}

GroupProgress progress(std::int64_t committed, std::int64_t start, std::int64_t end, const GroupMember* owner = nullptr) {
  return {.place = place(0), .committed = Offset(committed), .start = Offset(start), .end = Offset(end),
          .first_waiting_ms = {}, .owner = owner, .unknown = {}};
}

TEST(GroupProgress, LagCountsFromTheCommittedOffset) {
  EXPECT_EQ(progress(30, 10, 50).lag(), 20);
  EXPECT_EQ(progress(60, 10, 50).lag(), 0);
  EXPECT_EQ(progress(3, 10, 50).lag(), 40);  // what was deleted does not wait
}

TEST(GroupProgress, WithoutACommitEverythingLags) {
  GroupProgress none = progress(0, 10, 50);
  none.committed.reset();
  EXPECT_EQ(none.lag(), 40);
  none.start.reset();
  EXPECT_EQ(none.lag(), std::nullopt);
}

TEST(GroupProgress, LagInSecondsIsTheAgeOfTheOldestRecordThatWaits) {
  GroupProgress one = progress(30, 10, 50);
  EXPECT_EQ(one.lag_seconds(WallTime{100 * kSecond}), std::nullopt);
  one.first_waiting_ms = 40 * kSecond;
  EXPECT_EQ(one.lag_seconds(WallTime{100 * kSecond}), 60);
  EXPECT_EQ(one.lag_seconds(WallTime{39 * kSecond}), 0);  // the writer's clock is ahead of ours
  EXPECT_EQ(progress(50, 10, 50).lag_seconds(WallTime{100 * kSecond}), 0);
}

/// One line each.
std::string problems(const GroupInfo& info, const std::vector<GroupProgress>& partitions) {
  std::string text;
  for (const std::string& problem : group_problems(info, partitions)) text += problem + "\n";
  return text;
}

bool says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(GroupProblems, NoneWhereEverybodyReads) {
  const GroupInfo info = group("Stable", {member("a", {place(0)})});
  EXPECT_EQ(problems(info, {progress(30, 10, 50, &info.members[0])}), "");
  EXPECT_EQ(problems(group("Empty", {}), {progress(50, 10, 50)}), "");
}

TEST(GroupProblems, NobodyReads) {
  EXPECT_EQ(problems(group("Empty", {}), {progress(30, 10, 50)}),
            "nobody reads: the group has no members, and 20 records wait\n");
}

TEST(GroupProblems, Rebalances) {
  const auto members = [] { return std::vector<GroupMember>{member("a", {}), member("b", {})}; };
  EXPECT_TRUE(says(problems(group("PreparingRebalance", members()), {}), "2 members known"));
  EXPECT_TRUE(says(problems(group("CompletingRebalance", members()), {}), "2 members have joined and wait for the leader"));
}

TEST(GroupProblems, MembersWithoutPartitionsAndPartitionsWithoutMembers) {
  const GroupInfo info = group("Stable", {member("a", {place(0)}), member("b", {})});
  EXPECT_EQ(problems(info, {progress(30, 10, 50, &info.members[0])}),
            "1 of 2 members own nothing: there are 1 partitions to share\n");
  const GroupInfo busy = group("Stable", {member("a", {place(1)})});
  EXPECT_EQ(problems(busy, {progress(30, 10, 50)}), "orders/0: 20 records wait and no member owns it\n");
}

TEST(GroupProblems, AnAssignmentThatCannotBeRead) {
  GroupInfo info = group("Stable", {member("a", {})});
  info.members[0].partitions = Error(ErrorCode::kCorrupt, "ends inside a number");
  EXPECT_EQ(problems(info, {}), "member a: corrupt data: ends inside a number\n");
}

TEST(GroupProblems, OffsetsOutsideTheLog) {
  EXPECT_TRUE(says(problems(group("Empty", {}), {progress(60, 10, 50)}), "offset 60 is committed and the log ends at 50"));
  EXPECT_EQ(problems(group("Empty", {}), {progress(3, 10, 10)}),
            "orders/0: 7 records after the committed offset were deleted before they were read\n");
}

TEST(GroupProblems, WhatCouldNotBeAsked) {
  GroupProgress one = progress(30, 10, 50);
  one.unknown = Error(ErrorCode::kNotFound, "log orders");
  EXPECT_TRUE(says(problems(group("Empty", {}), {one}), "orders/0: not found: log orders"));
}

}  // namespace
}  // namespace pyralog::cli
