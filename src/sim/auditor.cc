#include "sim/auditor.h"

#include <algorithm>
#include <set>

#include "client/producer.h"
#include "protocol/kafka/list_offsets.h"
#include "sim/group_check.h"
#include "sim/keyed_clients.h"
#include "sim/log_follower.h"

namespace pyralog::sim {
namespace {

constexpr int kTriesMax = 10;

}  // namespace

io::Task<> Auditor::run() {
  std::vector<io::Endpoint> bootstrap{stage_.server.kafka()};
  auto cluster = co_await client::ClusterClient::connect(std::move(bootstrap));
  if (!cluster.ok()) co_return stage_.history.violate("the server cannot be reached: " + cluster.error().to_string());
  if (Result<> looked = co_await look(**cluster); !looked.ok()) {
    stage_.history.violate("the last check fails: " + looked.error().to_string());
  }
  co_await (*cluster)->close();
}

std::optional<std::size_t> Auditor::known(const client::LogInfo& info) {
  for (std::size_t i = 0; i < stage_.history.log_count(); ++i) {
    const LogFacts& facts = stage_.history.log(i);
    if (facts.id.is_zero() ? facts.name == info.name && facts.fate == Fate::kAsked : facts.id == info.id) return i;
  }
  return std::nullopt;
}

io::Task<Result<>> Auditor::look(client::ClusterClient& cluster) {
  PYRALOG_CO_ASSIGN(client::ClusterInfo info, co_await cluster.describe_all());
  std::erase_if(info.logs, [](const client::LogInfo& log) { return log.is_internal; });
  check_logs(info);
  for (const client::LogInfo& log : info.logs) {
    const auto index = known(log);
    if (!index.has_value() || stage_.history.violation().has_value()) continue;
    stage_.note("checking log " + log.name);
    PYRALOG_CO_TRY(co_await check_settings(cluster, *index));
    if (stage_.history.log(*index).use == LogUse::kKeyed) {
      PYRALOG_CO_TRY(co_await check_keyed_log(stage_, cluster, log, *index));
      continue;
    }
    // Retention may go on meanwhile.
    Result<> checked = ErrorCode::kOutOfRange;
    for (int tries = 0; tries < kTriesMax && !checked.ok() && checked.error() == ErrorCode::kOutOfRange; ++tries) {
      checked = co_await check_log(cluster, log, *index);
      if (!stage_.history.log(*index).may_shrink) break;
    }
    PYRALOG_CO_TRY(std::move(checked));
    stage_.note("writing to log " + log.name);
    PYRALOG_CO_TRY(co_await check_life(cluster, log, *index));
  }
  if (stage_.history.violation().has_value()) co_return Result<>();
  co_return co_await check_groups(stage_, cluster, seed_);
}

void Auditor::check_logs(const client::ClusterInfo& info) {
  std::set<std::size_t> found;
  for (const client::LogInfo& log : info.logs) {
    const auto index = known(log);
    if (!index.has_value()) return stage_.history.violate("log " + log.name + " exists, but nobody created it");
    found.insert(*index);
    const LogFacts& facts = stage_.history.log(*index);
    if (facts.fate == Fate::kDeleted) stage_.history.violate("log " + log.name + " was deleted and is back");
    const auto partitions = static_cast<std::int32_t>(log.partitions.size());
    if (partitions < facts.partitions_min || partitions > facts.partitions_max) {
      stage_.history.violate("log " + log.name + " has " + std::to_string(partitions) + " partitions");
    }
  }
  for (std::size_t i = 0; i < stage_.history.log_count(); ++i) {
    const LogFacts& facts = stage_.history.log(i);
    if (facts.fate == Fate::kThere && !found.contains(i)) {
      stage_.history.violate("log " + facts.name + " was created and is gone");
    }
  }
}

io::Task<Result<>> Auditor::check_settings(client::ClusterClient& cluster, std::size_t log) {
  const LogFacts& facts = stage_.history.log(log);
  PYRALOG_CO_ASSIGN(const auto settings,
                    co_await client::describe_settings(cluster, protocol::ResourceType::kTopic, facts.name));
  for (const auto& [name, wanted] : facts.settings) {
    const auto at = std::ranges::find(settings, name, &client::SettingInfo::name);
    const std::string value = at != settings.end() ? at->value.value_or("") : "";
    const bool is_acknowledged = value == wanted.acknowledged || wanted.acknowledged.empty();
    if (!is_acknowledged && !wanted.unanswered.contains(value)) {
      stage_.history.violate("log " + facts.name + ": " + name + " is " + value + ", not " + wanted.acknowledged);
    }
  }
  co_return Result<>();
}

io::Task<Result<>> Auditor::check_log(client::ClusterClient& cluster, const client::LogInfo& info, std::size_t log) {
  const auto starts = co_await client::list_offsets(cluster, info, protocol::kTimestampEarliest);
  const auto ends = co_await client::list_offsets(cluster, info, protocol::kTimestampLatest);
  PartitionCursor cursor(stage_, log, false);
  std::vector<client::LogReader::Position> positions;
  for (std::size_t i = 0; i < info.partitions.size(); ++i) {
    PYRALOG_CO_TRY(starts[i].outcome);
    PYRALOG_CO_TRY(ends[i].outcome);
    const PartitionIndex partition = info.partitions[i].index;
    const History::Floor floor = stage_.history.floor(log, partition, stage_.server.life());
    stage_.history.saw_end(log, partition, floor, ends[i].offset, stage_.server.life());
    if (starts[i].offset == ends[i].offset) continue;
    positions.push_back({.partition = partition, .next = starts[i].offset});
    cursor.begin(partition, starts[i].offset);
  }
  std::size_t open = positions.size();
  PYRALOG_CO_ASSIGN(auto reader, co_await client::LogReader::open(cluster, info, std::move(positions)));
  bool is_good = true;
  while (open > 0 && is_good) {
    auto answer = co_await reader->next();
    if (!answer.ok()) {
      co_await reader->close();
      co_return std::move(answer).error();
    }
    for (const auto& fetched : *answer) {
      is_good = is_good && cursor.take(fetched);
      const auto end = ends[static_cast<std::size_t>(fetched.partition.value)].offset;
      if (cursor.next(fetched.partition) < end) continue;
      reader->finish(fetched.partition);
      --open;
    }
  }
  co_await reader->close();
  for (std::size_t i = 0; is_good && i < info.partitions.size(); ++i) {
    const PartitionIndex partition = info.partitions[i].index;
    const History::Content content{
        .start = starts[i].offset, .end = ends[i].offset, .values = std::move(cursor.values()[partition])};
    stage_.history.audit(log, partition, content);
  }
  co_return Result<>();
}

io::Task<Result<>> Auditor::check_life(client::ClusterClient& cluster, const client::LogInfo& info, std::size_t log) {
  PYRALOG_CO_ASSIGN(auto producer, co_await client::Producer::open(cluster, info.name, {}));
  std::vector<std::size_t> sendings;
  const std::uint32_t session = stage_.history.new_session();
  for (const auto& partition : info.partitions) {
    Sending sending{.log = log, .partition = partition.index, .first = stage_.history.take_values(1), .session = session};
    sending.invoked = stage_.now();
    client::ProducerRecord record;
    record.value = make_value(sending.first, kValueBytesMin);
    record.partition = partition.index;
    sendings.push_back(stage_.history.send(sending));
    PYRALOG_CO_TRY(co_await producer->append(std::move(record)));
  }
  const Result<> flushed = co_await producer->flush();
  co_await producer->close();
  PYRALOG_CO_TRY(flushed);
  for (const std::size_t sending : sendings) {
    stage_.history.acknowledge(sending, std::nullopt, stage_.now(), stage_.server.life());
  }
  co_return Result<>();
}

}  // namespace pyralog::sim
