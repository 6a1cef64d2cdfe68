#include "client/groups.h"

#include <gtest/gtest.h>

#include "client/scripted_broker.h"
#include "protocol/kafka/describe_groups.h"
#include "protocol/kafka/find_coordinator.h"
#include "protocol/kafka/leave_group.h"
#include "protocol/kafka/metadata.h"
#include "protocol/kafka/offset_commit.h"
#include "protocol/kafka/offset_fetch.h"

namespace pyralog::client {
namespace {

using namespace protocol;

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text.push_back(static_cast<char>(value));
  return text;
}

// As Kafka's consumers write it: version 1; "b": 2, 0; "a": 1; user data of three bytes.
const std::string kAssignment = bytes({0, 1, 0, 0, 0, 2, 0, 1, 'b', 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0,
                                       0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 7, 7, 7});
const std::vector<LogPartition> kAssigned{{"a", PartitionIndex(1)}, {"b", PartitionIndex(0)}, {"b", PartitionIndex(2)}};

TEST(ParseAssignment, IsSortedAndLeavesTheBalancersDataAlone) {
  EXPECT_EQ(parse_assignment(as_bytes(kAssignment)).value(), kAssigned);
  EXPECT_TRUE(parse_assignment({}).value().empty());
}

TEST(ParseAssignment, RefusesWhatIsCutOffAnywhereBeforeTheUserData) {
  const std::size_t meaningful = kAssignment.size() - 7;
  for (std::size_t size = 1; size < meaningful; ++size) {
    EXPECT_EQ(parse_assignment(as_bytes(kAssignment).first(size)).error(), ErrorCode::kCorrupt) << size;
  }
}

TEST(ParseAssignment, RefusesCountsThatLieAndNegativeVersions) {
  EXPECT_FALSE(parse_assignment(as_bytes(bytes({0, 1, 0x7f, 0x7f, 0x7f, 0x7f, 0, 1, 'b', 0, 0, 0, 0}))).ok());
  EXPECT_FALSE(parse_assignment(as_bytes(bytes({0xff, 0xff, 0, 0, 0, 0}))).ok());
}

class GroupsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.on<MetadataRequest>([this](const MetadataRequest&) {
      brokers = {{.node_id = NodeId(1), .host = host, .port = broker.endpoint().port, .rack = std::nullopt}};
      return MetadataResponse{.brokers = brokers, .cluster_id = "c", .controller_id = NodeId(1), .topics = {}};
    });
    broker.on<FindCoordinatorRequest>([this](const FindCoordinatorRequest&) {
      FindCoordinatorResponse answer;
      if (refusals > 0) {
        --refusals;
        answer.error_code = KafkaError::kCoordinatorNotAvailable;
        return answer;
      }
      answer.node_id = NodeId(1);
      return answer;
    });
    std::vector<io::Endpoint> bootstrap{broker.endpoint()};
    cluster = world.run(client, ClusterClient::connect(std::move(bootstrap))).value();
  }
  void TearDown() override {
    world.run(client, cluster->close());
    cluster.reset();
    broker.stop();
  }

  io::VirtualWorld world{5};
  io::VirtualReactor& server = world.add_reactor(NodeId(1), ShardId(0));
  io::VirtualReactor& client = world.add_reactor(NodeId(9), ShardId(0));
  testing::ScriptedBroker broker{world, server};
  std::string host = broker.endpoint().host;
  std::vector<MetadataResponse::Broker> brokers;
  int refusals = 0;
  std::unique_ptr<ClusterClient> cluster;
};

TEST_F(GroupsTest, DescribesMembersWithWhatTheyOwn) {
  std::vector<DescribeGroupsResponse::Member> members;
  std::vector<DescribeGroupsResponse::Group> groups;
  broker.on<DescribeGroupsRequest>([&](const DescribeGroupsRequest&) {
    members = {{.member_id = "m-2", .group_instance_id = "i", .client_id = "z", .client_host = "/h", .member_metadata = {},
                .member_assignment = {as_bytes(kAssignment)}},
               {.member_id = "m-1", .group_instance_id = std::nullopt, .client_id = "a", .client_host = "/h",
                .member_metadata = {}, .member_assignment = {as_bytes("nonsense")}}};
    groups = {{.group_id = "g", .group_state = "Stable", .protocol_type = "consumer", .protocol_data = "range",
               .members = members}};
    return DescribeGroupsResponse{.groups = groups};
  });
  const GroupInfo group = world.run(client, describe_group(*cluster, "g")).value();
  EXPECT_EQ(group.state, "Stable");
  EXPECT_EQ(group.coordinator, NodeId(1));
  ASSERT_EQ(group.members.size(), 2u);
  EXPECT_EQ(group.members[0].id, "m-1");
  EXPECT_EQ(group.members[0].partitions.error(), ErrorCode::kCorrupt);
  EXPECT_EQ(group.members[1].instance_id, "i");
  EXPECT_EQ(group.members[1].partitions.value(), kAssigned);
}

