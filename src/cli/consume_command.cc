#include "cli/consume_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "cli/chosen_partitions.h"
#include "client/admin.h"
#include "client/log_reader.h"
#include "protocol/kafka/list_offsets.h"
#include "record/batch_splitter.h"

namespace pyralog::cli {
namespace {

/// What is to be read of one partition.
struct Range {
  Offset next;
  std::optional<Offset> end;  ///< none: no end
};
using Ranges = std::map<PartitionIndex, Range>;

io::Task<Result<Ranges>> plan(client::ClusterClient& cluster, const client::LogInfo& log, const ConsumeCommand& command) {
  const auto starts = co_await client::list_offsets(cluster, log, protocol::kTimestampEarliest);
  const auto ends = co_await client::list_offsets(cluster, log, protocol::kTimestampLatest);
  std::vector<client::OffsetInfo> at_time;
  if (command.from.kind == StartPosition::Kind::kTime) {
    at_time = co_await client::list_offsets(cluster, log, command.from.value);
  }
  Ranges ranges;
  for (std::size_t i = 0; i < log.partitions.size(); ++i) {
    PYRALOG_CO_TRY(starts[i].outcome);
    PYRALOG_CO_TRY(ends[i].outcome);
    const Offset start = starts[i].offset;
    const Offset end = ends[i].offset;
    Range range;
    switch (command.from.kind) {
      case StartPosition::Kind::kStart: range.next = start; break;
      case StartPosition::Kind::kEnd: range.next = end; break;
      case StartPosition::Kind::kOffset:
        range.next = Offset(command.from.value);
        if (range.next < start || range.next > end) {
          co_return Error(ErrorCode::kOutOfRange, fmt::format("{}/{} has offsets from {} to {}", log.name,
                                                              log.partitions[i].index.value, start.value, end.value));
        }
        break;
      case StartPosition::Kind::kBeforeEnd:
        range.next = std::max(start, command.from.value > end.value ? start : end - OffsetDelta(command.from.value));
        break;
      case StartPosition::Kind::kTime:
        PYRALOG_CO_TRY(at_time[i].outcome);
        range.next = at_time[i].offset == Offset(-1) ? end : at_time[i].offset;
        break;
    }
    if (!command.follow) range.end = end;
    ranges[log.partitions[i].index] = range;
  }
  co_return std::move(ranges);
}

/// Shows records until there are enough.
class Printer {
 public:
  explicit Printer(const ConsumeCommand& command) : command_(command) {}

  bool has_enough() const noexcept { return command_.count.has_value() && shown_ >= *command_.count; }

  /// The records of `fetched` from its position on, below `end`. Where reading stands afterwards.
  Result<Offset> show(const client::FetchedPartition& fetched, std::optional<Offset> end) {
    Offset reached = fetched.position;
    record::BatchSplitter batches(fetched.records);
    while (!has_enough()) {
      const auto batch = batches.next();
      if (!batch.ok() && batch.error() == ErrorCode::kTruncated) break;
      if (!batch.ok()) return batch.error();
      if (!batch->has_value()) break;
      if (end.has_value() && (*batch)->base_offset() >= *end) return std::max(reached, *end);
      PYRALOG_TRY((*batch)->verify_crc());
      if (!(*batch)->is_control()) PYRALOG_TRY(show_batch(fetched, **batch, end));
      reached = std::max(reached, (*batch)->end_offset());
    }
    return reached;
  }

  Result<> flush() {
    const bool written = std::fwrite(text_.data(), 1, text_.size(), stdout) == text_.size() && std::fflush(stdout) == 0;
    text_.clear();
    if (written) return {};
    return Error(ErrorCode::kIo, "standard output cannot be written");
  }

 private:
  static constexpr std::size_t kTextBytesMax = 1u << 20;

  Result<> show_batch(const client::FetchedPartition& fetched, const record::BatchView& batch, std::optional<Offset> end) {
    PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(batch, decompressor_));
    record::RecordView record;
    while (!has_enough()) {
      PYRALOG_ASSIGN(const bool found, records.next(record));
      if (!found || (end.has_value() && record.offset >= *end)) break;
      if (record.offset < fetched.position) continue;
      show_record(fetched.partition, record);
      ++shown_;
      if (text_.size() > kTextBytesMax) PYRALOG_TRY(flush());
    }
    return {};
  }

  void show_record(PartitionIndex partition, const record::RecordView& record) {
    switch (command_.output) {
      case RecordOutput::kText: command_.format.append(text_, command_.log, partition, record); break;
      case RecordOutput::kRaw:
        if (record.value.has_value()) text_ += as_text(*record.value);
        break;
      case RecordOutput::kJson: append_json(text_, command_.log, partition, record); break;
    }
  }

  const ConsumeCommand& command_;
  record::Decompressor decompressor_;
  std::string text_;
  std::uint64_t shown_ = 0;
};

io::Task<Result<>> read_all(client::LogReader& reader, Ranges& ranges, Printer& printer) {
  std::erase_if(ranges,
                [](const auto& entry) { return entry.second.end.has_value() && entry.second.next >= *entry.second.end; });
  while (!ranges.empty() && !printer.has_enough()) {
    PYRALOG_CO_ASSIGN(const auto answer, co_await reader.next());
    for (const client::FetchedPartition& fetched : answer) {
      const auto range = ranges.find(fetched.partition);
      if (range == ranges.end()) continue;
      PYRALOG_CO_ASSIGN(range->second.next, printer.show(fetched, range->second.end));
      if (!range->second.end.has_value() || range->second.next < *range->second.end) continue;
      reader.finish(fetched.partition);
      ranges.erase(range);
    }
    PYRALOG_CO_TRY(printer.flush());
  }
  co_return Result<>();
}

io::Task<Result<>> consume(client::ClusterClient& cluster, const ConsumeCommand& command) {
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await cluster.describe_log(command.log));
  PYRALOG_CO_TRY(keep_chosen(log, command.partitions));
  PYRALOG_CO_ASSIGN(Ranges ranges, co_await plan(cluster, log, command));
  std::vector<client::LogReader::Position> positions;
  for (const auto& [partition, range] : ranges) {
    if (!range.end.has_value() || range.next < *range.end) positions.push_back({partition, range.next});
  }
  PYRALOG_CO_ASSIGN(const auto reader, co_await client::LogReader::open(cluster, std::move(log), std::move(positions)));
  Printer printer(command);
  Result<> done = co_await read_all(*reader, ranges, printer);
  co_await reader->close();
  co_return done;
}

}  // namespace

int run_consume(const ConsumeCommand& command) {
  return run_session(command.session, [&](client::ClusterClient& cluster) { return consume(cluster, command); });
}

}  // namespace pyralog::cli
