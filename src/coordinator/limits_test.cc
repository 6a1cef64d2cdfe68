// What bounds a coordinator's memory, and what is said to whoever goes beyond.
#include <gtest/gtest.h>

#include "coordinator/transcript.h"

namespace pyralog::coordinator {
namespace {

bool says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::vector<Strategy> strategies_of(std::size_t bytes) { return {{"range", std::string(bytes, 's')}}; }

TEST(GroupLimits, ANewGroupNeedsRoomAndOneThatIsThereDoesNot) {
  Transcript t;
  t.room.groups_max = 1;
  t.join("a");
  t.take();
  t.join("b", {.group = "h"});
  EXPECT_EQ(t.take(), "\nb joins\n  to b: POLICY_VIOLATION\n");
  t.join("c");
  EXPECT_FALSE(says(t.take(), "POLICY_VIOLATION"));
  EXPECT_EQ(t.coordinator().group_counters().groups_refused, 1u);
}

TEST(GroupLimits, ACommitWithoutMembersNeedsRoomForItsGroup) {
  Transcript t;
  t.room.groups_max = 1;
  t.join("a", {.group = "h"});
  t.take();
  t.commit("", -1, 5);
  EXPECT_EQ(t.take(), "\nnobody commits 5 in -1\n  to committer: commit POLICY_VIOLATION\n");
}

TEST(GroupLimits, ADeletedGroupMakesRoom) {
  Transcript t;
  t.room.groups_max = 1;
  t.commit("", -1, 5);
  t.stored();
  t.remove();
  t.stored();
  EXPECT_EQ(t.room.groups, 0u);
  t.take();
  t.join("b", {.group = "h"});
  EXPECT_FALSE(says(t.take(), "POLICY_VIOLATION"));
}

TEST(GroupLimits, GroupsOfTheLogAreLoadedHoweverMany) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.room.groups_max = 0;
  t.restart();
  t.take();
  EXPECT_EQ(t.room.groups, 1u);
  t.fetch();
  EXPECT_EQ(t.take(), "\ncommitted: 5\n");
}

TEST(GroupLimits, MembersThatSayTooMuchAreRefusedAndTheOthersGoOn) {
  Transcript t({.member_bytes_max = 1000});
  t.join("a", {.strategies = strategies_of(400)});
  t.join("b", {.strategies = strategies_of(800)});
  EXPECT_TRUE(says(t.take(), "to b: GROUP_MAX_SIZE_REACHED"));
  t.pass(3000);
  EXPECT_TRUE(says(t.take(), "to a: a1 joined 1"));
  EXPECT_EQ(t.coordinator().find_group("g")->member_bytes(), 1 + 5 + sizeof(Strategy) + 5 + 400);
}

TEST(GroupLimits, WhatAMemberSaidBeforeDoesNotCountTwice) {
  Transcript t({.member_bytes_max = 1000});
  t.join("a", {.strategies = strategies_of(700)});
  t.pass(3000);
  t.take();
  t.join("a", {.member = "a1", .strategies = strategies_of(800)});
  EXPECT_TRUE(says(t.take(), "to a: a1 joined 2"));
}

TEST(GroupLimits, AMemberThatGrowsTooMuchIsOutAndItsRoomIsFree) {
  Transcript t({.member_bytes_max = 1000});
  t.join("a", {.strategies = strategies_of(700)});
  t.pass(3000);
  t.take();
  t.join("a", {.member = "a1", .strategies = strategies_of(2000)});
  EXPECT_TRUE(says(t.take(), "to a: GROUP_MAX_SIZE_REACHED"));
  EXPECT_EQ(t.coordinator().find_group("g")->member_bytes(), 0u);
}

TEST(GroupLimits, OffsetsAreVisitedInPages) {
  Transcript t;
  CommitRequest request{.group_id = "g"};
  for (int i = 0; i < 5; ++i) request.partitions.push_back({.partition = {"t", PartitionIndex(i)}, .offset = Offset(i)});
  request.partitions.push_back({.partition = {"u", PartitionIndex(0)}, .offset = Offset(5)});
  t.coordinator().commit(std::move(request), WaiterId(1), t.now());
  const Output output = t.coordinator().take_output();
  t.coordinator().settle(output.appends[0].id, KafkaError::kNone, t.now());
  std::vector<std::int64_t> seen;
  std::optional<TopicPartition> at;
  int pages = 0;
  do {
    const auto see = [&](const auto&, const auto& offset) { seen.push_back(offset.offset.value); };
    at = t.coordinator().visit_offsets("g", at, 4, see);
    ++pages;
  } while (at.has_value());
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(t.coordinator().committed_topics(), (std::set<std::string>{"t", "u"}));
}

}  // namespace
}  // namespace pyralog::coordinator