TEST_F(GroupsTest, AGroupThatThereIsNotIsNotFoundInEveryVersion) {
  std::vector<DescribeGroupsResponse::Group> groups;
  KafkaError error = KafkaError::kNone;
  broker.on<DescribeGroupsRequest>([&](const DescribeGroupsRequest&) {
    groups = {{.error_code = error, .group_id = "g", .group_state = "Dead", .members = {}}};
    return DescribeGroupsResponse{.groups = groups};
  });
  EXPECT_EQ(world.run(client, describe_group(*cluster, "g")).error(), ErrorCode::kNotFound);
  error = KafkaError::kGroupIdNotFound;
  EXPECT_EQ(world.run(client, describe_group(*cluster, "g")).error(), ErrorCode::kNotFound);
}

TEST_F(GroupsTest, WaitsForACoordinatorThatLoads) {
  refusals = 3;
  int loading = 2;
  std::vector<OffsetFetchResponse::Partition> partitions;
  std::vector<OffsetFetchResponse::Topic> topics;
  broker.on<OffsetFetchRequest>([&](const OffsetFetchRequest& request) {
    EXPECT_EQ(request.group_id, "g");
    EXPECT_FALSE(request.topics.has_value());
    OffsetFetchResponse answer;
    if (loading-- > 0) {
      answer.error_code = KafkaError::kCoordinatorLoadInProgress;
      return answer;
    }
    partitions = {{.partition_index = PartitionIndex(0), .committed_offset = Offset(7)},
                  {.partition_index = PartitionIndex(1), .committed_offset = Offset(-1)}};
    topics = {{.name = "orders", .partitions = partitions}};
    answer.topics = topics;
    return answer;
  });
  const GroupOffsets expected{{{"orders", PartitionIndex(0)}, Offset(7)}};
  EXPECT_EQ(world.run(client, committed_offsets(*cluster, "g")).value(), expected);
}

TEST_F(GroupsTest, ACoordinatorThatNeverComesIsReportedAfterABoundedTime) {
  refusals = 1'000'000;
  const MonotonicTime start = client.now();
  EXPECT_EQ(world.run(client, committed_offsets(*cluster, "g")).error(), ErrorCode::kUnavailable);
  EXPECT_LT(client.now() - start, std::chrono::seconds(30));
}

TEST_F(GroupsTest, CommitsEveryPartitionOfEveryLogAndReportsARefusal) {
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> got;
  std::vector<OffsetCommitResponse::Partition> answered{{.partition_index = PartitionIndex(0)}};
  std::vector<OffsetCommitResponse::Topic> topics{{.name = "a", .topic_id = {}, .partitions = answered}};
  broker.on<OffsetCommitRequest>([&](const OffsetCommitRequest& request) {
    EXPECT_EQ(request.generation_id_or_member_epoch, -1);
    EXPECT_EQ(request.member_id, "");
    for (const auto& topic : request.topics) {
      for (const auto& partition : topic.partitions) {
        got[{std::string(topic.name), partition.partition_index.value}] = partition.committed_offset.value;
      }
    }
    return OffsetCommitResponse{.topics = topics};
  });
  const GroupOffsets offsets{{{"a", PartitionIndex(0)}, Offset(1)}, {{"a", PartitionIndex(2)}, Offset(3)},
                             {{"b", PartitionIndex(1)}, Offset(5)}};
  EXPECT_TRUE(world.run(client, commit_offsets(*cluster, "g", offsets)).ok());
  EXPECT_EQ(got, (std::map<std::pair<std::string, std::int32_t>, std::int64_t>{{{"a", 0}, 1}, {{"a", 2}, 3}, {{"b", 1}, 5}}));
  answered[0].error_code = KafkaError::kUnknownMemberId;
  const Result<> refused = world.run(client, commit_offsets(*cluster, "g", offsets));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().to_string().find("UNKNOWN_MEMBER_ID"), std::string::npos);
}

TEST_F(GroupsTest, RemovingAMemberThatIsGoneIsNoFailure) {
  std::vector<LeaveGroupResponse::Member> answered;
  KafkaError other = KafkaError::kNone;
  broker.on<LeaveGroupRequest>([&](const LeaveGroupRequest& request) {
    EXPECT_EQ(request.members.size(), 2u);
    EXPECT_EQ(request.members[1].group_instance_id, "i");
    answered = {{.member_id = "m-1", .group_instance_id = std::nullopt, .error_code = KafkaError::kUnknownMemberId},
                {.member_id = "m-2", .group_instance_id = "i", .error_code = other}};
    return LeaveGroupResponse{.members = answered};
  });
  const auto members = [] {
    return std::vector<GroupMember>{
        {.id = "m-1", .instance_id = {}, .client_id = "", .host = "", .partitions = std::vector<LogPartition>()},
        {.id = "m-2", .instance_id = "i", .client_id = "", .host = "", .partitions = std::vector<LogPartition>()}};
  };
  EXPECT_TRUE(world.run(client, remove_members(*cluster, "g", members())).ok());
  other = KafkaError::kFencedInstanceId;
  EXPECT_FALSE(world.run(client, remove_members(*cluster, "g", members())).ok());
}

}  // namespace
}  // namespace pyralog::client
