#include "server/lag_times.h"

#include <algorithm>

#include "record/batch_splitter.h"
#include "record/record_iterator.h"
#include "server/partition_use.h"
#include "storage/read_bytes.h"

namespace pyralog::server {
namespace {

constexpr std::uint64_t kReadBytes = 4096;  // a larger batch is read whole all the same

Result<std::optional<WallTime>> first_time(ByteView bytes, Offset offset, record::Decompressor& decompressor) {
  record::BatchSplitter batches(bytes);
  for (;;) {
    PYRALOG_ASSIGN(const auto batch, batches.next());
    if (!batch.has_value()) return std::optional<WallTime>();
    if (batch->is_control()) continue;
    PYRALOG_TRY(batch->verify_crc());
    PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(*batch, decompressor));
    for (record::RecordView record;;) {
      PYRALOG_ASSIGN(const bool is_there, records.next(record));
      if (!is_there) break;
      if (record.offset >= offset) return std::optional(record.timestamp);
    }
  }
}

}  // namespace

io::Task<std::optional<WallTime>> LagTimes::read(WaitingRecord wanted) {
  PartitionUse partition(shard_, wanted.partition);
  if (!partition) co_return std::nullopt;
  const Offset offset = std::max(wanted.offset, partition->data->start());  // what was deleted does not wait
  const storage::ReadOptions options{.offset = offset, .bytes_max = kReadBytes};
  const auto bytes = co_await storage::read_bytes(*partition->data, options);
  if (!bytes.ok()) co_return std::nullopt;
  const auto time = first_time(bytes->view(), offset, shard_.decompressor());
  co_return time.ok() ? *time : std::nullopt;
}

io::Task<std::vector<std::optional<WallTime>>> LagTimes::look_up(std::vector<WaitingRecord> wanted, std::size_t reads_max) {
  std::map<WaitingRecord, WallTime> found;
  std::vector<std::optional<WallTime>> times;
  for (const WaitingRecord& record : wanted) {
    std::optional<WallTime> time;
    if (const auto known = known_.find(record); known != known_.end()) {
      time = known->second;
    } else if (reads_max > 0) {
      --reads_max;
      time = co_await read(record);
    }
    if (time.has_value()) found.emplace(record, *time);
    times.push_back(time);
  }
  known_ = std::move(found);
  co_return times;
}

}  // namespace pyralog::server
