#include "cli/group_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "client/admin.h"
#include "client/log_reader.h"
#include "protocol/kafka/list_offsets.h"
#include "record/batch_splitter.h"
#include "record/record_iterator.h"

namespace pyralog::cli {

using client::GroupInfo;
using client::GroupMember;
using client::LogPartition;

std::optional<std::int64_t> GroupProgress::lag() const {
  if (!end.has_value()) return std::nullopt;
  if (!committed.has_value() && !start.has_value()) return std::nullopt;
  const Offset from = std::max(committed.value_or(Offset(0)), start.value_or(Offset(0)));  // what was deleted does not wait
  return std::max<std::int64_t>(0, (*end - from).value);
}

std::optional<std::int64_t> GroupProgress::lag_seconds(WallTime now) const {
  if (lag() == 0) return 0;
  if (!first_waiting_ms.has_value()) return std::nullopt;
  return std::max<std::int64_t>(0, now.ms - *first_waiting_ms) / 1000;
}

namespace {

using Known = std::map<LogPartition, GroupProgress>;
using ByPartition = std::map<PartitionIndex, GroupProgress*>;

/// Answers that bring no record of what is still looked for: what lags there may be no records but markers.
constexpr int kEmptyAnswersMax = 3;

/// The time of the first record of `fetched` at or after its position.
Result<std::optional<std::int64_t>> first_time(const client::FetchedPartition& fetched, record::Decompressor& decompressor) {
  record::BatchSplitter batches(fetched.records);
  for (;;) {
    const auto batch = batches.next();
    if (!batch.ok() && batch.error() == ErrorCode::kTruncated) return std::optional<std::int64_t>();
    if (!batch.ok()) return batch.error();
    if (!batch->has_value()) return std::optional<std::int64_t>();
    if ((*batch)->is_control()) continue;
    PYRALOG_TRY((*batch)->verify_crc());
    PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(**batch, decompressor));
    for (record::RecordView record;;) {
      PYRALOG_ASSIGN(const bool found, records.next(record));
      if (!found) break;
      if (record.offset >= fetched.position) return std::optional(record.timestamp.ms);
    }
  }
}

io::Task<Result<>> read_times(client::LogReader& reader, ByPartition waiting) {
  record::Decompressor decompressor;
  for (int empty_answers = 0; !waiting.empty() && empty_answers < kEmptyAnswersMax;) {
    PYRALOG_CO_ASSIGN(const auto answer, co_await reader.next());
    ++empty_answers;
    for (const client::FetchedPartition& fetched : answer) {
      const auto place = waiting.find(fetched.partition);
      if (place == waiting.end() || fetched.records.empty()) continue;
      PYRALOG_CO_ASSIGN(const auto time, first_time(fetched, decompressor));
      if (!time.has_value()) continue;
      place->second->first_waiting_ms = *time;
      reader.finish(fetched.partition);
      waiting.erase(place);
      empty_answers = 0;
    }
  }
  co_return Result<>();
}

/// When the oldest record that waits in each partition of `log` was written.
io::Task<Result<>> find_waiting(client::ClusterClient& cluster, client::LogInfo log, const ByPartition& partitions) {
  std::vector<client::LogReader::Position> positions;
  ByPartition waiting;
  for (const auto& [index, progress] : partitions) {
    if (progress->lag().value_or(0) == 0 || !progress->start.has_value()) continue;
    const Offset from = std::max(progress->committed.value_or(*progress->start), *progress->start);
    if (from >= *progress->end) continue;
    positions.push_back({index, from});
    waiting.emplace(index, progress);
  }
  if (positions.empty()) co_return Result<>();
  const client::ReaderOptions options{.partition_bytes_max = 4096};  // the server sends one batch at least, however large
  PYRALOG_CO_ASSIGN(const auto reader,
                    co_await client::LogReader::open(cluster, std::move(log), std::move(positions), options));
  Result<> read = co_await read_times(*reader, std::move(waiting));
  co_await reader->close();
  co_return read;
}

void take_offsets(const client::LogInfo& log, const std::vector<client::OffsetInfo>& offsets, const ByPartition& partitions,
                  std::optional<Offset> GroupProgress::*into) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const auto progress = partitions.find(log.partitions[i].index);
    if (progress == partitions.end()) continue;
    if (offsets[i].outcome.ok()) {
      progress->second->*into = offsets[i].offset;
    } else {
      progress->second->unknown = offsets[i].outcome.error();
    }
  }
}

