#include "sim/log_follower.h"

#include "client/admin.h"
#include "protocol/kafka/list_offsets.h"
#include "record/batch_splitter.h"
#include "record/record_iterator.h"

namespace pyralog::sim {

bool PartitionCursor::take(const client::FetchedPartition& fetched) {
  if (Result<> taken = take_batches(fetched); !taken.ok()) {
    if (stage_.rot.has_hit(stage_.history.log(log_).id, fetched.partition)) {
      stage_.coverage.add(Happened::kRotSeen);
      return false;
    }
    stage_.history.violate(stage_.history.log(log_).name + "/" + std::to_string(fetched.partition.value) +
                           ": what was read at offset " + std::to_string(fetched.position.value) + ": " +
                           taken.error().to_string());
    return false;
  }
  return true;
}

Result<> PartitionCursor::take_batches(const client::FetchedPartition& fetched) {
  record::BatchSplitter batches(fetched.records);
  for (;;) {
    auto batch = batches.next();
    if (!batch.ok() && batch.error() == ErrorCode::kTruncated) return {};
    PYRALOG_TRY(batch);
    if (!batch->has_value()) return {};
    PYRALOG_TRY((*batch)->verify_crc());
    PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(**batch, decompressor_));
    record::RecordView record;
    for (;;) {
      PYRALOG_ASSIGN(const bool found, records.next(record));
      if (!found) break;
      if (record.offset < fetched.position) continue;
      PYRALOG_TRY(take_record(fetched.partition, record.offset, record.value.value_or(ByteView())));
    }
  }
}

Result<> PartitionCursor::take_record(PartitionIndex partition, Offset offset, ByteView value) {
  Offset& next = next_[partition];
  if (offset != next) {
    return Error(ErrorCode::kCorrupt, "offset " + std::to_string(offset.value) + " follows " + std::to_string(next.value - 1));
  }
  next += OffsetDelta(1);
  if (tells_history_) {
    stage_.history.read(log_, partition, offset, value);
    return {};
  }
  const auto id = identify(value);
  if (!id.has_value()) return Error(ErrorCode::kCorrupt, "bytes that nobody sent at offset " + std::to_string(offset.value));
  values_[partition].push_back(*id);
  return {};
}

io::Task<> LogFollower::run() {
  const auto work = [this](client::ClusterClient& cluster) { return use(cluster); };
  co_await keep_using(stage_, random_, impatient_options(), work);
}

io::Task<> LogFollower::use(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  // By name: a log that may be deleted could become another one while it is read.
  if (!log.has_value() || stage_.history.log(*log).may_be_deleted) co_return;
  auto info = co_await cluster.describe_log(stage_.history.log(*log).name);
  if (!info.ok() || info->id != stage_.history.log(*log).id) co_return;
  starts_.clear();
  co_await look_at_bounds(cluster, *info, *log);
  if (starts_.size() == info->partitions.size()) co_await follow(cluster, std::move(*info), *log);
}

io::Task<> LogFollower::look_at_bounds(client::ClusterClient& cluster, const client::LogInfo& info, std::size_t log) {
  const std::uint32_t life = stage_.server.life();
  std::vector<History::Floor> floors;
  for (const auto& partition : info.partitions) floors.push_back(stage_.history.floor(log, partition.index, life));
  const auto starts = co_await client::list_offsets(cluster, info, protocol::kTimestampEarliest);
  const auto ends = co_await client::list_offsets(cluster, info, protocol::kTimestampLatest);
  for (std::size_t i = 0; i < floors.size(); ++i) {
    const PartitionIndex partition = info.partitions[i].index;
    if (starts[i].outcome.ok()) {
      stage_.history.saw_start(log, partition, floors[i], starts[i].offset);
      starts_[partition] = starts[i].offset;
    }
    if (ends[i].outcome.ok()) stage_.history.saw_end(log, partition, floors[i], ends[i].offset, stage_.server.life());
  }
}

io::Task<> LogFollower::follow(client::ClusterClient& cluster, client::LogInfo info, std::size_t log) {
  PartitionCursor cursor(stage_, log, true);
  std::vector<client::LogReader::Position> positions;
  for (const auto& partition : info.partitions) {
    positions.push_back({.partition = partition.index, .next = starts_.at(partition.index)});
    cursor.begin(partition.index, starts_.at(partition.index));
  }
  client::ReaderOptions options{.wait_max = std::chrono::milliseconds(random_.between(1, 600)),
                                .answer_bytes_min = random_.chance(3, 4) ? 1 : 5000,
                                .partition_bytes_max = static_cast<std::int32_t>(random_.between(1, 100'000))};
  auto reader = co_await client::LogReader::open(cluster, std::move(info), std::move(positions), options);
  if (!reader.ok()) co_return;
  std::map<PartitionIndex, Offset> watermarks;
  for (std::uint64_t left = random_.between(1, 60); left > 0 && !stage_.stopping; --left) {
    const auto answer = co_await (*reader)->next();
    if (!answer.ok()) {
      const LogFacts& facts = stage_.history.log(log);
      // A durable log keeps what was readable, unless somebody deletes it.
      if (answer.error() == ErrorCode::kOutOfRange && !facts.was_cached && !facts.may_shrink && !facts.has_deleted_records) {
        stage_.history.violate("reading log " + facts.name + ": " + answer.error().to_string());
      }
      stage_.note("reading " + facts.name + ": " + answer.error().to_string());
      break;
    }
    bool is_good = true;
    for (const auto& fetched : *answer) {
      // After a crash a cached log may end earlier, and what follows its reader's position is not what it was.
      if (!stage_.history.log(log).was_cached) {
        is_good = is_good && cursor.take(fetched);
        Offset& watermark = watermarks[fetched.partition];
        if (fetched.high_watermark < watermark) stage_.history.violate("a high watermark went back");
        watermark = fetched.high_watermark;
      }
    }
    if (!is_good) break;
  }
  co_await (*reader)->close();
}

}  // namespace pyralog::sim
