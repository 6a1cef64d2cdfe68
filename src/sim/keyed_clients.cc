#include "sim/keyed_clients.h"

#include <algorithm>

#include "client/admin.h"
#include "client/log_reader.h"
#include "protocol/kafka/list_offsets.h"
#include "protocol/kafka/produce.h"
#include "record/batch_splitter.h"
#include "record/record_iterator.h"

namespace pyralog::sim {

using namespace protocol;

namespace {

constexpr std::string_view kIdHeader = "id";
constexpr std::uint64_t kKeys = 6;
constexpr std::uint64_t kRecordsMax = 5;
constexpr std::int32_t kServerTimeoutMs = 3000;

/// Another log than `pick_log` gives.
std::optional<std::size_t> pick_keyed(Stage& stage, Random& random) {
  std::vector<std::size_t> there;
  for (std::size_t i = 0; i < stage.history.log_count(); ++i) {
    const LogFacts& facts = stage.history.log(i);
    if (facts.fate == Fate::kThere && facts.use == LogUse::kKeyed) there.push_back(i);
  }
  if (there.empty()) return std::nullopt;
  return there[random.below(there.size())];
}

Result<KeyedHistory::Found> read_record(const record::RecordView& record) {
  KeyedHistory::Found found{.offset = record.offset, .id = KeyedId(UINT64_MAX), .key = {}};
  if (record.key.has_value()) found.key = as_text(*record.key);
  found.is_deletion = !record.value.has_value();
  for (const record::HeaderView& header : record.headers) {
    if (header.key == kIdHeader && header.value.has_value() && header.value->size() == 8) {
      found.id.value = load_little<std::uint64_t>(header.value->data());
    }
  }
  if (!found.is_deletion) {
    const auto value = identify(*record.value);
    if (!value.has_value() || value->value != found.id.value) {
      return Error(ErrorCode::kCorrupt, "other bytes than were written, at offset " + std::to_string(record.offset.value));
    }
  }
  return found;
}

/// Adds what `fetched` has; the offset behind it.
Result<Offset> take_batches(const client::FetchedPartition& fetched, Offset next, std::vector<KeyedHistory::Found>& found) {
  record::Decompressor decompressor;
  record::BatchSplitter batches(fetched.records);
  for (;;) {
    const auto batch = batches.next();
    if (!batch.ok() && batch.error() == ErrorCode::kTruncated) return next;
    PYRALOG_TRY(batch);
    if (!batch->has_value()) return next;
    PYRALOG_TRY((*batch)->verify_crc());
    PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(**batch, decompressor));
    for (record::RecordView record;;) {
      PYRALOG_ASSIGN(const bool is_there, records.next(record));
      if (!is_there) break;
      if (record.offset < next) continue;
      PYRALOG_ASSIGN(KeyedHistory::Found one, read_record(record));
      found.push_back(std::move(one));
    }
    next = std::max(next, (*batch)->end_offset());
  }
}

io::Task<Result<>> read_to_end(Stage& stage, client::LogReader& reader, std::map<PartitionIndex, Offset> next,
                               std::size_t log, MonotonicTime asked) {
  std::map<PartitionIndex, std::vector<KeyedHistory::Found>> found;
  while (!next.empty()) {
    PYRALOG_CO_ASSIGN(const auto answer, co_await reader.next());
    for (const client::FetchedPartition& fetched : answer) {
      const auto at = next.find(fetched.partition);
      if (at == next.end()) continue;
      const auto taken = take_batches(fetched, at->second, found[fetched.partition]);
      if (!taken.ok()) {
        const LogFacts& facts = stage.history.log(log);
        stage.history.violate(facts.name + "/" + std::to_string(fetched.partition.value) + ": " + taken.error().to_string());
        co_return Result<>();
      }
      at->second = *taken;
      // What was removed before it was reached has something newer behind it, which is below this end; the last of it may
      // have been removed, too.
      if (at->second < fetched.high_watermark && !fetched.records.empty()) continue;
      stage.keyed.check({log, fetched.partition}, found[fetched.partition], asked, stage.now());
      reader.finish(fetched.partition);
      next.erase(at);
    }
  }
  co_return Result<>();
}

}  // namespace

io::Task<> KeyedWriter::run() {
  while (!stage_.stopping) {
    auto connection = co_await client::BrokerConnection::connect(stage_.server.kafka(), impatient_options());
    if (connection.ok()) {
      co_await use(**connection);
      co_await (*connection)->close();
    }
    co_await pause_for(random_, std::chrono::milliseconds(500));
  }
}

io::Task<> KeyedWriter::use(client::BrokerConnection& connection) {
  while (!stage_.stopping && !connection.failed()) {
    if (const auto log = pick_keyed(stage_, random_)) co_await write(connection, *log);
    co_await pause_for(random_, stage_.plan.pause_max);
  }
}

