// Consumer groups through the whole server, in virtual time: every version of every message, kills, the internal log.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "client/broker_connection.h"
#include "protocol/kafka/every_message.h"
#include "sim/server_machine.h"

namespace pyralog::sim {
namespace {

using namespace protocol;
using client::BrokerConnection;
using State = ServerMachine::State;
constexpr Duration kPoll = std::chrono::milliseconds(100);  // of virtual time

using Work = io::Task<Result<>> (*)(BrokerConnection&);

/// A server in a virtual world with a client beside it.
class GroupWorld {
 public:
  explicit GroupWorld(std::uint64_t seed) : world_(seed), server_(world_, {.shards = 2}) {
    spdlog::set_level(spdlog::level::off);
    start();
  }
  ~GroupWorld() { stop(); }

  void start() {
    server_.start();
    const auto serves = [this] { return server_.observe(), server_.state() == State::kServing; };
    EXPECT_EQ(world_.run_until(serves, world_.now() + std::chrono::seconds(10)), io::RunEnd::kDone);
  }
  void stop() {
    server_.ask_to_stop();
    const auto down = [this] { return server_.observe(), server_.state() == State::kDown; };
    EXPECT_EQ(world_.run_until(down, world_.now() + std::chrono::seconds(30)), io::RunEnd::kDone);
    EXPECT_TRUE(server_.ending().has_value() && server_.ending()->ok());
  }
  /// The next read of each segment of the internal log fails.
  void fail_reads_of_groups() {
    io::VirtualDisk& disk = world_.disk(kServerNode);
    for (const std::string& path : disk.files()) {
      const bool is_segment = path.find("__consumer_offsets~") != std::string::npos && path.ends_with(".log");
      if (is_segment) disk.fail_next_read(path);
    }
  }
  std::uint64_t reads_failed() { return world_.disk(kServerNode).faults().reads_failed; }
  void kill() {
    world_.crash(kServerNode, io::CrashMode::kPowerLoss);
    server_.observe();
    start();
  }
  void run(Work work) {
    io::VirtualReactor& client = world_.add_reactor(NodeId(next_client_++), ShardId(0));
    const auto done = world_.run(client, connect_and(server_.kafka(), work));
    EXPECT_TRUE(done.ok()) << done.error().to_string();
  }

 private:
  static io::Task<Result<>> connect_and(io::Endpoint server, Work work) {
    BrokerConnection::Options options{.request_timeout = std::chrono::minutes(10)};
    PYRALOG_CO_ASSIGN(auto connection, co_await BrokerConnection::connect(std::move(server), std::move(options)));
    auto done = co_await work(*connection);
    co_await connection->close();
    co_return done;
  }