/// All partitions of a log that the group knows: one that it has not committed to has records that wait, too.
io::Task<Result<>> measure_log(client::ClusterClient& cluster, std::string name, Known& known) {
  PYRALOG_CO_ASSIGN(client::LogInfo log, co_await cluster.describe_log(std::move(name)));
  ByPartition partitions;
  for (const client::PartitionInfo& partition : log.partitions) {
    const LogPartition place{log.name, partition.index};
    GroupProgress& progress = known[place];
    progress.place = place;
    partitions[partition.index] = &progress;
  }
  const auto starts = co_await client::list_offsets(cluster, log, protocol::kTimestampEarliest);
  take_offsets(log, starts, partitions, &GroupProgress::start);
  const auto ends = co_await client::list_offsets(cluster, log, protocol::kTimestampLatest);
  take_offsets(log, ends, partitions, &GroupProgress::end);
  co_return co_await find_waiting(cluster, std::move(log), partitions);
}

Known known_partitions(const GroupInfo& group, const client::GroupOffsets& committed) {
  Known known;
  for (const auto& [place, offset] : committed) known[place].committed = offset;
  for (const GroupMember& member : group.members) {
    if (!member.partitions.ok()) continue;
    for (const LogPartition& place : *member.partitions) known[place].owner = &member;
  }
  for (auto& [place, progress] : known) progress.place = place;
  return known;
}

std::string place_text(const LogPartition& place) { return fmt::format("{}/{}", place.first, place.second.value); }

void add_state_problems(const GroupInfo& group, std::int64_t lag, std::vector<std::string>& problems) {
  if (group.state == "Empty" && lag > 0) {
    problems.push_back(fmt::format("nobody reads: the group has no members, and {} records wait", lag));
  } else if (group.state == "PreparingRebalance") {
    problems.push_back(fmt::format("a rebalance waits until all of the {} members known have joined again, or their time to "
                                   "do so is over; meanwhile nobody may commit what is new to it",
                                   group.members.size()));
  } else if (group.state == "CompletingRebalance") {
    problems.push_back(fmt::format("{} members have joined and wait for the leader among them to share out the partitions",
                                   group.members.size()));
  }
}

void add_member_problems(const GroupInfo& group, std::size_t partitions, std::vector<std::string>& problems) {
  if (group.state != "Stable") return;
  std::size_t idle = 0;
  for (const GroupMember& member : group.members) {
    if (!member.partitions.ok()) {
      problems.push_back(fmt::format("member {}: {}", member.id, member.partitions.error().to_string()));
    } else if (member.partitions->empty()) {
      ++idle;
    }
  }
  if (idle > 0) {
    problems.push_back(fmt::format("{} of {} members own nothing: there are {} partitions to share", idle,
                                   group.members.size(), partitions));
  }
}

void add_partition_problem(const GroupInfo& group, const GroupProgress& progress, std::vector<std::string>& problems) {
  const std::string place = place_text(progress.place);
  if (progress.unknown.has_value()) {
    problems.push_back(fmt::format("{}: {}", place, progress.unknown->to_string()));
  } else if (progress.committed.has_value() && progress.end.has_value() && *progress.committed > *progress.end) {
    problems.push_back(fmt::format("{}: offset {} is committed and the log ends at {}: was it deleted and made again?", place,
                                   progress.committed->value, progress.end->value));
  } else if (progress.committed.has_value() && progress.start.has_value() && *progress.committed < *progress.start) {
    problems.push_back(fmt::format("{}: {} records after the committed offset were deleted before they were read", place,
                                   (*progress.start - *progress.committed).value));
  }
  const bool is_orphan = group.state == "Stable" && progress.owner == nullptr && progress.lag().value_or(0) > 0;
  if (is_orphan) problems.push_back(fmt::format("{}: {} records wait and no member owns it", place, *progress.lag()));
}

}  // namespace

io::Task<Result<std::vector<GroupProgress>>> group_progress(client::ClusterClient& cluster, const GroupInfo& group) {
  PYRALOG_CO_ASSIGN(const client::GroupOffsets committed, co_await client::committed_offsets(cluster, group.id));
  Known known = known_partitions(group, committed);
  std::set<std::string> logs;
  for (const auto& [place, progress] : known) logs.insert(place.first);
  for (const std::string& log : logs) {
    Result<> measured = co_await measure_log(cluster, log, known);
    if (measured.ok()) continue;
    for (auto& [place, progress] : known) {
      if (place.first == log && !progress.end.has_value()) progress.unknown = measured.error();
    }
  }
  std::vector<GroupProgress> result;
  for (auto& [place, progress] : known) result.push_back(std::move(progress));
  co_return std::move(result);
}

std::vector<std::string> group_problems(const GroupInfo& group, const std::vector<GroupProgress>& progress) {
  std::int64_t lag = 0;
  for (const GroupProgress& one : progress) lag += one.lag().value_or(0);
  std::vector<std::string> problems;
  add_state_problems(group, lag, problems);
  add_member_problems(group, progress.size(), problems);
  for (const GroupProgress& one : progress) add_partition_problem(group, one, problems);
  return problems;
}

}  // namespace pyralog::cli
