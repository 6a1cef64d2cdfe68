#include "server/group_metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/controller.h"
#include "server/group_service.h"

namespace pyralog::server {
namespace {

using coordinator::GroupCounters;

/// Offsets of a group that are looked at in one go, and records read for their times in one scrape by each shard.
constexpr std::size_t kOffsetsAtOnceMax = 1000;
constexpr std::size_t kTimesReadMax = 64;
constexpr std::size_t kSeriesEach = 3;

struct GroupLag {
  std::string group;
  coordinator::TopicPartition partition;
  Incarnation incarnation;
  Offset committed;
  std::int64_t lag = 0;
  std::optional<std::int64_t> seconds;

  /// Those to show come first: the largest.
  bool operator<(const GroupLag& other) const {
    return lag != other.lag ? lag > other.lag : std::tie(group, partition) < std::tie(other.group, other.partition);
  }
};

/// The first lags of any number of them, as many as may be shown.
class ShownLags {
 public:
  explicit ShownLags(std::size_t count_max) : count_max_(count_max) {}

  void add(GroupLag lag) {
    ++total_;
    if (heap_.size() == count_max_ && (count_max_ == 0 || !(lag < heap_.front()))) return;
    if (heap_.size() == count_max_) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
    }
    heap_.push_back(std::move(lag));
    std::push_heap(heap_.begin(), heap_.end());
  }
  void merge(ShownLags other) {
    const std::size_t left_out = other.total_ - other.heap_.size();
    for (GroupLag& lag : other.heap_) add(std::move(lag));
    total_ += left_out;
  }
  std::size_t total() const noexcept { return total_; }
  std::vector<GroupLag> take() {
    std::sort(heap_.begin(), heap_.end());
    return std::move(heap_);
  }

 private:
  std::size_t count_max_;
  std::size_t total_ = 0;
  std::vector<GroupLag> heap_;  // the smallest of them in front
};

struct GroupNumbers {
  std::array<std::size_t, coordinator::kGroupStates> states{};
  GroupCounters counters;

