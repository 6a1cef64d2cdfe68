#pragma once

#include "io/task.h"
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
#include "server/request.h"

/// One function per API, in the file of its name. A handler reports errors in its response wherever the response has a
/// place for them; a failed Result ends the connection. Views in a response point into the request or its arena.
namespace pyralog::server {

io::Task<Result<protocol::ApiVersionsResponse>> handle_api_versions(Request&, const protocol::ApiVersionsRequest&);
io::Task<Result<protocol::MetadataResponse>> handle_metadata(Request&, const protocol::MetadataRequest&);
io::Task<Result<protocol::ProduceResponse>> handle_produce(Request&, const protocol::ProduceRequest&);
io::Task<Result<protocol::FetchResponse>> handle_fetch(Request&, const protocol::FetchRequest&);
io::Task<Result<protocol::ListOffsetsResponse>> handle_list_offsets(Request&, const protocol::ListOffsetsRequest&);
io::Task<Result<protocol::AlterConfigsResponse>> handle_alter_configs(Request&, const protocol::AlterConfigsRequest&);
io::Task<Result<protocol::CreatePartitionsResponse>> handle_create_partitions(Request&,
                                                                              const protocol::CreatePartitionsRequest&);
io::Task<Result<protocol::CreateTopicsResponse>> handle_create_topics(Request&, const protocol::CreateTopicsRequest&);
io::Task<Result<protocol::DeleteRecordsResponse>> handle_delete_records(Request&, const protocol::DeleteRecordsRequest&);
io::Task<Result<protocol::DeleteTopicsResponse>> handle_delete_topics(Request&, const protocol::DeleteTopicsRequest&);
io::Task<Result<protocol::DescribeClusterResponse>> handle_describe_cluster(Request&,
                                                                            const protocol::DescribeClusterRequest&);
io::Task<Result<protocol::DescribeConfigsResponse>> handle_describe_configs(Request&,
                                                                            const protocol::DescribeConfigsRequest&);
io::Task<Result<protocol::DescribeLogDirsResponse>> handle_describe_log_dirs(Request&,
                                                                             const protocol::DescribeLogDirsRequest&);
io::Task<Result<protocol::DescribeTopicPartitionsResponse>> handle_describe_topic_partitions(
    Request&, const protocol::DescribeTopicPartitionsRequest&);
io::Task<Result<protocol::IncrementalAlterConfigsResponse>> handle_incremental_alter_configs(
    Request&, const protocol::IncrementalAlterConfigsRequest&);
io::Task<Result<protocol::InitProducerIdResponse>> handle_init_producer_id(Request&,
                                                                           const protocol::InitProducerIdRequest&);
io::Task<Result<protocol::ListConfigResourcesResponse>> handle_list_config_resources(
    Request&, const protocol::ListConfigResourcesRequest&);
io::Task<Result<protocol::OffsetForLeaderEpochResponse>> handle_offset_for_leader_epoch(
    Request&, const protocol::OffsetForLeaderEpochRequest&);
io::Task<Result<protocol::JoinGroupResponse>> handle_join_group(Request&, const protocol::JoinGroupRequest&);
io::Task<Result<protocol::SyncGroupResponse>> handle_sync_group(Request&, const protocol::SyncGroupRequest&);
io::Task<Result<protocol::HeartbeatResponse>> handle_heartbeat(Request&, const protocol::HeartbeatRequest&);
io::Task<Result<protocol::LeaveGroupResponse>> handle_leave_group(Request&, const protocol::LeaveGroupRequest&);
io::Task<Result<protocol::OffsetCommitResponse>> handle_offset_commit(Request&, const protocol::OffsetCommitRequest&);
io::Task<Result<protocol::OffsetFetchResponse>> handle_offset_fetch(Request&, const protocol::OffsetFetchRequest&);
io::Task<Result<protocol::OffsetDeleteResponse>> handle_offset_delete(Request&, const protocol::OffsetDeleteRequest&);
io::Task<Result<protocol::FindCoordinatorResponse>> handle_find_coordinator(Request&,
                                                                            const protocol::FindCoordinatorRequest&);
io::Task<Result<protocol::DescribeGroupsResponse>> handle_describe_groups(Request&,
                                                                          const protocol::DescribeGroupsRequest&);
io::Task<Result<protocol::ListGroupsResponse>> handle_list_groups(Request&, const protocol::ListGroupsRequest&);
io::Task<Result<protocol::DeleteGroupsResponse>> handle_delete_groups(Request&, const protocol::DeleteGroupsRequest&);

}  // namespace pyralog::server
