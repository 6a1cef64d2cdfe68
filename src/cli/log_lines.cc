#include "cli/log_lines.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "cli/json_text.h"

namespace pyralog::cli {
namespace {

/// One JSON object a line: time (UTC), level, message.
class JsonLine final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    spdlog::memory_buf_t time;
    time_.format(message, time);
    const auto level = spdlog::level::to_string_view(message.level);
    JsonWriter json;
    json.begin_object();
    json.field("time", std::string_view(time.data(), time.size()));
    json.field("level", std::string_view(level.data(), level.size()));
    json.field("message", std::string_view(message.payload.data(), message.payload.size()));
    json.end_object();
    line.append(json.text());
    line.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLine>(); }

 private:
  spdlog::pattern_formatter time_{"%Y-%m-%dT%H:%M:%S.%fZ", spdlog::pattern_time_type::utc, ""};
};

}  // namespace

void start_logging(std::string_view level, std::string_view format) {
  auto logger = spdlog::stderr_logger_mt("pyralog");
  logger->set_level(spdlog::level::from_str(std::string(level)));
  logger->flush_on(spdlog::level::trace);
  if (format == "json") {
    logger->set_formatter(std::make_unique<JsonLine>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc);
  }
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace pyralog::cli
