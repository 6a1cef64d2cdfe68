#pragma once

#include "protocol/kafka/alter_configs.h"
#include "protocol/kafka/api_versions.h"
#include "protocol/kafka/create_partitions.h"
#include "protocol/kafka/create_topics.h"
#include "protocol/kafka/delete_groups.h"
#include "protocol/kafka/delete_records.h"
#include "protocol/kafka/delete_topics.h"
#include "protocol/kafka/describe_cluster.h"
#include "protocol/kafka/describe_configs.h"
#include "protocol/kafka/describe_groups.h"
#include "protocol/kafka/describe_log_dirs.h"
#include "protocol/kafka/describe_topic_partitions.h"
#include "protocol/kafka/fetch.h"
#include "protocol/kafka/find_coordinator.h"
#include "protocol/kafka/heartbeat.h"
#include "protocol/kafka/incremental_alter_configs.h"
#include "protocol/kafka/init_producer_id.h"
#include "protocol/kafka/join_group.h"
#include "protocol/kafka/leave_group.h"
#include "protocol/kafka/list_config_resources.h"
#include "protocol/kafka/list_groups.h"
#include "protocol/kafka/list_offsets.h"
#include "protocol/kafka/metadata.h"
#include "protocol/kafka/offset_commit.h"
#include "protocol/kafka/offset_delete.h"
#include "protocol/kafka/offset_fetch.h"
#include "protocol/kafka/offset_for_leader_epoch.h"
#include "protocol/kafka/produce.h"
#include "protocol/kafka/sync_group.h"

namespace pyralog::protocol {

/// Calls `visit.template operator()<Request, Response>()` for every API, by ascending key. The one list of all
/// messages: the API table and the tests walk it.
template <class Visit>
constexpr void for_each_api(Visit&& visit) {
  visit.template operator()<ProduceRequest, ProduceResponse>();
  visit.template operator()<FetchRequest, FetchResponse>();
  visit.template operator()<ListOffsetsRequest, ListOffsetsResponse>();
  visit.template operator()<MetadataRequest, MetadataResponse>();
  visit.template operator()<OffsetCommitRequest, OffsetCommitResponse>();
  visit.template operator()<OffsetFetchRequest, OffsetFetchResponse>();
  visit.template operator()<FindCoordinatorRequest, FindCoordinatorResponse>();
  visit.template operator()<JoinGroupRequest, JoinGroupResponse>();
  visit.template operator()<HeartbeatRequest, HeartbeatResponse>();
  visit.template operator()<LeaveGroupRequest, LeaveGroupResponse>();
  visit.template operator()<SyncGroupRequest, SyncGroupResponse>();
  visit.template operator()<DescribeGroupsRequest, DescribeGroupsResponse>();
  visit.template operator()<ListGroupsRequest, ListGroupsResponse>();
  visit.template operator()<ApiVersionsRequest, ApiVersionsResponse>();
  visit.template operator()<CreateTopicsRequest, CreateTopicsResponse>();
  visit.template operator()<DeleteTopicsRequest, DeleteTopicsResponse>();
  visit.template operator()<DeleteRecordsRequest, DeleteRecordsResponse>();
  visit.template operator()<InitProducerIdRequest, InitProducerIdResponse>();
  visit.template operator()<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>();
  visit.template operator()<DescribeConfigsRequest, DescribeConfigsResponse>();
  visit.template operator()<AlterConfigsRequest, AlterConfigsResponse>();
  visit.template operator()<DescribeLogDirsRequest, DescribeLogDirsResponse>();
  visit.template operator()<CreatePartitionsRequest, CreatePartitionsResponse>();
  visit.template operator()<DeleteGroupsRequest, DeleteGroupsResponse>();
  visit.template operator()<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>();
  visit.template operator()<OffsetDeleteRequest, OffsetDeleteResponse>();
  visit.template operator()<DescribeClusterRequest, DescribeClusterResponse>();
  visit.template operator()<ListConfigResourcesRequest, ListConfigResourcesResponse>();
  visit.template operator()<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>();
}

}  // namespace pyralog::protocol
