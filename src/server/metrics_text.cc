#include "server/metrics_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/counters.h"
#include "io/remote_call.h"
#include "server/group_metrics.h"
#include "server/node.h"
#include "server/request_dispatch.h"

namespace pyralog::server {
namespace {

/// A shard's numbers at one moment, copied on its own thread.
struct ShardSnapshot {
  ShardMetrics server;
  storage::StoreCounters store;
  storage::LogCounters logs;
  io::IoCounters io;
  std::size_t fetch_sessions = 0;
  struct LogSize {
    LogId log;
    std::uint64_t bytes = 0;
    std::int64_t records = 0;
  };
  std::vector<LogSize> sizes;
};

io::Task<ShardSnapshot> take_snapshot(Shard& shard) {
  ShardSnapshot snapshot{.server = shard.metrics(),
                         .store = shard.store().counters(),
                         .logs = shard.logs().counters,
                         .io = shard.reactor().counters(),
                         .fetch_sessions = shard.sessions().size()};
  snapshot.sizes.reserve(shard.partitions().size());
  for (const auto& [incarnation, partition] : shard.partitions()) {
    snapshot.sizes.push_back({.log = partition->log,
                              .bytes = partition->data->bytes(),
                              .records = (partition->data->high_watermark() - partition->data->start()).value});
  }
  co_return snapshot;
}

class MetricsWriter {
 public:
  explicit MetricsWriter(const std::vector<ShardSnapshot>& shards) : shards_(shards) {}

  void begin(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Value>
  void value(std::string_view name, std::string_view labels, Value value) {
    if (labels.empty()) {
      fmt::format_to(std::back_inserter(text_), "{} {}\n", name, value);
    } else {
      fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}\n", name, labels, value);
    }
  }
  template <class Value>
  void single(std::string_view name, std::string_view type, std::string_view help, Value number) {
    begin(name, type, help);
    value(name, "", number);
  }
  /// One series per shard of what `read(snapshot)` gives.
  template <class Read>
  void per_shard(std::string_view name, std::string_view type, std::string_view help, Read read) {
    begin(name, type, help);
    for (std::size_t i = 0; i < shards_.size(); ++i) value(name, fmt::format("shard=\"{}\"", i), read(shards_[i]));
  }
  /// The shards' histograms as one, with a bucket per power of two.
  template <class Read>
  void histogram(std::string_view name, std::string_view help, Read read) {
    LatencyHistogram merged;
    for (const ShardSnapshot& shard : shards_) merged.merge(read(shard));
    begin(name, "histogram", help);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i + 1 < LatencyHistogram::kBuckets; ++i) {
      below += merged.bucket_count(i);
      const std::uint64_t end_us = LatencyHistogram::bucket_end_us(i);
      if (!std::has_single_bit(end_us)) continue;
      fmt::format_to(std::back_inserter(text_), "{}_bucket{{le=\"{}\"}} {}\n", name, static_cast<double>(end_us) / 1e6,
                     below);
    }
    fmt::format_to(std::back_inserter(text_), "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name,
                   merged.count(), static_cast<double>(merged.sum_us()) / 1e6);
  }
  std::string take() { return fmt::to_string(text_); }

