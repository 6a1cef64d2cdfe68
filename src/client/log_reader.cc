#include "client/log_reader.h"

#include <algorithm>

#include "client/kafka_failure.h"
#include "protocol/kafka/fetch.h"
#include "record/batch_splitter.h"

namespace pyralog::client {

using namespace protocol;

namespace {

constexpr Duration kRetryPause = std::chrono::milliseconds(100);

/// The end of the last whole batch in `records`, or `position` if there is none.
Result<Offset> end_of(ByteView records, Offset position) {
  record::BatchSplitter batches(records);
  for (;;) {
    const auto batch = batches.next();
    if (!batch.ok()) {
      if (batch.error() == ErrorCode::kTruncated) return position;  // answers end where their bytes do
      return batch.error();
    }
    if (!batch->has_value()) return position;
    position = std::max(position, (*batch)->end_offset());
  }
}

}  // namespace

LogReader::LogReader(ClusterClient& cluster, LogInfo log, ReaderOptions options)
    : cluster_(cluster), log_(std::move(log)), options_(options) {}
LogReader::~LogReader() = default;

io::Task<Result<std::unique_ptr<LogReader>>> LogReader::open(ClusterClient& cluster, LogInfo log,
                                                             std::vector<Position> positions, ReaderOptions options) {
  std::unique_ptr<LogReader> reader(new LogReader(cluster, std::move(log), options));
  for (const Position& position : positions) reader->positions_[position.partition] = position.next;
  reader->succeeded_ = io::Reactor::current().now();
  reader->scope_.spawn(reader->supervise());
  co_return std::move(reader);
}

io::Task<Result<std::vector<FetchedPartition>>> LogReader::next() {
  while (answers_.empty() && !failure_.has_value()) co_await answered_.wait();
  if (answers_.empty()) co_return *failure_;
  Answer answer = std::move(answers_.front());
  answers_.pop_front();
  room_.notify_all();
  std::erase_if(answer, [this](const FetchedPartition& fetched) { return !positions_.contains(fetched.partition); });
  co_return std::move(answer);
}

void LogReader::finish(PartitionIndex partition) { positions_.erase(partition); }

io::Task<> LogReader::close() {
  scope_.abort().abort();
  co_await scope_.close();
}

void LogReader::fail(Error error) {
  if (!failure_.has_value()) failure_ = std::move(error);
  answered_.notify_all();
}

std::vector<PartitionIndex> LogReader::partitions_at(NodeId node) const {
  std::vector<PartitionIndex> indexes;
  for (const PartitionInfo& partition : log_.partitions) {
    if (partition.leader == node && positions_.contains(partition.index)) indexes.push_back(partition.index);
  }
  return indexes;
}

io::Task<> LogReader::supervise() {
  while (!scope_.closing() && !failure_.has_value()) {
    for (const PartitionInfo& partition : log_.partitions) {
      if (partition.leader == NodeId(-1) || !positions_.contains(partition.index)) continue;
      if (reading_.insert(partition.leader).second) scope_.spawn(read_from(partition.leader));
    }
    if (co_await lost_.wait(scope_.abort()) == io::WaitOutcome::kAborted) co_return;
    if (co_await io::sleep_for(kRetryPause, scope_.abort()) == io::WaitOutcome::kAborted) co_return;
    auto log = co_await cluster_.describe_log(log_.name);
    const bool lost_for_long = io::Reactor::current().now() > succeeded_ + kLostMax;
    if (log.ok()) {
      log_ = std::move(*log);
      if (lost_for_long) co_return fail(Error(ErrorCode::kUnavailable, "no leader of log " + log_.name + " answers"));
    } else if (lost_for_long || !is_retriable(log.error().code())) {
      co_return fail(std::move(log).error());
    }
  }
}

io::Task<> LogReader::read_from(NodeId node) {
  bool is_leader = true;
  while (is_leader && !scope_.closing() && !failure_.has_value()) {
    if (answers_.size() >= kAnswersPerNodeMax * reading_.size()) {
      (void)co_await room_.wait(scope_.abort());
      continue;
    }
    if (partitions_at(node).empty()) break;
    auto fetched = co_await fetch_once(node);
    if (!fetched.ok() && !is_retriable(fetched.error().code())) fail(std::move(fetched).error());
    is_leader = fetched.ok() && *fetched;
  }
  reading_.erase(node);
  if (!is_leader) lost_.notify_all();
}

io::Task<Result<bool>> LogReader::fetch_once(NodeId node) {
  PYRALOG_CO_ASSIGN(const auto connection, co_await cluster_.connection_to(node));
  PYRALOG_CO_ASSIGN(const ApiVersion version, connection->version_of(kFetchApi));
  std::vector<FetchRequest::Partition> partitions;
  for (const PartitionIndex index : partitions_at(node)) {
    partitions.push_back({.partition = index, .fetch_offset = positions_.at(index),
                          .partition_max_bytes = options_.partition_bytes_max});
  }
  // The first in line is served first; going round lets a busy partition not starve the others.
  if (!partitions.empty()) std::ranges::rotate(partitions, partitions.begin() + turn_++ % std::ssize(partitions));
  const std::vector<FetchRequest::Topic> topics{{.topic = log_.name, .topic_id = log_.id, .partitions = partitions}};
  const FetchRequest request{.max_wait_ms = static_cast<std::int32_t>(options_.wait_max.count()),
                             .min_bytes = options_.answer_bytes_min,
                             .max_bytes = options_.answer_bytes_max,
                             .topics = topics};
  PYRALOG_CO_ASSIGN(OutgoingFrame frame, encode_request(request, version, 0, connection->options().client_id));
  // Shared with the connection: closing does not wait for an answer that the server holds back.
  struct Awaited {
    std::optional<Result<Slice>> answer;
    io::WaitList arrived;
  };
  auto awaited = std::make_shared<Awaited>();
  connection->send(std::move(frame), [awaited](Result<Slice> answer) {
    awaited->answer.emplace(std::move(answer));
    awaited->arrived.notify_all();
  });
  if (!awaited->answer.has_value()) (void)co_await awaited->arrived.wait(scope_.abort());
  if (!awaited->answer.has_value()) co_return ErrorCode::kAborted;
  PYRALOG_CO_TRY(*awaited->answer);
  co_return take_answer(**awaited->answer, version);
}

Result<bool> LogReader::take_answer(const Slice& frame, ApiVersion version) {
  PYRALOG_ASSIGN(const auto response, parse_response(frame.view(), kFetchApi, version));
  Arena arena;
  PYRALOG_ASSIGN(const auto message, decode<FetchResponse>(response.body, version, arena));
  PYRALOG_TRY(check_answer(message.error_code, "fetch from log " + log_.name));
  Answer answer;
  bool is_leader = true;
  for (const auto& topic : message.responses) {
    for (const auto& partition : topic.partitions) {
      const auto position = positions_.find(partition.partition_index);
      if (position == positions_.end()) continue;
      const std::string subject = log_.name + "/" + std::to_string(partition.partition_index.value);
      if (is_stale_metadata(partition.error_code)) {
        is_leader = false;
        continue;
      }
      if (partition.error_code == KafkaError::kOffsetOutOfRange) {
        return Error(ErrorCode::kOutOfRange, subject + " has no offset " + std::to_string(position->second.value) +
                                                 ": it starts at " + std::to_string(partition.log_start_offset.value) +
                                                 " and ends at " + std::to_string(partition.high_watermark.value));
      }
      PYRALOG_TRY(check_answer(partition.error_code, subject));
      FetchedPartition fetched{.partition = partition.partition_index, .position = position->second,
                               .high_watermark = partition.high_watermark, .frame = frame,
                               .records = partition.records.bytes()};
      PYRALOG_ASSIGN(position->second, end_of(fetched.records, position->second));
      answer.push_back(std::move(fetched));
    }
  }
  if (is_leader) succeeded_ = io::Reactor::current().now();
  answers_.push_back(std::move(answer));
  answered_.notify_all();
  return is_leader;
}

}  // namespace pyralog::client
