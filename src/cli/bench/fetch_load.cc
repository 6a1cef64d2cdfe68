#include "cli/bench/fetch_load.h"

#include <algorithm>

#include "cli/bench/stamp.h"
#include "client/admin.h"
#include "client/kafka_failure.h"
#include "protocol/kafka/list_offsets.h"
#include "record/batch_splitter.h"

namespace pyralog::cli {

using namespace protocol;

FetchLoad::~FetchLoad() = default;

io::Task<Result<std::unique_ptr<FetchLoad>>> FetchLoad::open(client::ClusterClient& cluster, client::LogInfo log,
                                                             FetchLoadOptions options) {
  std::unique_ptr<FetchLoad> load(new FetchLoad(std::move(log), options));
  Result<> connected = co_await load->connect(cluster);
  if (connected.ok()) co_return std::move(load);
  co_await load->close();
  co_return std::move(connected).error();
}

io::Task<Result<>> FetchLoad::connect(client::ClusterClient& cluster) {
  const auto starts = co_await client::list_offsets(cluster, log_, kTimestampEarliest);
  const auto ends = co_await client::list_offsets(cluster, log_, kTimestampLatest);
  std::map<NodeId, std::vector<Link*>> links_to;
  std::map<NodeId, std::size_t> dealt;
  for (const client::PartitionInfo& partition : log_.partitions) links_to.try_emplace(partition.leader);
  auto leader = links_to.begin();
  for (std::uint32_t i = 0; i < options_.connections && !links_to.empty(); ++i) {
    auto link = std::make_unique<Link>();
    PYRALOG_CO_ASSIGN(link->connection, co_await cluster.new_connection_to(leader->first));
    Link& added = *links_.emplace_back(std::move(link));  // from here on close() closes it
    PYRALOG_CO_ASSIGN(added.version, added.connection->version_of(kFetchApi));
    leader->second.push_back(&added);
    if (++leader == links_to.end()) leader = links_to.begin();
  }
  for (std::size_t i = 0; i < log_.partitions.size(); ++i) {
    PYRALOG_CO_TRY(starts[i].outcome);
    PYRALOG_CO_TRY(ends[i].outcome);
    const NodeId node = log_.partitions[i].leader;
    const auto& links = links_to.at(node);
    if (links.empty()) co_return Error(ErrorCode::kInvalidArgument, "there are more leaders than connections");
    const Offset start = options_.tail ? ends[i].offset : starts[i].offset;
    links[dealt[node]++ % links.size()]->positions[log_.partitions[i].index] =
        {.start = start, .next = start, .end = ends[i].offset, .finished = !options_.tail && start == ends[i].offset};
  }
  co_return Result<>();
}

void FetchLoad::start(const LoadWindow& window) {
  window_ = window;
  links_reading_ = links_.size();
  for (const auto& link : links_) fetch(*link);
}

void FetchLoad::fetch(Link& link) {
  std::vector<FetchRequest::Partition> partitions;
  for (const auto& [index, position] : link.positions) {
    if (position.finished) continue;
    partitions.push_back(
        {.partition = index, .fetch_offset = position.next, .partition_max_bytes = options_.partition_bytes_max});
  }
  if (partitions.empty()) return end_link("");
  // The first in line is served first.
  std::ranges::rotate(partitions, partitions.begin() + link.turn++ % std::ssize(partitions));
  const std::vector<FetchRequest::Topic> topics{{.topic = log_.name, .topic_id = log_.id, .partitions = partitions}};
  const FetchRequest request{.max_wait_ms = options_.wait_ms_max,
                             .min_bytes = options_.answer_bytes_min,
                             .max_bytes = options_.answer_bytes_max,
                             .topics = topics};
  auto frame = encode_request(request, link.version, 0, "pyralog-bench");
  if (!frame.ok()) return end_link(frame.error().to_string());
  link.sent = io::Reactor::current().now();
  link.connection->send(std::move(*frame), [this, &link](Result<Slice> answer) { take_answer(link, std::move(answer)); });
}

void FetchLoad::take_answer(Link& link, Result<Slice> frame) {
  if (stopped_) return;
  const MonotonicTime now = io::Reactor::current().now();
  if (!frame.ok()) return end_link(frame.error().to_string());
  Result<> read = read_answer(link, *frame, now);
  if (!read.ok()) return end_link(read.error().to_string());
  last_answer_ = now;
  if (window_.holds(now)) ++counts_.requests;
  if (!options_.tail && window_.holds(link.sent)) counts_.latency.record(now - link.sent);
  if (options_.tail) {
    progress_.notify_all();
  } else if (now >= window_.end) {
    return end_link("");
  }
  fetch(link);
}

Result<> FetchLoad::read_answer(Link& link, const Slice& frame, MonotonicTime now) {
  PYRALOG_ASSIGN(const auto response, parse_response(frame.view(), kFetchApi, link.version));
  Arena arena;
  PYRALOG_ASSIGN(const auto message, decode<FetchResponse>(response.body, link.version, arena));
  PYRALOG_TRY(client::check_answer(message.error_code, "fetch"));
  for (const auto& topic : message.responses) {
    for (const auto& partition : topic.partitions) {
      const auto position = link.positions.find(partition.partition_index);
      if (position == link.positions.end()) continue;
      PYRALOG_TRY(
          client::check_answer(partition.error_code, log_.name + "/" + std::to_string(partition.partition_index.value)));
      PYRALOG_TRY(read_batches(position->second, partition.records.bytes(), now));
    }
  }
  return {};
}

Result<> FetchLoad::read_batches(Position& position, ByteView records, MonotonicTime now) {
  const bool is_measured = window_.holds(now);
  record::BatchSplitter batches(records);
  for (;;) {
    const auto batch = batches.next();
    if (!batch.ok() && batch.error() == ErrorCode::kTruncated) break;
    if (!batch.ok()) return batch.error();
    if (!batch->has_value()) break;
    const record::BatchView& view = **batch;
    if (options_.verify) PYRALOG_TRY(view.verify_crc());
    position.next = view.end_offset();
    records_read_ += static_cast<std::uint64_t>(view.records_count());
    if (is_measured) {
      counts_.records += static_cast<std::uint64_t>(view.records_count());
      counts_.bytes += view.batch_bytes();
    }
    const auto stamp = options_.tail ? read_stamp(view) : std::nullopt;
    if (!stamp.has_value() || !window_.holds(stamp->intended)) continue;
    counts_.latency.record(now - stamp->sent);
    since_due_.record(now - stamp->intended);
  }
  if (options_.tail || position.next < position.end) return {};
  position.finished = !options_.repeat;
  position.next = position.start;
  return {};
}

void FetchLoad::end_link(std::string error) {
  if (!error.empty()) ++counts_.errors[error];
  --links_reading_;
  progress_.notify_all();
}

io::Task<> FetchLoad::finished(MonotonicTime deadline) {
  while (links_reading_ > 0 && io::Reactor::current().now() < deadline) (void)co_await progress_.wait_until(deadline);
}

io::Task<std::uint64_t> FetchLoad::caught_up(std::uint64_t records, MonotonicTime deadline) {
  while (records_read_ < records && links_reading_ > 0 && io::Reactor::current().now() < deadline) {
    (void)co_await progress_.wait_until(deadline);
  }
  co_return records_read_ < records ? records - records_read_ : 0;
}

io::Task<> FetchLoad::close() {
  stopped_ = true;
  for (const auto& link : links_) co_await link->connection->close();
}

}  // namespace pyralog::cli