  void add(const GroupNumbers& other) {
    for (std::size_t i = 0; i < states.size(); ++i) states[i] += other.states[i];
    for (std::size_t i = 0; i < coordinator::kRebalanceCauses; ++i) counters.rebalances[i] += other.counters.rebalances[i];
    counters.rebalances_completed += other.counters.rebalances_completed;
    counters.rebalancing += other.counters.rebalancing;
    counters.offsets_committed += other.counters.offsets_committed;
    counters.offsets_expired += other.counters.offsets_expired;
    counters.offsets_deleted += other.counters.offsets_deleted;
    counters.groups_deleted += other.counters.groups_deleted;
    counters.groups_refused += other.counters.groups_refused;
  }
};

io::Task<GroupNumbers> read_numbers(Shard& shard) {
  GroupNumbers numbers;
  for (const auto& [index, host] : shard.groups().hosts()) {
    const coordinator::GroupCoordinator& coordinator = host->coordinator();
    numbers.add({.states = coordinator.groups_by_state(), .counters = coordinator.group_counters()});
  }
  co_return numbers;
}

using Ends = std::unordered_map<Incarnation, Offset>;

io::Task<Ends> read_ends(Shard& shard) {
  Ends ends;
  for (const auto& [incarnation, partition] : shard.partitions()) ends[incarnation] = partition->data->high_watermark();
  co_return ends;
}

/// Adds a group's lags; offsets of logs that are gone have none. Others get their turns on the way.
io::Task<> add_lags(Shard& shard, GroupHost& host, std::string group, const Ends& ends, ShownLags& shown) {
  std::optional<coordinator::TopicPartition> at;
  do {
    const cluster::ImagePtr image = shard.image();
    const auto add = [&](const coordinator::TopicPartition& place, const coordinator::CommittedOffset& committed) {
      const auto* log = image->find_log(place.topic);
      const auto* partition = log != nullptr ? log->find(place.partition) : nullptr;
      const auto end = partition != nullptr ? ends.find(partition->incarnation) : ends.end();
      if (end == ends.end()) return;
      shown.add({.group = group, .partition = place, .incarnation = partition->incarnation, .committed = committed.offset,
                 .lag = std::max<std::int64_t>((end->second - committed.offset).value, 0)});
    };
    at = host.coordinator().visit_offsets(group, at, kOffsetsAtOnceMax, add);
    if (at.has_value()) co_await shard.reactor().yield();
  } while (at.has_value());
}

io::Task<ShownLags> read_lags(Shard& shard, std::shared_ptr<const Ends> ends, std::size_t count_max) {
  ShownLags shown(count_max);
  for (const auto& [index, host] : shard.groups().hosts()) {
    if (host->refusal() != protocol::KafkaError::kNone) continue;
    std::size_t groups = 0;
    for (const std::string& group : host->coordinator().group_ids()) {
      co_await add_lags(shard, *host, group, *ends, shown);
      if (++groups % kOffsetsAtOnceMax == 0) co_await shard.reactor().yield();
    }
  }
  co_return shown;
}

/// Fills in how long ago the oldest record that waits was written, where that is known.
io::Task<> add_times(Node& node, std::vector<GroupLag>& lags) {
  for (std::size_t i = 0; i < node.shard_count(); ++i) {
    Shard& shard = node.shard(ShardId(static_cast<std::uint32_t>(i)));
    std::vector<WaitingRecord> wanted;
    std::vector<GroupLag*> places;
    for (GroupLag& lag : lags) {
      if (lag.lag == 0) lag.seconds = 0;
      if (lag.lag == 0 || &node.shard_of(lag.incarnation) != &shard) continue;
      wanted.push_back({.partition = lag.incarnation, .offset = lag.committed});
      places.push_back(&lag);
    }
    auto look = [&shard, wanted = std::move(wanted)]() {
      return shard.groups().lag_times().look_up(wanted, kTimesReadMax);
    };
    const auto times = co_await io::call_on(shard.reactor(), std::move(look));
    const WallTime now = io::Reactor::current().wall_now();
    for (std::size_t place = 0; place < places.size(); ++place) {
      if (times[place]) places[place]->seconds = std::max<std::int64_t>(0, now.ms - times[place]->ms) / 1000;
    }
  }
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
  write(text, "pyralog_groups_refused_total", "counter", "Groups that were not made because of groups.groups_max.",
        numbers.counters.groups_refused);
  write(text, "pyralog_groups_deleted_total", "counter", "Groups deleted, by request or age.",
        numbers.counters.groups_deleted);
}

void write_lags(std::string& text, const std::vector<GroupLag>& lags, std::size_t left_out) {
  const auto series = [&](std::string_view name, std::string_view help, auto read) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
    for (const GroupLag& lag : lags) {
      const std::optional<std::int64_t> value = read(lag);
      if (!value.has_value()) continue;
      text += fmt::format("{}{{consumergroup=\"{}\",topic=\"{}\",partition=\"{}\"}} {}\n", name, label(lag.group),
                          label(lag.partition.topic), lag.partition.partition.value, *value);
    }
  };
  series("kafka_consumergroup_current_offset", "The offset a group has committed.",
         [](const GroupLag& lag) { return lag.committed.value; });
  series("kafka_consumergroup_lag", "Records between a group's committed offset and the end.",
         [](const GroupLag& lag) { return lag.lag; });
  series("kafka_consumergroup_lag_seconds", "Age of the oldest record that a group has not committed.",
         [](const GroupLag& lag) { return lag.seconds; });
  write(text, "pyralog_group_lags_not_shown", "gauge", "Offsets without series of their own (metrics.series_max).", left_out);
}

}  // namespace

io::Task<> append_group_metrics(Node& node, std::string& text) {
  GroupNumbers numbers;
  auto ends = std::make_shared<Ends>();
  const std::size_t shown_max = node.info().metrics_series_max / kSeriesEach;
  ShownLags shown(shown_max);
  for (std::size_t i = 0; i < node.shard_count(); ++i) {
    Shard& shard = node.shard(ShardId(static_cast<std::uint32_t>(i)));
    auto read = [&shard]() { return read_numbers(shard); };
    numbers.add(co_await io::call_on(shard.reactor(), std::move(read)));
    auto measure = [&shard]() { return read_ends(shard); };
    ends->merge(co_await io::call_on(shard.reactor(), std::move(measure)));
  }
  for (std::size_t i = 0; i < node.shard_count(); ++i) {
    Shard& shard = node.shard(ShardId(static_cast<std::uint32_t>(i)));
    auto read = [&shard, known = std::shared_ptr<const Ends>(ends), shown_max]() { return read_lags(shard, known, shown_max); };
    shown.merge(co_await io::call_on(shard.reactor(), std::move(read)));
  }
  const std::size_t total = shown.total();
  std::vector<GroupLag> lags = shown.take();
  co_await add_times(node, lags);
  write_numbers(text, numbers);
  write_lags(text, lags, total - lags.size());
}

}  // namespace pyralog::server
