#include "sim/consumer_protocol.h"

#include <gtest/gtest.h>

#include "coordinator/group_records.h"

namespace pyralog::sim {
namespace {

const LogPartition kA0{"a", PartitionIndex(0)}, kA1{"a", PartitionIndex(1)}, kB0{"b", PartitionIndex(0)};

TEST(ConsumerProtocol, SubscriptionsAreReadBackAlsoByTheCoordinator) {
  const Subscription subscription{.logs = {"a", "b"}, .owned = {kA0, kB0}};
  const std::string bytes = encode_subscription(subscription);
  EXPECT_EQ(decode_subscription(as_bytes(bytes)), subscription);
  EXPECT_EQ(coordinator::subscribed_topics(bytes).value(), subscription.logs);
  EXPECT_EQ(decode_subscription(as_bytes(bytes).first(bytes.size() - 1)), std::nullopt);
}

TEST(ConsumerProtocol, AssignmentsAreReadBack) {
  const std::vector<LogPartition> partitions{kA0, kA1, kB0};
  EXPECT_EQ(client::parse_assignment(as_bytes(encode_assignment(partitions))).value(), partitions);
}

TEST(ShareOut, EagerGivesEverythingAtOnce) {
  const Subscriptions members{{"m", {.logs = {"a", "b"}, .owned = {kA0, kA1, kB0}}}, {"n", {.logs = {"a"}, .owned = {}}}};
  const Assignments shares = share_out(members, {{"a", 2}, {"b", 1}}, Balance::kEager);
  EXPECT_EQ(shares.at("m").size() + shares.at("n").size(), 3u);
  EXPECT_EQ(shares.at("n").size(), 1u);
}

TEST(ShareOut, CooperativeFirstTakesAndThenGives) {
  Subscriptions members{{"m", {.logs = {"a"}, .owned = {kA0, kA1}}}, {"n", {.logs = {"a"}, .owned = {}}}};
  const Assignments first = share_out(members, {{"a", 2}}, Balance::kCooperative);
  EXPECT_EQ(first.at("m"), std::vector{kA0});
  EXPECT_EQ(first.at("n"), std::vector<LogPartition>());
  members["m"].owned = {kA0};
  const Assignments second = share_out(members, {{"a", 2}}, Balance::kCooperative);
  EXPECT_EQ(second.at("m"), std::vector{kA0});
  EXPECT_EQ(second.at("n"), std::vector{kA1});
}

}  // namespace
}  // namespace pyralog::sim