std::vector<KeyedId> KeyedWriter::fill(record::BatchBuilder& builder, KeyedHistory::Place place) {
  std::vector<KeyedId> ids;
  for (std::uint64_t left = random_.between(1, kRecordsMax); left > 0; --left) {
    const std::string key = "key-" + std::to_string(random_.below(kKeys));
    const bool is_deletion = random_.chance(1, 4);
    const KeyedId id = stage_.keyed.write(place, key, is_deletion);
    std::byte header[8];
    store_little(header, id.value);
    const record::HeaderInput headers[] = {{.key = kIdHeader, .value = ByteView(header)}};
    const std::string value = make_value(ValueId(id.value), random_.between(kValueBytesMin, stage_.plan.value_bytes_max));
    record::RecordInput record{.timestamp = io::Reactor::current().wall_now(), .key = as_bytes(key)};
    if (!is_deletion) record.value = as_bytes(value);
    record.headers = headers;
    PYRALOG_ASSERT(builder.append(record).ok(), "a small record does not fit a batch");
    ids.push_back(id);
  }
  return ids;
}

io::Task<> KeyedWriter::write(client::BrokerConnection& connection, std::size_t log) {
  const KeyedHistory::Place place{log, stage_.pick_partition(random_, log)};
  record::BatchBuilder builder({.codec = random_.chance(1, 3) ? record::Codec::kZstd : record::Codec::kNone});
  const std::vector<KeyedId> ids = fill(builder, place);
  const auto bytes = builder.finish();
  PYRALOG_ASSERT(bytes.ok(), "a small batch cannot be made");
  const LogFacts& facts = stage_.history.log(log);
  const ProduceRequest::Partition partition{.index = place.second, .records = Records(*bytes)};
  const ProduceRequest::Topic topic{.name = facts.name, .topic_id = facts.id, .partition_data = std::span(&partition, 1)};
  const ProduceRequest request{.transactional_id = std::nullopt, .acks = -1, .timeout_ms = kServerTimeoutMs,
                               .topic_data = std::span(&topic, 1)};
  const auto reply = co_await connection.call<ProduceRequest, ProduceResponse>(request);
  if (!reply.ok()) co_return;
  const auto& answer = reply->message.responses[0].partition_responses[0];
  switch (answer.error_code) {
    case KafkaError::kNone:
      for (std::size_t i = 0; i < ids.size(); ++i) {
        stage_.keyed.acknowledge(ids[i], answer.base_offset + OffsetDelta(static_cast<std::int64_t>(i)), stage_.now());
      }
      co_return;
    case KafkaError::kRequestTimedOut:
      co_return;
    case KafkaError::kKafkaStorageError:
      for (const KeyedId id : ids) stage_.keyed.refuse(id);
      co_return;
    default:
      stage_.history.violate(facts.name + ": a keyed record is refused with " +
                             std::string(kafka_error_name(answer.error_code)));
  }
}

io::Task<Result<>> check_keyed_log(Stage& stage, client::ClusterClient& cluster, client::LogInfo info, std::size_t log) {
  const MonotonicTime asked = stage.now();
  const auto starts = co_await client::list_offsets(cluster, info, kTimestampEarliest);
  std::vector<client::LogReader::Position> positions;
  std::map<PartitionIndex, Offset> next;
  for (std::size_t i = 0; i < info.partitions.size(); ++i) {
    PYRALOG_CO_TRY(starts[i].outcome);
    positions.push_back({.partition = info.partitions[i].index, .next = starts[i].offset});
    next[info.partitions[i].index] = starts[i].offset;
  }
  const client::ReaderOptions options{.wait_max = std::chrono::milliseconds(20)};
  PYRALOG_CO_ASSIGN(const auto reader,
                    co_await client::LogReader::open(cluster, std::move(info), std::move(positions), options));
  Result<> read = co_await read_to_end(stage, *reader, std::move(next), log, asked);
  co_await reader->close();
  co_return read;
}

io::Task<> KeyedReader::run() {
  const auto work = [this](client::ClusterClient& cluster) { return use(cluster); };
  co_await keep_using(stage_, random_, impatient_options(), work);
}

io::Task<> KeyedReader::use(client::ClusterClient& cluster) {
  while (!stage_.stopping && !stage_.history.violation().has_value()) {
    co_await pause_for(random_, 10 * stage_.plan.pause_max);
    const auto log = pick_keyed(stage_, random_);
    if (!log.has_value()) co_return;
    auto info = co_await cluster.describe_log(stage_.history.log(*log).name);
    if (!info.ok()) co_return;
    const Result<> checked = co_await check_keyed_log(stage_, cluster, std::move(*info), *log);
    if (!checked.ok()) co_return;
  }
}

}  // namespace pyralog::sim