  io::VirtualWorld world_;
  ServerMachine server_;
  int next_client_ = 2;
};

template <class Request, class Response>
io::Task<Result<client::Reply<Response>>> ask(BrokerConnection& server, Request request, int version) {
  co_return co_await server.call<Request, Response>(std::move(request), ApiVersion(static_cast<std::int16_t>(version)));
}

io::Task<Result<>> make_log(BrokerConnection& server) {
  CreateTopicsRequest::Topic topic{.name = "t", .num_partitions = 1, .replication_factor = 1};
  CreateTopicsRequest request;
  request.topics = std::span(&topic, 1);
  PYRALOG_CO_ASSIGN(const auto made, (co_await ask<CreateTopicsRequest, CreateTopicsResponse>(server, request, 7)));
  EXPECT_EQ(made.message.topics[0].error_code, KafkaError::kNone);
  for (int version = 0; version <= 6; ++version) {
    FindCoordinatorRequest find;
    const std::string_view key = "g";
    if (version < 4) find.key = key;
    if (version >= 4) find.coordinator_keys = std::span(&key, 1);
    PYRALOG_CO_ASSIGN(const auto found,
                      (co_await ask<FindCoordinatorRequest, FindCoordinatorResponse>(server, find, version)));
    const auto& answer = found.message;
    EXPECT_EQ(version < 4 ? answer.error_code : answer.coordinators[0].error_code, KafkaError::kNone) << version;
    EXPECT_EQ(version < 4 ? answer.node_id : answer.coordinators[0].node_id, NodeId(1)) << version;
  }
  co_return Result<>();
}

io::Task<Result<LogId>> id_of_log(BrokerConnection& server) {
  MetadataRequest::Topic topic{.name = "t"};
  MetadataRequest request;
  request.topics = std::span<const MetadataRequest::Topic>(&topic, 1);
  request.allow_auto_topic_creation = false;
  PYRALOG_CO_ASSIGN(const auto answer, (co_await ask<MetadataRequest, MetadataResponse>(server, request, 12)));
  co_return answer.message.topics[0].topic_id;
}

OffsetCommitRequest::Partition offset_of(std::int64_t offset) {
  return {.partition_index = PartitionIndex(0), .committed_offset = Offset(offset), .committed_metadata = "m"};
}

/// Commits 100 + version in each version, and reads it in each.
io::Task<Result<>> commit_and_fetch(BrokerConnection& server) {
  PYRALOG_CO_ASSIGN(const LogId id, co_await id_of_log(server));
  for (int version = 2; version <= 10; ++version) {
    const auto partition = offset_of(100 + version);
    OffsetCommitRequest::Topic topic{.name = "t", .topic_id = id, .partitions = std::span(&partition, 1)};
    OffsetCommitRequest request{.group_id = "g", .topics = std::span<const OffsetCommitRequest::Topic>(&topic, 1)};
    PYRALOG_CO_ASSIGN(const auto done, (co_await ask<OffsetCommitRequest, OffsetCommitResponse>(server, request, version)));
    EXPECT_EQ(done.message.topics[0].partitions[0].error_code, KafkaError::kNone) << version;
  }
  const PartitionIndex indexes[] = {PartitionIndex(0), PartitionIndex(1)};
  for (int version = 1; version <= 7; ++version) {
    OffsetFetchRequest::Topic topic{.name = "t", .partition_indexes = std::span<const PartitionIndex>(indexes)};
    OffsetFetchRequest request{.group_id = "g"};
    request.topics = std::span<const OffsetFetchRequest::Topic>(&topic, 1);
    PYRALOG_CO_ASSIGN(const auto found, (co_await ask<OffsetFetchRequest, OffsetFetchResponse>(server, request, version)));
    EXPECT_EQ(found.message.topics[0].partitions[0].committed_offset, Offset(110)) << version;
    EXPECT_EQ(found.message.topics[0].partitions[1].committed_offset, Offset(-1)) << version;
  }
  for (int version = 8; version <= 10; ++version) {
    OffsetFetchRequest::GroupTopic topic{.name = "t", .topic_id = id};
    topic.partition_indexes = std::span<const PartitionIndex>(indexes);
    OffsetFetchRequest::Group groups[2] = {{.group_id = "g"}, {.group_id = "g"}};
    groups[0].topics = std::span<const OffsetFetchRequest::GroupTopic>(&topic, 1);
    groups[1].topics = std::nullopt;
    OffsetFetchRequest request;
    request.groups = std::span<const OffsetFetchRequest::Group>(groups);
    PYRALOG_CO_ASSIGN(const auto found, (co_await ask<OffsetFetchRequest, OffsetFetchResponse>(server, request, version)));
    EXPECT_EQ(found.message.groups[0].topics[0].partitions[0].committed_offset, Offset(110)) << version;
    EXPECT_EQ(found.message.groups[1].topics[0].partitions[0].committed_offset, Offset(110)) << version;
    EXPECT_EQ(found.message.groups[1].topics[0].partitions[0].metadata, "m") << version;
  }
  co_return Result<>();
}

io::Task<Result<>> fetch_again(BrokerConnection& server) {
  const PartitionIndex index(0);
  OffsetFetchRequest::Topic topic{.name = "t", .partition_indexes = std::span<const PartitionIndex>(&index, 1)};
  OffsetFetchRequest request{.group_id = "g"};
  request.topics = std::span<const OffsetFetchRequest::Topic>(&topic, 1);
  for (int tries = 0; tries < 100; ++tries) {
    PYRALOG_CO_ASSIGN(const auto found, (co_await ask<OffsetFetchRequest, OffsetFetchResponse>(server, request, 5)));
    if (found.message.error_code == KafkaError::kCoordinatorLoadInProgress) continue;
    if (found.message.error_code == KafkaError::kCoordinatorNotAvailable) {
      io::AbortSource never;
      (void)co_await io::sleep_for(kPoll, never);
      continue;
    }
    EXPECT_EQ(found.message.topics[0].partitions[0].committed_offset, Offset(110));
    co_return Result<>();
  }
  co_return Error(ErrorCode::kTimedOut, "the coordinator never loads");
}

TEST(Groups, CommitsInEveryVersionSurviveAPowerLoss) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    GroupWorld world(seed);
    world.run(&make_log);
    world.run(&commit_and_fetch);
    world.kill();
    world.run(&fetch_again);
  }
}

