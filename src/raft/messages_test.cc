#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// What peers say is checked, and changes nothing if it cannot be true.

template <class Body>
Result<> hear(Transcript& t, Body body, char from = 'B') {
  return t.group('A').step({.from = Transcript::id(from), .to = Transcript::id('A'), .body = std::move(body)}, t.now());
}

Entry entry(int term) { return {.term = Term(term)}; }

struct RaftMessages : ::testing::Test {
  RaftMessages() {
    t.elect('A');
    t.propose('A', "x");
    t.settle();
  }
  template <class Body>
  void expect_corrupt(Body body) {
    const std::string log = t.log('A');
    const auto taken = hear(t, std::move(body));
    ASSERT_FALSE(taken.ok());
    EXPECT_EQ(taken.error(), ErrorCode::kCorrupt);
    EXPECT_EQ(t.log('A'), log);
    EXPECT_EQ(t.group('A').role(), Role::kLeader);
  }
  Transcript t;
};

TEST_F(RaftMessages, ForAnotherReplicaIsForeign) {
  const auto taken = t.group('A').step({.from = Transcript::id('B'), .to = Transcript::id('C'), .body = Heartbeat{}}, t.now());
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error(), ErrorCode::kForeign);
}

TEST_F(RaftMessages, ThatContradictThemselvesAreCorrupt) {
  expect_corrupt(Heartbeat{.term = Term(-1)});
  expect_corrupt(Heartbeat{.term = Term(2), .commit = kIndexMax + 1});
  expect_corrupt(Append{.term = Term(2), .previous = {Term(1), RaftIndex(0)}});
  expect_corrupt(Append{.term = Term(2), .previous = {Term(0), RaftIndex(4)}});
  expect_corrupt(Append{.term = Term(2), .previous = {Term(3), RaftIndex(4)}});
  expect_corrupt(Append{.term = Term(2), .previous = {Term(2), kIndexMax + 1}});
  expect_corrupt(Append{.term = Term(3), .entries = {entry(2), entry(1)}});
  expect_corrupt(Append{.term = Term(3), .entries = {entry(4)}});
  expect_corrupt(Append{.term = Term(3), .entries = {entry(0)}});
  expect_corrupt(Append{.term = Term(3), .entries = std::vector<Entry>(kEntriesPerAppendMax + 1, entry(1))});
  Entry twice = entry(2);
  twice.configuration = std::make_shared<const Configuration>(Transcript::configuration("AA"));
  expect_corrupt(Append{.term = Term(3), .entries = {twice}});
  expect_corrupt(VoteRequest{.term = Term(2), .last = {Term(2), RaftIndex(9)}});
  expect_corrupt(VoteRequest{.term = Term(0)});
  expect_corrupt(VoteReply{.term = Term(2), .asked = Term(0)});
  expect_corrupt(AppendReply{.term = Term(1), .accepted = true, .matched = RaftIndex(-1)});
  expect_corrupt(InstallSnapshot{.term = Term(2)});
  expect_corrupt(InstallSnapshot{.term = Term(2), .snapshot = {.index = RaftIndex(3), .term = Term(2)}});
}

TEST_F(RaftMessages, ThatContradictWhatIsKnownAreCorrupt) {
  expect_corrupt(Heartbeat{.term = Term(1)});  // another leader of this term
  expect_corrupt(Append{.term = Term(1)});
  expect_corrupt(Append{.term = Term(2), .previous = {}, .entries = {entry(2)}});           // instead of what is committed
  expect_corrupt(AppendReply{.term = Term(1), .accepted = true, .matched = RaftIndex(3)});  // what was never sent
  expect_corrupt(HeartbeatReply{.term = Term(1), .round = 7});                              // a round that never was
  const auto members = std::make_shared<const Configuration>(Transcript::configuration("ABC"));
  const SnapshotMeta another{.index = RaftIndex(1), .term = Term(2), .configuration = members};
  expect_corrupt(InstallSnapshot{.term = Term(2), .snapshot = another});
}

TEST_F(RaftMessages, OfStrangersCountForNothing) {
  EXPECT_TRUE(hear(t, AppendReply{.term = Term(1), .accepted = true, .matched = RaftIndex(2)}, 'X').ok());
  EXPECT_TRUE(hear(t, HeartbeatReply{.term = Term(1), .round = 1}, 'X').ok());
  t.stand('B');
  EXPECT_TRUE(t.group('B').step({.from = Transcript::id('X'), .to = Transcript::id('B'),
                                 .body = VoteReply{.term = Term(2), .asked = Term(2), .granted = true}}, t.now()).ok());
  EXPECT_TRUE(t.group('B').step({.from = Transcript::id('Y'), .to = Transcript::id('B'),
                                 .body = VoteReply{.term = Term(2), .asked = Term(2), .granted = true}}, t.now()).ok());
  EXPECT_EQ(t.group('B').role(), Role::kCandidate);
}

TEST_F(RaftMessages, OfALaterTermAreFine) {
  EXPECT_TRUE(hear(t, Heartbeat{.term = Term(50), .commit = RaftIndex(90)}).ok());
  EXPECT_EQ(t.group('A').term(), Term(50));
  EXPECT_EQ(t.group('A').commit(), RaftIndex(2)) << "what is not known to be the leader's is not committed";
}

TEST_F(RaftMessages, TheLastTermIsTheEndOfElectionsNotOfTheProcess) {
  EXPECT_TRUE(hear(t, Heartbeat{.term = kTermMax}).ok());
  t.suspect('A', 'B');
  t.pass(1'000);
  EXPECT_EQ(t.group('A').term(), kTermMax);
  EXPECT_EQ(t.group('A').role(), Role::kFollower);
}

Result<std::unique_ptr<Group>> open(Restored restored) {
  static const GroupOptions options;
  if (restored.snapshot.configuration == nullptr) {
    restored.snapshot.configuration = std::make_shared<const Configuration>(Transcript::configuration("ABC"));
  }
  return Group::open(options, Transcript::id('A'), std::move(restored), Random(1), {});
}

TEST(RaftRestored, WhatContradictsItselfDoesNotStart) {
  EXPECT_TRUE(open({.hard = {.term = Term(2)}, .entries = {entry(1), entry(2)}}).ok());
  EXPECT_FALSE(open({.hard = {.term = Term(1)}, .entries = {entry(1), entry(2)}}).ok());
  EXPECT_FALSE(open({.hard = {.term = Term(2)}, .entries = {entry(2), entry(1)}}).ok());
  EXPECT_FALSE(open({.hard = {.term = Term(2)}, .snapshot = {.index = RaftIndex(-1)}}).ok());
  const auto twice = std::make_shared<const Configuration>(Transcript::configuration("AA"));
  EXPECT_FALSE(open({.snapshot = {.configuration = twice}}).ok());
}

}  // namespace
}  // namespace pyralog::raft
