#include "cli/bench/load_report.h"

#include <gtest/gtest.h>

namespace pyralog::cli {
namespace {

LoadReport example() {
  LoadReport report;
  report.parameters = {{"log", "bench"}, {"partitions", "4"}};
  LoadResult produce{.kind = "produce", .seconds = 2, .unanswered = 3};
  produce.counts.requests = 10;
  produce.counts.records = 150;
  produce.counts.bytes = 4'000'000;
  produce.counts.latency.record(std::chrono::milliseconds(1));
  produce.counts.errors["NOT_LEADER_OR_FOLLOWER"] = 2;
  LoadResult tail{.kind = "tail", .seconds = 2};
  tail.counts.requests = 1;
  report.results = {produce, tail};
  report.before = {.client_cpu_seconds = 1, .machine_cpu_seconds = 10};
  report.after = {.client_cpu_seconds = 1.5, .machine_cpu_seconds = 13, .server_memory_bytes = 1 << 20};
  return report;
}

TEST(LoadReport, JsonHasTheFirstResultInItsTop) {
  const std::string json = load_report_json(example());
  for (
      const char* part :
      {R"({"parameters":{"log":"bench","partitions":4},"kind":"produce","seconds":2,"requests":10,"records":150)",
        R"("bytes":4000000,)",
       R"("records_per_second":75)", R"("bytes_per_second":2000000)", R"("latency_ms":{"count":1,"mean":1,"p50":1)",
       R"("unanswered":3,"missing_records":0,"errors_total":2,"errors":{"NOT_LEADER_OR_FOLLOWER":2})",
       R"("tail":{"kind":"tail","seconds":2,"requests":1)", R"("client_cpu_seconds":0.5,"machine_cpu_seconds":3)",
       R"("server_cpu_seconds":null,"server_memory_bytes":1048576})"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
  }
}

TEST(LoadReport, TextNamesErrorsAndWhatWasNotAnswered) {
  const std::string text = load_report_text(example());
  for (const char* part : {"log=bench partitions=4", "75 records/s", "2.0 MB/s", "2 × NOT_LEADER_OR_FOLLOWER",
                           "3 requests were due and not answered", "client 0.500 s, machine 3.000 s"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(LoadReport, ErrorsSilenceAndMissingRecordsAreFailures) {
  LoadReport report = example();
  EXPECT_TRUE(report.has_errors());
  report.results[0].counts.errors.clear();
  EXPECT_FALSE(report.has_errors());
  report.results[1].missing_records = 1;
  EXPECT_TRUE(report.has_errors());
  report.results[1].missing_records = 0;
  report.results[1].counts.requests = 0;
  EXPECT_TRUE(report.has_errors());
}

}  // namespace
}  // namespace pyralog::cli