TEST(Groups, ALogThatCannotBeReadIsReadAgain) {
  GroupWorld world(6);
  world.run(&make_log);
  world.run(&commit_and_fetch);
  world.stop();
  world.fail_reads_of_groups();
  world.start();
  world.run(&fetch_again);
  EXPECT_GT(world.reads_failed(), 0u);
}

io::Task<Result<>> delete_log(BrokerConnection& server) {
  const std::string_view name = "t";
  DeleteTopicsRequest remove;
  remove.topic_names = std::span(&name, 1);
  PYRALOG_CO_ASSIGN(const auto removed, (co_await ask<DeleteTopicsRequest, DeleteTopicsResponse>(server, remove, 5)));
  EXPECT_EQ(removed.message.responses[0].error_code, KafkaError::kNone);
  co_return Result<>();
}

io::Task<Result<>> find_nothing(BrokerConnection& server) {
  const PartitionIndex index(0);
  OffsetFetchRequest::Topic topic{.name = "t", .partition_indexes = std::span<const PartitionIndex>(&index, 1)};
  OffsetFetchRequest request{.group_id = "g"};
  request.topics = std::span<const OffsetFetchRequest::Topic>(&topic, 1);
  io::AbortSource never;
  for (int tries = 0; tries < 100; ++tries) {
    PYRALOG_CO_ASSIGN(const auto found, (co_await ask<OffsetFetchRequest, OffsetFetchResponse>(server, request, 5)));
    const auto& answer = found.message;
    const bool is_known = answer.error_code == KafkaError::kNone;
    if (is_known && answer.topics[0].partitions[0].committed_offset == Offset(-1)) co_return Result<>();
    (void)co_await io::sleep_for(kPoll, never);
  }
  co_return Error(ErrorCode::kTimedOut, "what was committed for a deleted log stays");
}

TEST(Groups, WhatWasCommittedForALogGoesWithItWhateverCrashes) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    GroupWorld world(seed);
    world.run(&make_log);
    world.run(&commit_and_fetch);
    world.run(&delete_log);
    world.kill();
    world.run(&find_nothing);
  }
}

