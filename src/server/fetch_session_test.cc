#include "server/fetch_session.h"

#include <gtest/gtest.h>

namespace pyralog::server {
namespace {

using std::chrono::seconds;

FetchTopic named(std::string name) { return {.id = {}, .name = std::move(name)}; }
FetchTarget at(std::int64_t offset) { return {.offset = Offset(offset), .bytes_max = 100}; }

TEST(FetchSession, KeepsOrderReplacesAndForgets) {
  FetchSession session(1, false);
  session.set(named("a"), PartitionIndex(0), at(1));
  session.set(named("a"), PartitionIndex(1), at(2));
  session.set(named("b"), PartitionIndex(0), at(3));
  session.set(named("a"), PartitionIndex(0), at(10));
  ASSERT_EQ(session.size(), 3u);
  EXPECT_EQ(session.partitions()[0].target.offset, Offset(10));
  session.forget(named("a"), PartitionIndex(1));
  session.forget(named("c"), PartitionIndex(1));
  ASSERT_EQ(session.size(), 2u);
  EXPECT_EQ(session.topic(session.partitions()[1]).name, "b");
  session.set(named("b"), PartitionIndex(0), at(4));
  EXPECT_EQ(session.partitions()[1].target.offset, Offset(4));
}

TEST(FetchSession, ServesFirstWhatWasNotReached) {
  FetchSession session(1, false);
  for (int i = 0; i < 4; ++i) session.set(named("a"), PartitionIndex(i), at(0));
  session.serve_first(3);
  EXPECT_EQ(session.partitions()[0].index, PartitionIndex(3));
  EXPECT_EQ(session.partitions()[1].index, PartitionIndex(0));
  session.forget(named("a"), PartitionIndex(3));
  EXPECT_EQ(session.partitions()[0].index, PartitionIndex(0));
}

TEST(FetchSession, EpochWrapsToOne) {
  FetchSession session(1, false);
  EXPECT_EQ(session.next_epoch(), 1);
  session.advance_epoch();
  EXPECT_EQ(session.next_epoch(), 2);
}

class Sessions : public testing::Test {
 protected:
  FetchSessions sessions_{{.sessions_max = 2, .partitions_max = 10, .idle_min = seconds(60)}, ShardId(1), 2, Random(1)};
  MonotonicTime now_{seconds(1000)};
};

TEST_F(Sessions, IdsBelongToTheirShard) {
  FetchSession* session = sessions_.create(false, 1, now_);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->id() % 2, 1);
  EXPECT_GT(session->id(), 0);
  EXPECT_EQ(sessions_.find(session->id(), now_), session);
  EXPECT_EQ(sessions_.find(session->id() + 1, now_), nullptr);
}

TEST_F(Sessions, FullCacheDropsOnlyWhatHasBeenIdle) {
  const std::int32_t first = sessions_.create(false, 1, now_)->id();
  const std::int32_t second = sessions_.create(false, 1, now_)->id();
  EXPECT_EQ(sessions_.create(false, 1, now_ + seconds(59)), nullptr);
  ASSERT_NE(sessions_.find(first, now_ + seconds(59)), nullptr);
  ASSERT_NE(sessions_.create(false, 1, now_ + seconds(60)), nullptr);
  EXPECT_EQ(sessions_.find(second, now_), nullptr);
  EXPECT_NE(sessions_.find(first, now_), nullptr);
}

TEST_F(Sessions, PartitionsAreBounded) {
  EXPECT_EQ(sessions_.create(false, 11, now_), nullptr);
  FetchSession* session = sessions_.create(false, 1, now_);
  for (int i = 0; i < 10; ++i) session->set(named("a"), PartitionIndex(i), at(0));
  EXPECT_TRUE(sessions_.resized(*session));
  EXPECT_EQ(sessions_.partition_count(), 10u);
  session->set(named("a"), PartitionIndex(10), at(0));
  EXPECT_FALSE(sessions_.resized(*session));
  EXPECT_EQ(sessions_.size(), 0u);
  EXPECT_EQ(sessions_.partition_count(), 0u);
}

}  // namespace
}  // namespace pyralog::server