 private:
  const std::vector<ShardSnapshot>& shards_;
  fmt::memory_buffer text_;
};

void write_requests(MetricsWriter& out, const std::vector<ShardSnapshot>& shards) {
  out.begin("pyralog_kafka_requests_total", "counter", "Requests received, by API.");
  for (const ServedApi& api : served_apis()) {
    std::uint64_t count = 0;
    for (const auto& shard : shards) count += shard.server.requests[static_cast<std::size_t>(api.api->key)];
    out.value("pyralog_kafka_requests_total", fmt::format("api=\"{}\"", api.api->name), count);
  }
  out.begin("pyralog_kafka_request_failures_total", "counter", "Requests that ended their connection, by API.");
  for (const ServedApi& api : served_apis()) {
    std::uint64_t count = 0;
    for (const auto& shard : shards) count += shard.server.request_errors[static_cast<std::size_t>(api.api->key)];
    out.value("pyralog_kafka_request_failures_total", fmt::format("api=\"{}\"", api.api->name), count);
  }
  out.histogram("pyralog_kafka_produce_seconds", "Produce requests, from their last byte to their answer.",
                [](const ShardSnapshot& s) { return s.server.produce_latency; });
  out.histogram("pyralog_kafka_fetch_seconds", "Fetch requests, from their last byte to their answer, waits included.",
                [](const ShardSnapshot& s) { return s.server.fetch_latency; });
}

void write_server(MetricsWriter& out) {
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t ShardMetrics::* field) {
    out.per_shard(name, "counter", help, [field](const ShardSnapshot& s) { return s.server.*field; });
  };
  counter("pyralog_produce_bytes_total", "Bytes of batches appended.", &ShardMetrics::produce_bytes);
  counter("pyralog_produce_records_total", "Records appended.", &ShardMetrics::produce_records);
  counter("pyralog_produce_batches_total", "Batches appended.", &ShardMetrics::produce_batches);
  counter("pyralog_produce_refused_total", "Batches refused.", &ShardMetrics::produce_refused);
  counter("pyralog_fetch_bytes_total", "Bytes of batches fetched.", &ShardMetrics::fetch_bytes);
  counter("pyralog_fetch_waits_total", "Fetches that waited for data.", &ShardMetrics::fetch_waits);
  counter("pyralog_connections_accepted_total", "Connections served.", &ShardMetrics::connections_accepted);
  counter("pyralog_connections_refused_total", "Connections beyond a limit.", &ShardMetrics::connections_refused);
  counter("pyralog_connections_delayed_total", "Connections that waited because of kafka.connection_rate_max.",
          &ShardMetrics::connections_delayed);
  counter("pyralog_frames_malformed_total", "Connections ended by a malformed frame.", &ShardMetrics::frames_malformed);
  counter("pyralog_frames_given_up_total", "Requests that arrived too slowly while others waited for memory.",
          &ShardMetrics::frames_given_up);
  counter("pyralog_request_memory_waits_total", "Requests that waited for kafka.request.memory.bytes.",
          &ShardMetrics::budget_waits);
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t ShardMetrics::* field) {
    out.per_shard(name, "gauge", help, [field](const ShardSnapshot& s) { return s.server.*field; });
  };
  gauge("pyralog_connections", "Open connections.", &ShardMetrics::connections_open);
  gauge("pyralog_requests_in_flight", "Requests received and not yet answered.", &ShardMetrics::requests_in_flight);
  out.per_shard("pyralog_fetch_sessions", "gauge", "Fetch sessions.",
                [](const ShardSnapshot& s) { return s.fetch_sessions; });
}

