#include "coordinator/transcript.h"

namespace pyralog::coordinator {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

TEST(OffsetTranscript, ACommitIsSeenOnceItIsDurable) {
  Transcript t;
  t.commit("", -1, 5);
  t.fetch();
  t.commit("", -1, 6);
  t.stored();
  t.fetch();
  t.stored();
  t.fetch();
  t.state();
  EXPECT_EQ(t.take(), R"(
nobody commits 5 in -1
  store offset 5
committed: nothing
nobody commits 6 in -1
  store offset 6
stored
  to committer: commit NONE
committed: 5
stored
  to committer: commit NONE
committed: 6
state: Empty 0
)");
}

TEST(OffsetTranscript, ACommitThatCannotBeStoredChangesNothing) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored(KafkaError::kCoordinatorNotAvailable);
  t.fetch();
  t.state();
  EXPECT_EQ(t.take(), R"(
nobody commits 5 in -1
  store offset 5
not stored: COORDINATOR_NOT_AVAILABLE
  to committer: commit COORDINATOR_NOT_AVAILABLE
committed: nothing
state: no group
)");
}

TEST(OffsetTranscript, LongMetadataAndMissingGroupsAreRefused) {
  Transcript t;
  t.commit("", -1, 5, std::string(4097, 'm'));
  t.state();
  t.commit("x", 3, 5);
  CommitRequest newer{.group_id = "g", .member = {.member_id = "x", .generation = Generation(3)}};
  newer.knows_missing_groups = true;
  newer.partitions.push_back({.partition = Transcript::kPartition, .offset = Offset(1)});
  t.coordinator().commit(newer, WaiterId(99), t.now());
  const Output output = t.coordinator().take_output();
  ASSERT_EQ(output.replies.size(), 1u);
  EXPECT_EQ(std::get<CommitAnswer>(output.replies[0].answer).partitions[0], KafkaError::kGroupIdNotFound);
  EXPECT_EQ(t.take(), R"(
nobody commits 5 in -1
  to committer: commit OFFSET_METADATA_TOO_LARGE
state: no group
x commits 5 in 3
  to committer: commit ILLEGAL_GENERATION
)");
}

TEST(OffsetTranscript, DeletingAGroupErasesWhatIsOnItsWayToTheLogToo) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.commit("", -1, 6);
  t.remove();
  t.commit("", -1, 7);
  t.join("a");
  t.stored();
  t.stored();
  t.state();
  t.fetch();
  t.remove();
  t.restart();
  t.state();
  EXPECT_EQ(t.take(), R"(
nobody commits 5 in -1
  store offset 5
stored
  to committer: commit NONE
nobody commits 6 in -1
  store offset 6
delete group
  store no offset, no group
nobody commits 7 in -1
  to committer: commit COORDINATOR_NOT_AVAILABLE
a joins
  to a: COORDINATOR_NOT_AVAILABLE
stored
  to committer: commit NONE
stored
  to admin: NONE
state: no group
committed: nothing
delete group
  to admin: GROUP_ID_NOT_FOUND
restart
state: no group
)");
}

TEST(OffsetTranscript, ADeletionThatCannotBeStoredLeavesTheGroup) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.remove();
  t.stored(KafkaError::kCoordinatorNotAvailable);
  t.take();
  t.state();
  t.fetch();
  t.commit("", -1, 6);
  EXPECT_EQ(t.take(), R"(
state: Empty 0
committed: 5
nobody commits 6 in -1
  store offset 6
)");
}

TEST(OffsetTranscript, AGroupWithMembersIsNotDeletedNorWhatItConsumes) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  // A subscription to "t": version 0, one topic, no user data.
  const Blob subscription("\0\0\0\0\0\1\0\1t\xff\xff\xff\xff", 13);
  t.join("a", {.strategies = {{"range", subscription}}});
  t.pass(0);
  t.sync("a1", 1);
  t.stored();
  t.commit("a1", 1, 5);
  t.stored();
  t.take();
  t.remove();
  t.remove_offset();
  t.coordinator().delete_offsets({.group_id = "g", .partitions = {{"u", PartitionIndex(0)}}}, WaiterId(99));
  const Output output = t.coordinator().take_output();
  ASSERT_EQ(output.replies.size(), 1u);
  EXPECT_EQ(std::get<OffsetDeleteAnswer>(output.replies[0].answer).partitions[0], KafkaError::kNone);
  EXPECT_EQ(t.take(), R"(
delete group
  to admin: NON_EMPTY_GROUP
delete offset
  to admin: partition GROUP_SUBSCRIBED_TO_TOPIC
)");
}

TEST(OffsetTranscript, WhatAGroupOfAnotherKindConsumesIsNotKnown) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  t.remove_offset();
  t.join("a", {.type = "connect"});
  t.remove_offset();
  EXPECT_EQ(t.take(), R"(
delete offset
  to admin: GROUP_ID_NOT_FOUND
a joins
delete offset
  to admin: NON_EMPTY_GROUP
)");
}

TEST(OffsetTranscript, DeletedOffsetsAreGoneOnceThatIsDurable) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.remove_offset();
  t.fetch();
  t.stored();
  t.fetch();
  EXPECT_EQ(t.take(), R"(
nobody commits 5 in -1
  store offset 5
stored
  to committer: commit NONE
delete offset
  store no offset
committed: 5
stored
  to admin: partition NONE
committed: nothing
)");
}

TEST(OffsetTranscript, OffsetsOfADeletedLogAreForgotten) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.take();
  t.coordinator().forget_topic("u");
  EXPECT_TRUE(t.coordinator().take_output().appends.empty());
  t.coordinator().forget_topic("t");
  EXPECT_EQ(t.coordinator().take_output().appends.size(), 1u);
}

