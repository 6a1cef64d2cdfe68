#include "cluster/log_settings.h"

#include <fmt/format.h>

#include "cluster/property_text.h"
#include "core/assert.h"

namespace pyralog::cluster {
namespace {

class Values {
 public:
  Values(const Settings& overrides, const NodeLayers& layers) : overrides_(overrides), layers_(layers) {}

  std::string_view text(std::string_view name) const { return topic_value(name, overrides_, layers_); }
  bool boolean(std::string_view name) const {
    const auto value = parse_boolean(text(name));
    PYRALOG_ASSERT(value.has_value(), "topic_value checks the form");
    return *value;
  }
  std::int64_t integer(std::string_view name) const {
    const auto value = parse_integer(text(name));
    PYRALOG_ASSERT(value.has_value(), "topic_value checks the form");
    return *value;
  }
  double number(std::string_view name) const {
    const auto value = parse_double(text(name));
    PYRALOG_ASSERT(value.has_value(), "topic_value checks the form");
    return *value;
  }
  LogSettings::Milliseconds milliseconds(std::string_view name) const {
    return LogSettings::Milliseconds(integer(name));
  }

 private:
  const Settings& overrides_;
  const NodeLayers& layers_;
};

}  // namespace

LogSettings LogSettings::resolve(const Settings& overrides, const NodeLayers& layers) {
  const Values values(overrides, layers);
  LogSettings settings;
  settings.retention_deletes = list_contains(values.text("cleanup.policy"), "delete");
  settings.compacts = list_contains(values.text("cleanup.policy"), "compact");
  settings.compaction_lag_min = values.milliseconds("min.compaction.lag.ms");
  settings.compaction_lag_max = values.milliseconds("max.compaction.lag.ms");
  settings.dirty_ratio_min = values.number("min.cleanable.dirty.ratio");
  settings.delete_retention = values.milliseconds("delete.retention.ms");
  if (const auto retention = values.milliseconds("retention.ms"); retention.count() >= 0)
    settings.retention = retention;
  if (const auto bytes = values.integer("retention.bytes"); bytes >= 0) {
    settings.retention_bytes = static_cast<std::uint64_t>(bytes);
  }
  settings.segment_bytes = static_cast<std::uint64_t>(values.integer("segment.bytes"));
  settings.segment_age = values.milliseconds("segment.ms");
  settings.segment_jitter = values.milliseconds("segment.jitter.ms");
  settings.batch_bytes_max = static_cast<std::uint32_t>(values.integer("max.message.bytes"));
  settings.timestamp_type = values.text("message.timestamp.type") == "LogAppendTime" ? TimestampType::kLogAppendTime
                                                                                     : TimestampType::kCreateTime;
  settings.timestamp_before_max = values.milliseconds("message.timestamp.before.max.ms");
  settings.timestamp_after_max = values.milliseconds("message.timestamp.after.max.ms");
  settings.insync_replicas_min = static_cast<std::int32_t>(values.integer("min.insync.replicas"));
  settings.write_quorum = static_cast<std::int32_t>(values.integer("write.quorum"));
  settings.write_caching = values.boolean("write.caching");
  settings.flush_interval = values.milliseconds("flush.ms");
  settings.flush_messages = static_cast<std::uint64_t>(values.integer("flush.messages"));
  settings.flush_bytes = static_cast<std::uint64_t>(values.integer("flush.bytes"));
  settings.acks_all_mode = values.text("acks.all.mode") == "isr" ? AcksAllMode::kIsr : AcksAllMode::kQuorum;
  settings.record_validation =
      values.text("record.validation") == "full" ? RecordValidation::kFull : RecordValidation::kStructure;
  return settings;
}

Result<> check_quorum(const LogSettings& settings, int replication_factor) {
  if (settings.write_quorum > replication_factor) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("write.quorum={} is more than the {} copies of a partition",
                                                          settings.write_quorum, replication_factor));
  }
  return {};
}

}  // namespace pyralog::cluster