/// The one member of group `id`, in each version: joins, is assigned, lives, is described, leaves.
io::Task<Result<>> live_in(BrokerConnection& server, const std::string& id, int join_version) {
  JoinGroupRequest::Protocol protocol{.name = "range", .metadata = {as_bytes("subscribed")}};
  JoinGroupRequest join{.group_id = id, .session_timeout_ms = 10'000, .protocol_type = "consumer"};
  join.protocols = std::span<const JoinGroupRequest::Protocol>(&protocol, 1);
  std::string member;
  if (join_version >= 4) {
    PYRALOG_CO_ASSIGN(const auto named, (co_await ask<JoinGroupRequest, JoinGroupResponse>(server, join, join_version)));
    EXPECT_EQ(named.message.error_code, KafkaError::kMemberIdRequired) << join_version;
    member = named.message.member_id;
    join.member_id = member;
  }
  PYRALOG_CO_ASSIGN(const auto joined, (co_await ask<JoinGroupRequest, JoinGroupResponse>(server, join, join_version)));
  EXPECT_EQ(joined.message.error_code, KafkaError::kNone) << join_version;
  EXPECT_EQ(joined.message.members.size(), 1u) << join_version;
  member = joined.message.member_id;
  SyncGroupRequest::Assignment assigned{.member_id = member, .assignment = {as_bytes("all of it")}};
  SyncGroupRequest sync{.group_id = id, .generation_id = 1, .member_id = member, .protocol_type = "consumer"};
  sync.protocol_name = "range";
  sync.assignments = std::span<const SyncGroupRequest::Assignment>(&assigned, 1);
  const int sync_version = std::min(join_version, 5);
  PYRALOG_CO_ASSIGN(const auto synced, (co_await ask<SyncGroupRequest, SyncGroupResponse>(server, sync, sync_version)));
  EXPECT_EQ(as_text(synced.message.assignment.view), "all of it") << join_version;
  HeartbeatRequest beat{.group_id = id, .generation_id = 1, .member_id = member};
  const int beat_version = std::min(join_version, 4);
  PYRALOG_CO_ASSIGN(const auto lives, (co_await ask<HeartbeatRequest, HeartbeatResponse>(server, beat, beat_version)));
  EXPECT_EQ(lives.message.error_code, KafkaError::kNone) << join_version;

  const std::string_view groups[] = {id, "no such group"};
  DescribeGroupsRequest describe;
  describe.groups = std::span<const std::string_view>(groups);
  const int describe_version = std::min(join_version, 6);
  PYRALOG_CO_ASSIGN(const auto described,
                    (co_await ask<DescribeGroupsRequest, DescribeGroupsResponse>(server, describe, describe_version)));
  EXPECT_EQ(described.message.groups[0].group_state, "Stable") << join_version;
  EXPECT_EQ(as_text(described.message.groups[0].members[0].member_assignment.view), "all of it") << join_version;
  EXPECT_EQ(described.message.groups[1].group_state, "Dead") << join_version;
  EXPECT_EQ(described.message.groups[1].error_code == KafkaError::kGroupIdNotFound, describe_version >= 6);

  DeleteGroupsRequest remove;
  remove.groups_names = std::span<const std::string_view>(groups, 1);
  const int delete_version = std::min(join_version, 2);
  PYRALOG_CO_ASSIGN(const auto kept, (co_await ask<DeleteGroupsRequest, DeleteGroupsResponse>(server, remove, delete_version)));
  EXPECT_EQ(kept.message.results[0].error_code, KafkaError::kNonEmptyGroup) << join_version;
  const int leave_version = std::min(join_version, 5);
  LeaveGroupRequest::Member leaver{.member_id = member};
  LeaveGroupRequest leave{.group_id = id};
  if (leave_version < 3) leave.member_id = member;
  if (leave_version >= 3) leave.members = std::span<const LeaveGroupRequest::Member>(&leaver, 1);
  PYRALOG_CO_ASSIGN(const auto left, (co_await ask<LeaveGroupRequest, LeaveGroupResponse>(server, leave, leave_version)));
  EXPECT_EQ(left.message.error_code, KafkaError::kNone) << join_version;
  PYRALOG_CO_ASSIGN(const auto gone, (co_await ask<DeleteGroupsRequest, DeleteGroupsResponse>(server, remove, delete_version)));
  EXPECT_EQ(gone.message.results[0].error_code, KafkaError::kNone) << join_version;
  co_return Result<>();
}

io::Task<Result<>> live_in_all_versions(BrokerConnection& server) {
  for (int version = 0; version <= 9; ++version) {
    PYRALOG_CO_TRY(co_await live_in(server, "group-" + std::to_string(version), version));
  }
  const std::string_view empty = "empty";
  for (int version = 0; version <= 5; ++version) {
    ListGroupsRequest list;
    if (version >= 4) list.states_filter = std::span(&empty, 1);
    PYRALOG_CO_ASSIGN(const auto listed, (co_await ask<ListGroupsRequest, ListGroupsResponse>(server, list, version)));
    EXPECT_EQ(listed.message.groups.size(), 0u) << version;
  }
  co_return Result<>();
}

TEST(Groups, AMemberLivesInEveryVersion) {
  GroupWorld world(3);
  world.run(&make_log);
  world.run(&live_in_all_versions);
}

io::Task<Result<>> meddle(BrokerConnection& server) {
  const std::string_view internal = "__consumer_offsets";
  ProduceRequest::Partition data{.index = PartitionIndex(0), .records = Records(as_bytes("not even a batch"))};
  ProduceRequest::Topic written{.name = internal, .partition_data = std::span<const ProduceRequest::Partition>(&data, 1)};
  ProduceRequest produce{.acks = 1, .timeout_ms = 1000};
  produce.topic_data = std::span<const ProduceRequest::Topic>(&written, 1);
  PYRALOG_CO_ASSIGN(const auto produced, (co_await ask<ProduceRequest, ProduceResponse>(server, produce, 9)));
  EXPECT_EQ(produced.message.responses[0].partition_responses[0].error_code, KafkaError::kInvalidTopicException);

  DeleteTopicsRequest remove;
  remove.topic_names = std::span(&internal, 1);
  PYRALOG_CO_ASSIGN(const auto removed, (co_await ask<DeleteTopicsRequest, DeleteTopicsResponse>(server, remove, 5)));
  EXPECT_EQ(removed.message.responses[0].error_code, KafkaError::kInvalidTopicException);

  CreatePartitionsRequest::Topic grown{.name = internal, .count = 60};
  CreatePartitionsRequest grow;
  grow.topics = std::span<const CreatePartitionsRequest::Topic>(&grown, 1);
  PYRALOG_CO_ASSIGN(const auto refused, (co_await ask<CreatePartitionsRequest, CreatePartitionsResponse>(server, grow, 3)));
  EXPECT_EQ(refused.message.results[0].error_code, KafkaError::kInvalidTopicException);

  DeleteRecordsRequest::Partition before{.partition_index = PartitionIndex(3), .offset = Offset(-1)};
  DeleteRecordsRequest::Topic emptied{.name = internal};
  emptied.partitions = std::span<const DeleteRecordsRequest::Partition>(&before, 1);
  DeleteRecordsRequest empty;
  empty.topics = std::span<const DeleteRecordsRequest::Topic>(&emptied, 1);
  PYRALOG_CO_ASSIGN(const auto kept, (co_await ask<DeleteRecordsRequest, DeleteRecordsResponse>(server, empty, 2)));
  EXPECT_EQ(kept.message.topics[0].partitions[0].error_code, KafkaError::kInvalidTopicException);
  EXPECT_EQ(kept.message.topics[0].partitions[0].partition_index, PartitionIndex(3));

  MetadataRequest metadata;
  metadata.topics = std::nullopt;
  PYRALOG_CO_ASSIGN(const auto all, (co_await ask<MetadataRequest, MetadataResponse>(server, metadata, 12)));
  for (const auto& topic : all.message.topics) EXPECT_EQ(topic.is_internal, topic.name == internal);
  EXPECT_EQ(all.message.topics.size(), 2u);
  co_return Result<>();
}

TEST(Groups, TheInternalLogIsClosedToClients) {
  GroupWorld world(4);
  world.run(&make_log);
  world.run(&meddle);
}

}  // namespace
}  // namespace pyralog::sim