TEST(OffsetTranscript, OffsetsOfAnEmptyGroupExpireAndTheGroupWithThem) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  t.join("a");
  t.pass(0);
  t.sync("a1", 1);
  t.stored();
  t.commit("a1", 1, 5);
  t.stored();
  t.pass(5'000);
  t.leave("a1");
  t.stored();
  t.stored();
  t.take();
  t.pass(7 * kDayMs);
  t.pass(600'000);  // found by the next check
  t.stored();
  t.state();
  EXPECT_EQ(t.coordinator().group_counters().offsets_expired, 1u);
  EXPECT_EQ(t.take(), R"(
604800000 ms pass
600000 ms pass
  store no offset, no group
stored
state: no group
)");
}

TEST(OffsetTranscript, AnActiveGroupsOffsetsStayAndThoseOfGivenUpTopicsExpire) {
  Transcript t({.initial_rebalance_delay = Milliseconds(0)});
  const Blob subscribed_to_u("\0\0\0\0\0\1\0\1u\xff\xff\xff\xff", 13);
  t.join("a", {.strategies = {{"range", subscribed_to_u}}, .session_ms = 1'800'000});
  t.pass(0);
  t.sync("a1", 1);
  t.stored();
  t.commit("a1", 1, 5);  // for "t"
  t.stored();
  CommitRequest other{.group_id = "g"};
  other.member = {.member_id = t.coordinator().find_group("g")->describe().members[0].member_id, .generation = Generation(1)};
  other.partitions.push_back({.partition = {"u", PartitionIndex(0)}, .offset = Offset(1)});
  t.coordinator().commit(other, WaiterId(99), t.now());
  Output output = t.coordinator().take_output();
  t.coordinator().settle(output.appends[0].id, KafkaError::kNone, t.now());
  for (std::int64_t passed = 0; passed < 7 * kDayMs; passed += 1'200'000) {
    t.take();
    t.pass(1'200'000);
    t.heartbeat("a1", 1);
  }
  EXPECT_EQ(t.take(), R"(
1200000 ms pass
  store no offset
a1 beats 1: NONE
)");
  EXPECT_NE(t.coordinator().find_offset("g", {"u", PartitionIndex(0)}), nullptr);
}

TEST(OffsetTranscript, AClientMaySayHowLongItsOffsetsAreKept) {
  Transcript t;
  CommitRequest request{.group_id = "g", .retention = Milliseconds(1'000)};
  request.partitions.push_back({.partition = Transcript::kPartition, .offset = Offset(1)});
  t.coordinator().commit(request, WaiterId(99), t.now());
  Output output = t.coordinator().take_output();
  t.coordinator().settle(output.appends[0].id, KafkaError::kNone, t.now());
  t.coordinator().take_output();
  t.pass(600'000);
  EXPECT_EQ(t.take(), "\n600000 ms pass\n  store no offset, no group\n");
}

TEST(OffsetTranscript, AnAbsurdRetentionIsNoOverflow) {
  Transcript t;
  for (const auto retention : {Milliseconds::max(), Milliseconds::min()}) {
    CommitRequest request{.group_id = "g", .retention = retention};
    request.partitions.push_back({.partition = Transcript::kPartition, .offset = Offset(1)});
    t.coordinator().commit(request, WaiterId(99), t.now());
    Output output = t.coordinator().take_output();
    t.coordinator().settle(output.appends[0].id, KafkaError::kNone, t.now());
    const WallTime expiry = *t.coordinator().find_offset("g", Transcript::kPartition)->expires_at;
    EXPECT_EQ(expiry.ms, t.now().wall.ms + std::max(std::min(retention, kOffsetRetentionMax), Milliseconds(0)).count());
  }
}

TEST(OffsetTranscript, ADeletionWhileSomebodyIsAboutToJoinIsSeenThrough) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.join("a", {.must_know_its_id = true});
  t.take();
  t.remove();
  t.coordinator().forget_topic("t");
  t.pass(20'000);
  t.stored();
  t.state();
  EXPECT_EQ(t.take(), R"(
delete group
  store no offset, no group
20000 ms pass
stored
  to admin: NONE
state: no group
)");
}

TEST(OffsetTranscript, ADamagedRecordIsLeftOutAndTheRestIsUsed) {
  Transcript t;
  t.commit("", -1, 5);
  t.stored();
  t.take();
  LogRecord damaged = offset_record("g", {"t", PartitionIndex(1)}, {.offset = Offset(9)});
  damaged.value->resize(5);
  t.load(damaged);
  t.load({.key = "x", .value = std::nullopt});
  t.load({.key = std::string("\0\7\0\0", 4), .value = ""});
  t.fetch();
  EXPECT_EQ(t.take(), R"(
left out: corrupt data: offset of group "g" for t-1: ends inside a number at byte 0
left out: corrupt data: key without a kind
left out: unsupported version: record of kind 7
committed: 5
)");
}

TEST(OffsetTranscript, WhoWaitsIsToldWhenTheCoordinatorGoes) {
  Transcript t;
  t.commit("", -1, 5);
  t.join("a");
  t.coordinator().stop();
  const Output output = t.coordinator().take_output();
  ASSERT_EQ(output.replies.size(), 2u);
  EXPECT_TRUE(output.appends.empty());
  EXPECT_EQ(std::get<JoinAnswer>(output.replies[0].answer).error, KafkaError::kNotCoordinator);
  EXPECT_EQ(std::get<CommitAnswer>(output.replies[1].answer).partitions[0], KafkaError::kNotCoordinator);
}

}  // namespace
}  // namespace pyralog::coordinator
