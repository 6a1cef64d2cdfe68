#include "coordinator/group_fixtures.h"

/// Members whose connections end (docs/decisions/0007).
namespace pyralog::coordinator {
namespace {

GroupState state_of(Transcript& t) { return t.coordinator().find_group("g")->state(); }

/// Both have sent heartbeats, at 3 and at 6 s, so that their distance is known.
struct BeatingMembers : TwoMembers {
  explicit BeatingMembers(GroupOptions options = {}) : TwoMembers(std::move(options)) {
    for (int i = 0; i < 2; ++i) {
      pass(3'000);
      heartbeat("a1", 1);
      heartbeat("b1", 1);
    }
  }
};

TEST(GroupConnections, AMemberWhoseConnectionEndsHasTwoHeartbeatsToComeBack) {
  BeatingMembers t;
  t.lose_connection("b1");
  t.pass(3'000);
  t.heartbeat("a1", 1);
  t.pass(2'999);
  EXPECT_EQ(state_of(t), GroupState::kStable);
  t.pass(1);
  EXPECT_EQ(state_of(t), GroupState::kPreparingRebalance);
  EXPECT_EQ(t.coordinator().group_counters().rebalances[static_cast<std::size_t>(RebalanceCause::kConnectionLost)], 1u);
}

TEST(GroupConnections, AMemberThatComesBackByAnotherConnectionKeepsItsSession) {
  BeatingMembers t;
  t.lose_connection("b1");
  t.pass(5'000);
  t.heartbeat("a1", 1);
  t.heartbeat("b1", 1, {}, 2);
  t.lose_connection("b1", 1);  // late: it is elsewhere now
  t.pass(9'999);
  EXPECT_EQ(state_of(t), GroupState::kStable);
}

TEST(GroupConnections, AConnectionThatEndsBeforeHeartbeatsHaveAnIntervalSaysNothing) {
  TwoMembers t;
  t.heartbeat("b1", 1);
  t.lose_connection("b1");
  t.pass(9'999);
  EXPECT_EQ(state_of(t), GroupState::kStable);
}

TEST(GroupConnections, StaticMembersMayBeAwayForTheirSession) {
  StaticAndDynamicMember t;
  t.heartbeat("i1", 1, "i");
  t.pass(1'000);
  t.heartbeat("i1", 1, "i");
  t.lose_connection("i1");
  t.pass(98'000);
  EXPECT_EQ(state_of(t), GroupState::kStable);
}

TEST(GroupConnections, LostConnectionsSayNothingWhereTheyAreNotToBeNoticed) {
  BeatingMembers t({.notices_lost_connections = false});
  t.lose_connection("b1");
  t.pass(9'999);
  t.heartbeat("a1", 1);
  EXPECT_EQ(state_of(t), GroupState::kStable);
}

}  // namespace
}  // namespace pyralog::coordinator