void write_storage(MetricsWriter& out) {
  using Store = storage::StoreCounters;
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help, std::uint64_t Store::* field) {
    out.per_shard(name, type, help, [field](const ShardSnapshot& s) { return s.store.*field; });
  };
  add("pyralog_journal_rounds_total", "counter", "Journal rounds written.", &Store::rounds);
  add("pyralog_journal_bytes_total", "counter", "Bytes written to the journal, padding included.", &Store::journal_bytes);
  add("pyralog_journal_retained_bytes", "gauge", "Journal that recovery would still need.", &Store::journal_retained_bytes);
  add("pyralog_bypassed_bytes_total", "counter", "Bytes written to segments past the journal.", &Store::bypassed_bytes);
  add("pyralog_dirty_bytes", "gauge", "Bytes in memory that are not in a segment yet.", &Store::dirty_bytes);
  add("pyralog_write_cache_bytes", "gauge", "Acknowledged bytes of logs with write.caching that are in memory only.",
      &Store::write_cache_bytes);
  add("pyralog_tail_cache_bytes", "gauge", "Bytes of segments kept in memory for readers.", &Store::cached_bytes);
  add("pyralog_cleaner_passes_total", "counter", "Passes from the journal to segments.", &Store::cleaner_passes);
  add("pyralog_scrubbed_bytes_total", "counter", "Bytes of sealed segments checked in the background.", &Store::scrubbed_bytes);
  add("pyralog_scrub_passes_total", "counter", "Times that all sealed segments were checked.", &Store::scrub_passes);
  add("pyralog_segment_damage_total", "counter", "Damaged segments found; by the background check each once a pass.",
      &Store::segment_damage);
  add("pyralog_scrub_pass_bytes", "gauge", "Bytes to check in this pass.", &Store::scrub_pass_bytes);
  add("pyralog_scrub_pass_done_bytes", "gauge", "Bytes checked in this pass.", &Store::scrub_pass_done_bytes);
  add("pyralog_cleaned_bytes_total", "counter", "Bytes moved to segments.", &Store::cleaned_bytes);
  add("pyralog_checkpoints_total", "counter", "Checkpoints written.", &Store::checkpoints);
  add("pyralog_appends_refused_for_space_total", "counter", "Appends refused because the disk is nearly full.",
      &Store::refused_for_space);
  out.histogram("pyralog_journal_round_seconds", "Journal rounds, from seal to synced.",
                [](const ShardSnapshot& s) { return s.store.round_latency; });
  out.histogram("pyralog_cleaner_pass_seconds", "Cleaner passes.",
                [](const ShardSnapshot& s) { return s.store.cleaner_latency; });
  out.per_shard("pyralog_produce_duplicates_total", "counter", "Retries answered from the producers' windows.",
                [](const ShardSnapshot& s) { return s.logs.duplicates; });
  out.per_shard("pyralog_segments_deleted_total", "counter", "Segments deleted by retention.",
                [](const ShardSnapshot& s) { return s.logs.segments_deleted; });
}

void write_compaction(MetricsWriter& out) {
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help, auto field) {
    out.per_shard(name, type, help, [field](const ShardSnapshot& s) { return s.server.*field; });
  };
  using Shard = ShardMetrics;
  add("pyralog_compactions_total", "counter", "Compactions that were completed.", &Shard::compactions);
  add("pyralog_compactions_failed_total", "counter", "Compactions that failed; the log says why.", &Shard::compactions_failed);
  add("pyralog_compactions_without_room_total", "counter", "Compactions that failed because the disk has too little room.",
      &Shard::compactions_without_room);
  add("pyralog_compaction_read_bytes_total", "counter", "Bytes read by compaction.", &Shard::compaction_bytes_read);
  add("pyralog_compaction_written_bytes_total", "counter", "Bytes written by compaction.", &Shard::compaction_bytes_written);
  add("pyralog_compaction_removed_records_total", "counter", "Records removed by compaction.",
      &Shard::compaction_records_removed);
  add("pyralog_compaction_backlog_bytes", "gauge", "Bytes of completed segments that were not compacted yet.",
      &Shard::compaction_backlog_bytes);
  add("pyralog_compaction_partitions_waiting", "gauge", "Partitions that are due for compaction.",
      &Shard::compaction_logs_waiting);
  add("pyralog_compaction_dirty_ratio_max", "gauge", "The largest share of a partition that was not compacted yet.",
      &Shard::compaction_dirty_ratio_max);
  add("pyralog_compaction_last_seconds", "gauge", "What the newest compaction took.", &Shard::compaction_seconds_last);
}

