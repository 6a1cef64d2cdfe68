#include "cli/bench/load_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace pyralog::cli {
namespace {

struct Percentile {
  double fraction;
  const char* name;
};
constexpr Percentile kPercentiles[] = {{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p999"}};

double microseconds(Duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

double rate(std::uint64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

std::string latency_text(const LatencyRecorder& latency) {
  std::string text = fmt::format("mean {:.1f}", microseconds(latency.mean()));
  for (const Percentile& p : kPercentiles) {
    text += fmt::format("  {} {:.1f}", p.name, microseconds(latency.percentile(p.fraction)));
  }
  return text + fmt::format("  max {:.1f} µs ({} values)", microseconds(latency.max()), latency.count());
}

void latency_json(JsonWriter& json, const std::string& name, const LatencyRecorder& latency) {
  json.key(name + "_ms");
  json.begin_object();
  json.field("count", latency.count());
  json.field("mean", microseconds(latency.mean()) / 1e3);
  for (const Percentile& p : kPercentiles) json.field(p.name, microseconds(latency.percentile(p.fraction)) / 1e3);
  json.field("max", microseconds(latency.max()) / 1e3);
  json.end_object();
}

std::string result_text(const LoadResult& result) {
  const LoadCounts& counts = result.counts;
  std::string text = fmt::format("{}: {} records in {} requests, {:.1f} MB, in {:.3f} s\n", result.kind, counts.records,
                                 counts.requests, static_cast<double>(counts.bytes) / 1e6, result.seconds);
  text += fmt::format("  rate     {:.0f} records/s  {:.0f} requests/s  {:.1f} MB/s\n", rate(counts.records, result.seconds),
                      rate(counts.requests, result.seconds), rate(counts.bytes, result.seconds) / 1e6);
  text += fmt::format("  latency  {}\n", latency_text(counts.latency));
  for (const auto& [name, latency] : result.more_latencies) text += fmt::format("  {}  {}\n", name, latency_text(latency));
  if (result.unanswered != 0) text += fmt::format("  {} requests were due and not answered\n", result.unanswered);
  if (result.missing_records != 0) text += fmt::format("  {} acknowledged records did not come\n", result.missing_records);
  for (const auto& [error, count] : counts.errors) text += fmt::format("  error    {} × {}\n", count, error);
  return text;
}

/// The members of an object.
void result_json(JsonWriter& json, const LoadResult& result) {
  const LoadCounts& counts = result.counts;
  json.field("kind", result.kind);
  json.field("seconds", result.seconds);
  json.field("requests", counts.requests);
  json.field("records", counts.records);
  json.field("bytes", counts.bytes);
  json.field("requests_per_second", rate(counts.requests, result.seconds));
  json.field("records_per_second", rate(counts.records, result.seconds));
  json.field("bytes_per_second", rate(counts.bytes, result.seconds));
  latency_json(json, "latency", counts.latency);
  for (const auto& [name, latency] : result.more_latencies) latency_json(json, name, latency);
  json.field("unanswered", result.unanswered);
  json.field("missing_records", result.missing_records);
  json.field("errors_total", counts.errors_total());
  json.key("errors");
  json.begin_object();
  for (const auto& [error, count] : counts.errors) json.field(error, count);
  json.end_object();
}

std::optional<double> difference(const std::optional<double>& before, const std::optional<double>& after) {
  if (!before.has_value() || !after.has_value()) return std::nullopt;
  return *after - *before;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

void usage_json(JsonWriter& json, const LoadReport& report) {
  json.field("client_cpu_seconds", report.after.client_cpu_seconds - report.before.client_cpu_seconds);
  const auto optional = [&json](const char* name, const auto& value) {
    json.key(name);
    if (value.has_value()) {
      json.value(*value);
    } else {
      json.null();
    }
  };
  optional("machine_cpu_seconds", difference(report.before.machine_cpu_seconds, report.after.machine_cpu_seconds));
  optional("server_cpu_seconds", difference(report.before.server_cpu_seconds, report.after.server_cpu_seconds));
  optional("server_memory_bytes", report.after.server_memory_bytes);
}

}  // namespace

bool LoadReport::has_errors() const {
  return std::ranges::any_of(results, [](const LoadResult& result) {
    return result.counts.errors_total() != 0 || result.counts.requests == 0 || result.missing_records != 0;
  });
}

std::string load_report_text(const LoadReport& report) {
  std::string text;
  for (const auto& [name, value] : report.parameters) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  text += "\n";
  for (const LoadResult& result : report.results) text += result_text(result);
  text += fmt::format("cpu: client {:.3f} s", report.after.client_cpu_seconds - report.before.client_cpu_seconds);
  if (const auto machine = difference(report.before.machine_cpu_seconds, report.after.machine_cpu_seconds)) {
    text += fmt::format(", machine {:.3f} s", *machine);
  }
  if (const auto server = difference(report.before.server_cpu_seconds, report.after.server_cpu_seconds)) {
    text += fmt::format(", server {:.3f} s", *server);
  }
  if (report.after.server_memory_bytes.has_value()) {
    text += fmt::format("; server memory {:.1f} MiB", static_cast<double>(*report.after.server_memory_bytes) / (1 << 20));
  }
  return text + "\n";
}

std::string load_report_json(const LoadReport& report) {
  JsonWriter json;
  json.begin_object();
  json.key("parameters");
  json.begin_object();
  for (const auto& [name, value] : report.parameters) {
    json.key(name);
    is_number(value) ? json.literal(value) : json.value(value);
  }
  json.end_object();
  result_json(json, report.results.front());
  for (const LoadResult& result : std::span(report.results).subspan(1)) {
    json.key(result.kind);
    json.begin_object();
    result_json(json, result);
    json.end_object();
  }
  usage_json(json, report);
  json.end_object();
  return json.text() + "\n";
}

void LoadReport::print(OutputFormat format) const {
  fmt::print("{}", format == OutputFormat::kJson ? load_report_json(*this) : load_report_text(*this));
}

}  // namespace pyralog::cli
