#include <algorithm>

#include "server/handlers/handlers.h"
#include "server/handlers/partition_jobs.h"

namespace pyralog::server {
namespace {

using namespace protocol;

struct SizeAnswer {
  KafkaError error_code{};
  std::int64_t bytes = 0;
};

io::Task<> measure(storage::PartitionLog& log, const PartitionIndex&, SizeAnswer& answer) {
  answer.bytes = static_cast<std::int64_t>(log.bytes());
  co_return;
}

struct NamedPartitions {
  const cluster::LogMetadata* log;
  std::vector<PartitionIndex> indexes;
};

std::vector<NamedPartitions> asked_partitions(const DescribeLogDirsRequest& message,
                                              const std::vector<cluster::LogPtr>& logs,
                                              const cluster::MetadataImage& image) {
  std::vector<NamedPartitions> asked;
  if (!message.topics.has_value()) {
    for (const auto& log : logs) {
      NamedPartitions& named = asked.emplace_back(NamedPartitions{.log = log.get()});
      for (std::size_t i = 0; i < log->partitions.size(); ++i) {
        named.indexes.emplace_back(static_cast<std::int32_t>(i));
      }
    }
    return asked;
  }
  // As Kafka: what does not exist is left out.
  for (const auto& topic : *message.topics) {
    const auto* log = image.find_log(topic.topic);
    if (log == nullptr) continue;
    NamedPartitions& named = asked.emplace_back(NamedPartitions{.log = log});
    for (const PartitionIndex index : topic.partitions) {
      if (log->find(index) != nullptr) named.indexes.push_back(index);
    }
  }
  return asked;
}

}  // namespace

io::Task<Result<DescribeLogDirsResponse>> handle_describe_log_dirs(Request& request,
                                                                   const DescribeLogDirsRequest& message) {
  const cluster::ImagePtr image = request.shard.image();
  const auto logs = image->logs_by_name();
  const auto asked = asked_partitions(message, logs, *image);
  std::size_t count = 0;
  for (const auto& named : asked) count += named.indexes.size();
  std::vector<SizeAnswer> sizes(count);
  std::vector<PartitionJob<PartitionIndex, SizeAnswer>> jobs;
  std::size_t next = 0;
  for (const auto& named : asked) {
    for (const PartitionIndex& index : named.indexes) add_job(jobs, named.log, index, index, sizes[next++]);
  }
  co_await run_jobs(request.shard, std::span(jobs), &measure);

  auto topics = request.arena.make<DescribeLogDirsResponse::Topic>(asked.size());
  next = 0;
  for (std::size_t t = 0; t < asked.size(); ++t) {
    auto partitions = request.arena.make<DescribeLogDirsResponse::Partition>(asked[t].indexes.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      partitions[p] = {.partition_index = asked[t].indexes[p], .partition_size = sizes[next++].bytes};
    }
    topics[t].name = request.arena.copy(asked[t].log->name);
    topics[t].partitions = partitions;
  }
  auto directories = request.arena.make<DescribeLogDirsResponse::Directory>(1);
  directories[0].log_dir = request.shard.info().data_directory;
  directories[0].topics = topics;
  const auto space = co_await request.shard.reactor().disk().space(request.shard.info().data_directory);
  if (space.ok()) {
    directories[0].total_bytes = static_cast<std::int64_t>(space->total_bytes);
    directories[0].usable_bytes = static_cast<std::int64_t>(space->free_bytes);
  }
  DescribeLogDirsResponse response;
  response.results = directories;
  co_return response;
}

}  // namespace pyralog::server
