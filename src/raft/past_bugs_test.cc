#include "raft/transcript.h"

namespace pyralog::raft {
namespace {

// Bugs that other implementations had, each as it would show here. Repository and number of where it was discussed.

Entry entry(int term) { return {.term = Term(term)}; }
ConfigurationPtr members(const std::string& names) {
  return std::make_shared<const Configuration>(Transcript::configuration(names));
}
/// Takes the messages on their way to `to` out of the network.
std::vector<Message> intercept(Transcript& t, char to) {
  std::vector<Message> taken;
  std::erase_if(t.network(), [&](const Message& message) {
    if (message.to != Transcript::id(to)) return false;
    taken.push_back(message);
    return true;
  });
  return taken;
}

// etcd-io/etcd#10998, tikv/raft-rs#57: promoted, but it has not heard of it: the group was stuck without its vote.
TEST(RaftPastBugs, AReplicaVotesThoughItTakesItselfForALearner) {
  Transcript t("ABc");
  t.add_blank('C');
  t.elect('A');
  t.cut_off('C');
  t.change('A', "ABC");
  t.settle();
  t.leave_joint('A');
  t.settle();
  ASSERT_FALSE(t.group('C').configuration().has_voter(Transcript::id('C')));
  t.heal();
  t.cut_off('A');
  t.lose_all();
  t.suspect('A');
  t.pass(100);
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
}

// redpanda-data/redpanda#8495: a learner that asks for votes by itself disturbs.
TEST(RaftPastBugs, ALearnerDoesNotStandBecauseTheLeaderIsGone) {
  Transcript t("ABc");
  t.add_blank('C');
  t.elect('A');
  t.cut_off('A');
  t.cut_off('B');
  t.suspect('C', 'A');
  EXPECT_EQ(t.group('C').next_deadline(), std::nullopt);
}

// etcd-io/etcd#7331: a new leader answered reads with a commit index older than what its predecessor had told.
TEST(RaftPastBugs, AReadAfterAChangeOfLeadersSeesWhatTheLastOneCommitted) {
  Transcript t("ABC", {.opens_term = false});
  t.elect('A');
  t.propose('A', "x");
  for (const Message& message : intercept(t, 'B')) t.deliver(message);
  for (const Message& message : intercept(t, 'A')) t.deliver(message);
  ASSERT_EQ(t.group('A').commit(), RaftIndex(1));
  t.lose_all();
  t.elect('B');
  ASSERT_EQ(t.group('B').commit(), RaftIndex(0));
  t.take();
  t.read('B', 1);
  t.settle();
  EXPECT_EQ(t.take().find("answers"), std::string::npos);
  t.propose('B', "y");
  t.settle();
  EXPECT_NE(t.take().find("B answers read #1: 2"), std::string::npos);
}

// camunda/camunda#6092: a snapshot of what the follower had already took the acknowledged entries behind it along.
TEST(RaftPastBugs, ASnapshotOfAPrefixLeavesTheRest) {
  Transcript t;
  Transcript::Replica& replica = t.replica('B');
  replica.durable.entries = {entry(1), entry(1), entry(1)};
  replica.durable.hard.term = Term(1);
  t.restart('B');
  t.deliver('A', 'B', InstallSnapshot{.term = Term(1), .snapshot = {RaftIndex(2), Term(1), members("ABC")}});
  EXPECT_EQ(t.log('B'), "[1/2] 1/3");
  t.restart('B');
  EXPECT_EQ(t.log('B'), "[1/2] 1/3");
}

// The same, once it knows that more is committed: nothing goes back.
TEST(RaftPastBugs, AnOldSnapshotChangesNothing) {
  Transcript t;
  t.elect('A');
  t.propose('A', "x");
  t.settle();
  t.take();
  t.deliver('A', 'B', InstallSnapshot{.term = Term(1), .snapshot = {RaftIndex(1), Term(1), members("ABC")}});
  EXPECT_EQ(t.log('B'), "1/1 1/2x");
  EXPECT_EQ(t.take().find("becomes"), std::string::npos);
}

// hashicorp/raft#704: an entry that contradicts the snapshot's last one stayed, and every append after it was refused.
TEST(RaftPastBugs, ASnapshotReplacesAnEntryOfAnotherTermAtItsEnd) {
  Transcript t;
  Transcript::Replica& replica = t.replica('B');
  replica.durable.entries = {entry(1), entry(1), entry(1)};
  replica.durable.hard.term = Term(1);
  t.restart('B');
  t.deliver('A', 'B', InstallSnapshot{.term = Term(2), .snapshot = {RaftIndex(2), Term(2), members("ABC")}});
  EXPECT_EQ(t.log('B'), "[2/2]");
  t.deliver('A', 'B', Append{.term = Term(2), .previous = {Term(2), RaftIndex(2)}, .entries = {entry(2)}});
  t.restart('B');
  EXPECT_EQ(t.log('B'), "[2/2] 2/3");
}

// hashicorp/raft#113, ktoso/akka-raft#66: an append that came late or twice cut off what had come after it.
TEST(RaftPastBugs, AnAppendThatComesAgainTruncatesNothing) {
  Transcript t;
  const Append first{.term = Term(1), .entries = {entry(1)}};
  t.deliver('A', 'B', first);
  t.deliver('A', 'B', Append{.term = Term(1), .previous = {Term(1), RaftIndex(1)}, .entries = {entry(1), entry(1)}});
  t.take();
  t.deliver('A', 'B', first);
  EXPECT_EQ(t.log('B'), "1/1 1/2 1/3");
  EXPECT_EQ(t.take().find("durably"), std::string::npos) << "nothing to write, either";
}

// etcd-io/etcd#1207: a refusal that came late took the leader back behind what had matched meanwhile.
TEST(RaftPastBugs, ALateRefusalDoesNotTakeTheLeaderBack) {
  Transcript t("AB");
  t.elect('A');
  t.propose('A', "x");
  t.settle();
  const RaftIndex next = t.group('A').progress(Transcript::id('B'))->next();
  t.deliver('B', 'A', AppendReply{.term = Term(1), .previous = RaftIndex(1), .conflict_first = RaftIndex(1)});
  EXPECT_EQ(t.group('A').progress(Transcript::id('B'))->next(), next);
  EXPECT_EQ(t.group('A').progress(Transcript::id('B'))->state(), Progress::State::kStream);
}

// etcd-io/etcd#8243, canonical/raft#279: with pre-votes, a replica of a lower term and one with a higher term but the
// older log ignored each other for ever.
TEST(RaftPastBugs, ReplicasOfDifferentTermsStillElect) {
  Transcript t;
  t.replica('B').durable.hard.term = Term(5);
  t.replica('C').durable.entries = {entry(1)};
  t.replica('C').durable.hard.term = Term(1);
  t.restart('B');
  t.restart('C');
  t.cut_off('A');
  t.suspect('A');
  t.pass(1'000);
  EXPECT_EQ(t.group('C').role(), Role::kLeader);
}

// etcd-io/etcd#9586, #10355: a pre-candidate went on to believe in the leader it had missed, and refused everybody.
TEST(RaftPastBugs, PreCandidatesGrantEachOther) {
  Transcript t;
  t.elect('A');
  t.cut_off('A');
  t.suspect('B', 'A');
  t.pass(5);
  t.suspect('C', 'A');
  t.pass(700);
  EXPECT_TRUE(t.group('B').role() == Role::kLeader || t.group('C').role() == Role::kLeader);
}

// canonical/raft#196: the answer to the question before the election counted in the election.
TEST(RaftPastBugs, ALatePreVoteIsNoVote) {
  Transcript t("ABCDE");
  t.stand('A');
  t.lose_all();
  for (const char voter : {'B', 'C', 'D', 'E'}) {
    t.deliver(voter, 'A', VoteReply{.term = Term(0), .asked = Term(1), .is_pre = true, .granted = true});
  }
  EXPECT_EQ(t.group('A').role(), Role::kCandidate);
}

// etcd-io/etcd#12136: the leader that was to end a joint configuration was gone, and no other ever did.
TEST(RaftPastBugs, AnotherLeaderEndsAJointConfiguration) {
  Transcript t;
  t.elect('A');
  t.change('A', "AB");
  t.settle();
  t.elect('B');
  ASSERT_TRUE(t.group('B').configuration().is_joint);
  t.leave_joint('B');
  t.settle();
  EXPECT_EQ(Describe::of(t.group('A').configuration()), "AB");
  EXPECT_FALSE(t.group('A').configuration().is_joint);
}

// camunda/camunda#61854: a leader that found a joint configuration in its log ended it before it was committed.
TEST(RaftPastBugs, AJointConfigurationOfAnotherTermIsCommittedBeforeItEnds) {
  Transcript t("AB");
  t.elect('A');
  t.change('A', "A");
  t.settle();
  t.cut_off('B');
  t.restart('A');
  t.group('A').suspect(Transcript::id('B'), t.now());
  EXPECT_TRUE(t.group('A').configuration().is_joint);
  t.stand('A');
  t.settle();
  t.leave_joint('A');
  EXPECT_TRUE(t.group('A').configuration().is_joint);
  t.heal();
  t.group('A').trust(Transcript::id('B'), t.now());
  t.stand('A');
  t.hold_disk('B');
  t.settle();
  t.take();
  t.leave_joint('A');
  EXPECT_TRUE(t.group('A').configuration().is_joint) << t.take();
}

// etcd-io/etcd#11038: a leader that was no member any more led on and took no proposals. #10563: it must not just stop
// either, or the member that is left never learns that it is alone.
TEST(RaftPastBugs, ARemovedLeaderHandsOverToTheLastMember) {
  Transcript t("AB");
  t.elect('A');
  t.change('A', "B");
  t.settle();
  t.leave_joint('A');
  t.settle();
  EXPECT_EQ(t.group('B').role(), Role::kLeader);
  EXPECT_EQ(t.group('B').commit(), t.group('B').log().last_index());
  EXPECT_EQ(Describe::of(t.group('B').configuration()), "B");
}

// tikv/tikv#534 (review): the target of a transfer was removed meanwhile, and proposals stayed refused.
TEST(RaftPastBugs, NobodyIsRemovedWhileLeadershipIsTransferredToHim) {
  Transcript t;
  t.elect('A');
  t.change('A', "AB");
  t.settle();
  t.leave_joint('A');
  t.take();
  t.transfer('A', 'C');  // its removal is not committed yet
  EXPECT_NE(t.take().find("only a voter"), std::string::npos);
  t.settle();
  t.cut_off('B');
  t.transfer('A', 'B');
  t.take();
  t.change('A', "A");
  EXPECT_NE(t.take().find("being transferred"), std::string::npos);
}

// etcd-io/etcd#14370: a group of one said yes before the entry was on its only disk.
TEST(RaftPastBugs, AGroupOfOneCommitsWhatIsDurable) {
  Transcript t("A");
  t.pass(0);
  t.hold_disk('A');
  t.propose('A', "x");
  EXPECT_EQ(t.group('A').commit(), RaftIndex(1));
  t.release_disk('A');
  EXPECT_EQ(t.group('A').commit(), RaftIndex(2));
}

// cockroachdb/cockroach#25173: a heartbeat's commit index lay beyond the follower's log, and the process ended.
TEST(RaftPastBugs, AHeartbeatCommitsNothingThatIsNotThere) {
  Transcript t;
  t.deliver('A', 'B', Append{.term = Term(1), .entries = {entry(1), entry(1)}});
  t.deliver('A', 'B', Heartbeat{.term = Term(1), .commit = RaftIndex(628)});
  EXPECT_EQ(t.group('B').commit(), RaftIndex(2));
  t.deliver('C', 'B', Heartbeat{.term = Term(2), .commit = RaftIndex(628)});
  t.deliver('C', 'B', Append{.term = Term(2), .previous = {Term(1), RaftIndex(2)}, .entries = {entry(2)}});
  EXPECT_EQ(t.group('B').commit(), RaftIndex(2)) << "its own entries might be others than this leader's";
}

// The other half: after a restart the log ends before what was known to be committed.
TEST(RaftPastBugs, AReplicaThatLostCommittedEntriesDoesNotStart) {
  static const GroupOptions options;
  Restored restored{.hard = {.term = Term(1), .commit_hint = RaftIndex(2)}, .snapshot = {.configuration = members("ABC")},
                    .entries = {entry(1)}};
  const auto opened = Group::open(options, Transcript::id('A'), std::move(restored), Random(1), {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error(), ErrorCode::kCorrupt);
}

// atomix/copycat#23, as found in single-server changes: a change before anything of the term was committed.
TEST(RaftPastBugs, MembersChangeOnlyOnceTheTermIsOpen) {
  Transcript t("ABC", {.opens_term = false});
  t.elect('A');
  t.take();
  t.change('A', "AB");
  EXPECT_NE(t.take().find("nothing of this term"), std::string::npos);
  t.propose('A', "x");
  t.settle();
  t.change('A', "AB");
  EXPECT_TRUE(t.group('A').configuration().is_joint);
}

// camunda/camunda#5360: a leader that had just been deposed appended an entry of its own with the new term.
TEST(RaftPastBugs, ADeposedLeaderAppendsNothing) {
  Transcript t;
  t.elect('A');
  t.deliver('B', 'A', Heartbeat{.term = Term(7)});
  t.propose('A', "x");
  EXPECT_EQ(t.log('A'), "1/1");
}

// databendlabs/openraft#1184: a write that was on its way completed after its entries had been replaced, and counted for
// those that had taken their place.
TEST(RaftPastBugs, AWriteCountsOnlyForTheEntriesItHolds) {
  Transcript t;
  t.hold_disk('B');
  t.deliver('A', 'B', Append{.term = Term(1), .entries = {entry(1), entry(1)}});
  const PersistId first = t.replica('B').unsynced.front().id;
  t.deliver('C', 'B', Append{.term = Term(2), .entries = {entry(2), entry(2)}, .commit = RaftIndex(2)});
  t.group('B').persisted(first, t.now());
  Output out = t.group('B').take_output();
  EXPECT_TRUE(out.committed.empty());
  for (const Message& message : out.messages) EXPECT_EQ(message.to, Transcript::id('A'));
  t.group('B').persisted(PersistId(first.value + 1), t.now());
  out = t.group('B').take_output();
  EXPECT_EQ(out.committed.size(), 2U);
}

}  // namespace
}  // namespace pyralog::raft