void write_io(MetricsWriter& out) {
  const auto add = [&](std::string_view name, std::string_view help, auto read) {
    out.per_shard(name, "counter", help, read);
  };
  add("pyralog_network_received_bytes_total", "Bytes received.",
      [](const ShardSnapshot& s) { return s.io.network.bytes_in; });
  add("pyralog_network_sent_bytes_total", "Bytes sent.", [](const ShardSnapshot& s) { return s.io.network.bytes_out; });
  add("pyralog_disk_written_bytes_total", "Bytes written to files.",
      [](const ShardSnapshot& s) { return s.io.disk.bytes_written; });
  add("pyralog_disk_read_bytes_total", "Bytes read from files.",
      [](const ShardSnapshot& s) { return s.io.disk.bytes_read; });
  add("pyralog_disk_sync_failures_total", "Failed syncs.", [](const ShardSnapshot& s) { return s.io.disk.sync_failures; });
  out.histogram("pyralog_disk_sync_seconds", "Syncs of files.",
                [](const ShardSnapshot& s) { return s.io.disk.sync_latency; });
  add("pyralog_loop_busy_seconds_total", "Time the shard's loop worked.",
      [](const ShardSnapshot& s) { return std::chrono::duration<double>(s.io.loop.busy).count(); });
}

/// Per-log series, the largest logs first when there are more than may be shown; what is left out is counted.
void write_logs(MetricsWriter& out, Node& node, const std::vector<ShardSnapshot>& shards) {
  struct Total {
    std::string name;
    std::uint64_t bytes = 0;
    std::int64_t records = 0;
  };
  std::unordered_map<LogId, Total> totals;
  const auto& image = node.controller().image();
  for (const ShardSnapshot& shard : shards) {
    for (const auto& size : shard.sizes) {
      Total& total = totals[size.log];
      if (const auto* log = image->find_log(size.log); log != nullptr && total.name.empty()) total.name = log->name;
      total.bytes += size.bytes;
      total.records += size.records;
    }
  }
  std::vector<Total> sorted;
  for (auto& [id, total] : totals) sorted.push_back(std::move(total));
  std::ranges::sort(
      sorted, [](const Total& a, const Total& b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.name < b.name; });
  constexpr std::size_t kSeriesPerLog = 2;
  const std::size_t shown = std::min(sorted.size(), node.info().metrics_series_max / kSeriesPerLog);
  out.begin("pyralog_log_bytes", "gauge", "Size of a log's segments.");
  for (std::size_t i = 0; i < shown; ++i)
    out.value("pyralog_log_bytes", fmt::format("log=\"{}\"", sorted[i].name), sorted[i].bytes);
  out.begin("pyralog_log_records", "gauge", "Offsets between a log's start and high watermark.");
  for (std::size_t i = 0; i < shown; ++i)
    out.value("pyralog_log_records", fmt::format("log=\"{}\"", sorted[i].name), sorted[i].records);
  out.single("pyralog_logs_not_shown", "gauge", "Logs without series of their own (metrics.series_max).",
             sorted.size() - shown);
}

}  // namespace

io::Task<std::string> metrics_text(Node& node) {
  std::vector<ShardSnapshot> shards;
  for (std::size_t i = 0; i < node.shard_count(); ++i) {
    Shard& shard = node.shard(ShardId(static_cast<std::uint32_t>(i)));
    auto take = [&shard]() { return take_snapshot(shard); };
    shards.push_back(co_await io::call_on(shard.reactor(), std::move(take)));
  }
  MetricsWriter out(shards);
  write_requests(out, shards);
  write_server(out);
  write_storage(out);
  write_compaction(out);
  write_io(out);
  const auto& image = node.controller().image();
  out.single("pyralog_logs", "gauge", "Logs.", image->log_count());
  out.single("pyralog_partitions", "gauge", "Partitions.", image->partition_count());
  const auto space = co_await node.shard(ShardId(0)).reactor().disk().space(node.info().data_directory);
  if (space.ok()) {
    out.single("pyralog_disk_free_bytes", "gauge", "Free space under the data directory.", space->free_bytes);
    out.single("pyralog_disk_total_bytes", "gauge", "Size of the data directory's volume.", space->total_bytes);
  }
  write_logs(out, node, shards);
  std::string text = out.take();
  co_await append_group_metrics(node, text);
  co_return text;
}

}  // namespace pyralog::server
