#include "server/group_metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/controller.h"
#include "server/group_service.h"

namespace pyralog::server {
namespace {

using coordinator::GroupCounters;

struct GroupOffset {
  std::string group;
  coordinator::TopicPartition partition;
  Offset committed;
  std::int64_t lag = 0;
};

struct GroupNumbers {
  std::array<std::size_t, coordinator::kGroupStates> states{};
  GroupCounters counters;
  std::vector<GroupOffset> offsets;

  void add(const GroupNumbers& other) {
    for (std::size_t i = 0; i < states.size(); ++i) states[i] += other.states[i];
    for (std::size_t i = 0; i < coordinator::kRebalanceCauses; ++i) counters.rebalances[i] += other.counters.rebalances[i];
    counters.rebalances_completed += other.counters.rebalances_completed;
    counters.rebalancing += other.counters.rebalancing;
    counters.offsets_committed += other.counters.offsets_committed;
    counters.offsets_expired += other.counters.offsets_expired;
    counters.offsets_deleted += other.counters.offsets_deleted;
    counters.groups_deleted += other.counters.groups_deleted;
    offsets.insert(offsets.end(), other.offsets.begin(), other.offsets.end());
  }
};

io::Task<GroupNumbers> read_groups(Shard& shard) {
  GroupNumbers numbers;
  for (const auto& [index, host] : shard.groups().hosts()) {
    const coordinator::GroupCoordinator& coordinator = host->coordinator();
    GroupNumbers of_host{.states = coordinator.groups_by_state(), .counters = coordinator.group_counters()};
    for (const std::string& group : coordinator.group_ids()) {
      coordinator.for_each_offset(group, [&](const auto& partition, const auto& committed) {
        of_host.offsets.push_back({.group = group, .partition = partition, .committed = committed.offset});
      });
    }
    numbers.add(of_host);
  }
  co_return numbers;
}

using Ends = std::unordered_map<Incarnation, Offset>;

io::Task<Ends> read_ends(Shard& shard) {
  Ends ends;
  for (const auto& [incarnation, partition] : shard.partitions()) ends[incarnation] = partition->data->high_watermark();
  co_return ends;
}

/// Fills in the lags; offsets of logs that are gone have none and are dropped.
void measure_lags(Node& node, const Ends& ends, std::vector<GroupOffset>& offsets) {
  const auto& image = node.controller().image();
  std::erase_if(offsets, [&](GroupOffset& offset) {
    const auto* log = image->find_log(offset.partition.topic);
    const auto* partition = log != nullptr ? log->find(offset.partition.partition) : nullptr;
    const auto end = partition != nullptr ? ends.find(partition->incarnation) : ends.end();
    if (end == ends.end()) return true;
    offset.lag = std::max<std::int64_t>((end->second - offset.committed).value, 0);
    return false;
  });
  std::ranges::sort(offsets, [](const GroupOffset& a, const GroupOffset& b) {
    return a.lag != b.lag ? a.lag > b.lag : std::tie(a.group, a.partition) < std::tie(b.group, b.partition);
  });
}

/// A label's value. Clients choose the names of groups, and scrapers refuse a text that is not UTF-8 as a whole.
std::string label(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c >= ' ' && c <= '~' ? c : '?';
  }
  return text;
}

template <class Value>
void write(std::string& text, std::string_view name, std::string_view type, std::string_view help, Value value) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

void write_numbers(std::string& text, const GroupNumbers& numbers) {
  text += "# HELP pyralog_groups Consumer groups, by state.\n# TYPE pyralog_groups gauge\n";
  for (std::size_t i = 0; i < numbers.states.size(); ++i) {
    text += fmt::format("pyralog_groups{{state=\"{}\"}} {}\n",
                        coordinator::group_state_name(static_cast<coordinator::GroupState>(i)), numbers.states[i]);
  }
  text += "# HELP pyralog_group_rebalances_total Rebalances begun, by cause.\n"
          "# TYPE pyralog_group_rebalances_total counter\n";
  for (std::size_t i = 0; i < coordinator::kRebalanceCauses; ++i) {
    text += fmt::format("pyralog_group_rebalances_total{{cause=\"{}\"}} {}\n",
                        coordinator::rebalance_cause_name(static_cast<coordinator::RebalanceCause>(i)),
                        numbers.counters.rebalances[i]);
  }
  write(text, "pyralog_group_rebalances_completed_total", "counter", "Rebalances that ended with an assignment.",
        numbers.counters.rebalances_completed);
  write(text, "pyralog_group_rebalancing_seconds_total", "counter", "Time that those took.",
        std::chrono::duration<double>(numbers.counters.rebalancing).count());
  write(text, "pyralog_offsets_committed_total", "counter", "Offsets committed.", numbers.counters.offsets_committed);
  write(text, "pyralog_offsets_expired_total", "counter", "Offsets that expired.", numbers.counters.offsets_expired);
  write(text, "pyralog_offsets_deleted_total", "counter", "Offsets deleted, by request or with their log.",
        numbers.counters.offsets_deleted);
  write(text, "pyralog_groups_deleted_total", "counter", "Groups deleted, by request or age.",
        numbers.counters.groups_deleted);
}

void write_lags(std::string& text, const std::vector<GroupOffset>& offsets, std::size_t series_max) {
  constexpr std::size_t kSeriesEach = 2;
  const std::size_t shown = std::min(offsets.size(), series_max / kSeriesEach);
  const auto series = [&](std::string_view name, std::string_view help, auto read) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
    for (std::size_t i = 0; i < shown; ++i) {
      const GroupOffset& offset = offsets[i];
      text += fmt::format("{}{{consumergroup=\"{}\",topic=\"{}\",partition=\"{}\"}} {}\n", name, label(offset.group),
                          label(offset.partition.topic), offset.partition.partition.value, read(offset));
    }
  };
  series("kafka_consumergroup_current_offset", "The offset a group has committed.",
         [](const GroupOffset& offset) { return offset.committed.value; });
  series("kafka_consumergroup_lag", "Records between a group's committed offset and the end.",
         [](const GroupOffset& offset) { return offset.lag; });
  write(text, "pyralog_group_lags_not_shown", "gauge", "Offsets without series of their own (metrics.series_max).",
        offsets.size() - shown);
}

}  // namespace

io::Task<> append_group_metrics(Node& node, std::string& text) {
  GroupNumbers numbers;
  Ends ends;
  for (std::size_t i = 0; i < node.shard_count(); ++i) {
    Shard& shard = node.shard(ShardId(static_cast<std::uint32_t>(i)));
    auto read = [&shard]() { return read_groups(shard); };
    numbers.add(co_await io::call_on(shard.reactor(), std::move(read)));
    auto measure = [&shard]() { return read_ends(shard); };
    ends.merge(co_await io::call_on(shard.reactor(), std::move(measure)));
  }
  measure_lags(node, ends, numbers.offsets);
  write_numbers(text, numbers);
  write_lags(text, numbers.offsets, node.info().metrics_series_max);
}

}  // namespace pyralog::server
