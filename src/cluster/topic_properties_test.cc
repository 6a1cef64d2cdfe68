#include "cluster/topic_properties.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "cluster/log_settings.h"
#include "core/limits.h"

namespace pyralog::cluster {
namespace {

Settings settings(std::initializer_list<Setting> given) { return Settings(std::span(given.begin(), given.size())); }

Result<> check(std::string_view name, std::string_view value) {
  return check_topic_settings(settings({{std::string(name), std::string(value)}}), {});
}

const DescribedProperty& row(const std::vector<DescribedProperty>& rows, std::string_view name) {
  for (const DescribedProperty& row : rows) {
    if (row.effective.name == name) return row;
  }
  ADD_FAILURE() << name;
  return rows.front();
}

// The names that Kafka 4.3 gives to topic properties, with their defaults there. Differences are deliberate and listed.
TEST(TopicProperties, KnowsEveryPropertyOfKafka) {
  const std::vector<Setting> kafka = {{"cleanup.policy", "delete"},
                                      {"compression.gzip.level", "-1"},
                                      {"compression.lz4.level", "9"},
                                      {"compression.type", "producer"},
                                      {"compression.zstd.level", "3"},
                                      {"delete.retention.ms", "86400000"},
                                      {"file.delete.delay.ms", "60000"},
                                      {"flush.messages", "9223372036854775807"},
                                      {"flush.ms", "1000"},
                                      {"follower.replication.throttled.replicas", ""},
                                      {"index.interval.bytes", "4096"},
                                      {"leader.replication.throttled.replicas", ""},
                                      {"local.retention.bytes", "-2"},
                                      {"local.retention.ms", "-2"},
                                      {"max.compaction.lag.ms", "9223372036854775807"},
                                      {"max.message.bytes", "1048588"},
                                      {"message.timestamp.after.max.ms", "3600000"},
                                      {"message.timestamp.before.max.ms", "9223372036854775807"},
                                      {"message.timestamp.type", "CreateTime"},
                                      {"min.cleanable.dirty.ratio", "0.5"},
                                      {"min.compaction.lag.ms", "0"},
                                      {"min.insync.replicas", "1"},
                                      {"preallocate", "false"},
                                      {"remote.log.copy.disable", "false"},
                                      {"remote.log.delete.on.disable", "false"},
                                      {"remote.storage.enable", "false"},
                                      {"retention.bytes", "-1"},
                                      {"retention.ms", "604800000"},
                                      {"segment.bytes", "1073741824"},
                                      {"segment.index.bytes", "10485760"},
                                      {"segment.jitter.ms", "0"},
                                      {"segment.ms", "604800000"},
                                      {"unclean.leader.election.enable", "false"}};
  std::set<std::string_view> ours = {"acks.all.mode",     "flush.bytes",   "read.quorum",
                                     "record.validation", "write.caching", "write.quorum"};
  for (const Setting& expected : kafka) {
    const Property* property = find_topic_property(expected.name);
    ASSERT_NE(property, nullptr) << expected.name;
    EXPECT_EQ(property->default_value, expected.value) << expected.name;  // flush.ms: Kafka never syncs by time
  }
  EXPECT_EQ(topic_properties().size(), kafka.size() + ours.size());
  for (const std::string_view name : ours) EXPECT_NE(find_topic_property(name), nullptr) << name;
}

TEST(TopicProperties, AreDocumentedAndTheirDefaultsAreLegal) {
  for (const auto table : {topic_properties(), node_properties()}) {
    EXPECT_TRUE(std::ranges::is_sorted(table, {}, &Property::name));
    for (const Property& property : table) {
      EXPECT_FALSE(property.documentation.empty()) << property.name;
      EXPECT_TRUE(check_value(property, property.default_value).ok()) << property.name;
      const bool limited = property.support != PropertySupport::kHonoured || !property.refused.empty();
      EXPECT_EQ(!property.reason.empty(), limited) << property.name;
    }
  }
  for (const Property& property : topic_properties()) {
    if (property.node_name.empty()) continue;
    const Property* node = find_node_property(property.node_name);
    ASSERT_NE(node, nullptr) << property.node_name;
    EXPECT_EQ(node->default_value, property.default_value);
    EXPECT_FALSE(node->read_only);
  }
}

TEST(TopicProperties, ChecksForms) {
  for (const auto& [name, value] : std::vector<Setting>{{"retention.ms", "-1"},
                                                        {"retention.ms", " 5 "},
                                                        {"retention.ms", "9223372036854775807"},
                                                        {"retention.bytes", "-1"},
                                                        {"segment.bytes", "1048576"},
                                                        {"segment.bytes", "2147483647"},
                                                        {"write.caching", "TRUE"},
                                                        {"min.cleanable.dirty.ratio", "0.25"},
                                                        {"cleanup.policy", "delete"},
                                                        {"cleanup.policy", ""},
                                                        {"message.timestamp.type", "LogAppendTime"},
                                                        {"compression.type", "lz4"},
                                                        {"remote.storage.enable", "false"},
                                                        {"unclean.leader.election.enable", "False"},
                                                        {"flush.ms", "0"}}) {
    EXPECT_TRUE(check(name, value).ok()) << name << "=" << value << ": " << check(name, value).error().detail();
  }
  for (const auto& [name, value] :
       std::vector<Setting>{{"retention.ms", ""},
                            {"retention.ms", "-2"},
                            {"retention.ms", "1.5"},
                            {"retention.ms", "5ms"},
                            {"retention.ms", "9223372036854775808"},
                            {"retention.ms", "0x10"},
                            {"retention.ms", "+-1"},
                            {"segment.bytes", "1048575"},
                            {"segment.bytes", "2147483648"},
                            {"write.caching", "yes"},
                            {"min.cleanable.dirty.ratio", "1.5"},
                            {"min.cleanable.dirty.ratio", "nan"},
                            {"cleanup.policy", "shred"},
                            {"cleanup.policy", "delete,"},
                            {"cleanup.policy", "delete,delete"},
                            {"message.timestamp.type", "createtime"},
                            {"min.insync.replicas", "0"},
                            {"flush.bytes", "0"},
                            {"max.message.bytes", "-1"},
                            {"write.quorum", "33"},
                            {"compression.zstd.level", "23"},
                            {"max.message.bytes", std::to_string(limits::kBatchBytesMax + 1)}}) {
    const auto checked = check(name, value);
    ASSERT_FALSE(checked.ok()) << name << "=" << value;
    EXPECT_EQ(checked.error(), ErrorCode::kInvalidArgument) << name << "=" << value;
    EXPECT_NE(checked.error().detail().find(name), std::string::npos) << checked.error().detail();
  }
}

TEST(TopicProperties, RefusesWhatDoesNotExistAndSaysWhy) {
  EXPECT_EQ(check("remote.storage.enable", "true").error().detail(),
            "remote.storage.enable=true is not supported: Tiered storage does not exist yet.");
  EXPECT_FALSE(check("unclean.leader.election.enable", "true").ok());
  EXPECT_FALSE(check("leader.replication.throttled.replicas", "*").ok());
}

TEST(TopicProperties, ResolveWhatCompactionGoesBy) {
  EXPECT_TRUE(check("cleanup.policy", "compact").ok());
  EXPECT_TRUE(check("cleanup.policy", "compact,delete").ok());
  const LogSettings defaults = LogSettings::resolve({}, {});
  EXPECT_FALSE(defaults.compacts);
  const Settings overrides = settings({{"cleanup.policy", "compact"},
                                       {"min.compaction.lag.ms", "7"},
                                       {"max.compaction.lag.ms", "9"},
                                       {"min.cleanable.dirty.ratio", "0.25"},
                                       {"delete.retention.ms", "11"}});
  const LogSettings resolved = LogSettings::resolve(overrides, {});
  EXPECT_TRUE(resolved.compacts);
  EXPECT_FALSE(resolved.retention_deletes);
  EXPECT_EQ(resolved.compaction_lag_min.count(), 7);
  EXPECT_EQ(resolved.compaction_lag_max.count(), 9);
  EXPECT_EQ(resolved.dirty_ratio_min, 0.25);
  EXPECT_EQ(resolved.delete_retention.count(), 11);
}

TEST(TopicProperties, SuggestsTheNearestName) {
  EXPECT_EQ(check("retention.mss", "1").error().detail(),
            "unknown setting of a log: retention.mss (did you mean retention.ms?)");
  EXPECT_EQ(check("colour", "red").error().detail(), "unknown setting of a log: colour");
  EXPECT_EQ(check_node_settings(settings({{"log.retention.msec", "1"}})).error().detail(),
            "unknown setting of a node: log.retention.msec (did you mean log.retention.ms?)");
}

TEST(TopicProperties, ChecksRelationsWithWhatIsInForce) {
  EXPECT_FALSE(
      check_topic_settings(settings({{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}}), {}).ok());
  EXPECT_TRUE(check_topic_settings(settings({{"min.compaction.lag.ms", "10"}}), {}).ok());
  EXPECT_FALSE(check_topic_settings(settings({{"min.compaction.lag.ms", "10"}}),
                                    settings({{"log.cleaner.max.compaction.lag.ms", "5"}}))
                   .ok());
}

TEST(NodeProperties, RefuseChangesOfWhatIsFixed) {
  EXPECT_TRUE(check_node_settings(settings({{"log.retention.ms", "5"}})).ok());
  EXPECT_FALSE(check_node_settings(settings({{"log.retention.ms", "-7"}})).ok());
  EXPECT_EQ(check_node_settings(settings({{"num.partitions", "3"}})).error().detail(),
            "num.partitions cannot be changed while the node runs; set it in the configuration file");
}

TEST(Alterations, SetAndDelete) {
  const Settings before = settings({{"retention.ms", "1"}, {"segment.ms", "2"}});
  const std::vector<Alteration> alterations = {{"retention.ms", AlterOperation::kSet, "5"},
                                               {"segment.ms", AlterOperation::kDelete, ""},
                                               {"not.there", AlterOperation::kDelete, ""}};
  EXPECT_EQ(altered(before, alterations, topic_properties()).value(), settings({{"retention.ms", "5"}}));
}

TEST(Alterations, AppendAndSubtractOnLists) {
  const auto after = [](Settings before, AlterOperation operation, std::string value) -> Result<std::string> {
    const std::vector<Alteration> alterations = {{"cleanup.policy", operation, std::move(value)}};
    PYRALOG_ASSIGN(const Settings result, altered(before, alterations, topic_properties()));
    return *result.find("cleanup.policy");
  };
  EXPECT_EQ(after({}, AlterOperation::kAppend, "compact").value(), "delete,compact");
  EXPECT_EQ(after({}, AlterOperation::kAppend, "delete").value(), "delete");
  EXPECT_EQ(after(settings({{"cleanup.policy", "compact"}}), AlterOperation::kAppend, "delete, x").value(),
            "compact,delete,x");
  EXPECT_EQ(after({}, AlterOperation::kSubtract, "delete").value(), "");
  EXPECT_EQ(after(settings({{"cleanup.policy", "a,b,c"}}), AlterOperation::kSubtract, "b,z").value(), "a,c");
}

TEST(Alterations, RefuseListOperationsElsewhereAndRepeatedNames) {
  const std::vector<Alteration> append = {{"retention.ms", AlterOperation::kAppend, "5"}};
  EXPECT_EQ(altered({}, append, topic_properties()).error(), ErrorCode::kInvalidArgument);
  const std::vector<Alteration> unknown = {{"colour", AlterOperation::kSubtract, "5"}};
  EXPECT_EQ(altered({}, unknown, topic_properties()).error(), ErrorCode::kInvalidArgument);
  const std::vector<Alteration> twice = {{"retention.ms", AlterOperation::kSet, "5"},
                                         {"retention.ms", AlterOperation::kDelete, ""}};
  EXPECT_EQ(altered({}, twice, topic_properties()).error(), ErrorCode::kInvalidArgument);
}

TEST(Describe, TakesTheMostSpecificLayer) {
  const Settings overrides = settings({{"retention.ms", " 1 "}});
  const Settings node = settings({{"log.retention.ms", "2"}, {"log.segment.bytes", "2097152"}});
  const Settings all = settings({{"log.retention.ms", "3"}, {"log.roll.ms", "3"}});
  const Settings file = settings({{"log.retention.ms", "4"}, {"log.cleanup.policy", "delete"}});
  const NodeLayers layers{&node, &all, &file};
  const auto rows = describe_topic(overrides, layers);
  EXPECT_EQ(rows.size(), topic_properties().size());

  const DescribedProperty& retention = row(rows, "retention.ms");
  EXPECT_EQ(retention.effective.value, "1");
  EXPECT_EQ(retention.effective.source, PropertySource::kTopic);
  ASSERT_EQ(retention.synonyms.size(), 5u);
  EXPECT_EQ(retention.synonyms[0].name, "retention.ms");
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(retention.synonyms[i].name, "log.retention.ms");
  EXPECT_EQ(retention.synonyms[1].source, PropertySource::kDynamicNode);
  EXPECT_EQ(retention.synonyms[2].source, PropertySource::kDynamicDefault);
  EXPECT_EQ(retention.synonyms[3].source, PropertySource::kStaticNode);
  EXPECT_EQ(retention.synonyms[4].source, PropertySource::kDefault);
  EXPECT_EQ(retention.synonyms[4].value, "604800000");

  EXPECT_EQ(row(rows, "segment.bytes").effective.source, PropertySource::kDynamicNode);
  EXPECT_EQ(row(rows, "segment.ms").effective.source, PropertySource::kDynamicDefault);
  EXPECT_EQ(row(rows, "cleanup.policy").effective.source, PropertySource::kStaticNode);
  EXPECT_EQ(row(rows, "flush.ms").effective.source, PropertySource::kDefault);
  EXPECT_TRUE(row(rows, "remote.storage.enable").synonyms.empty());
  EXPECT_EQ(row(rows, "remote.storage.enable").effective.value, "false");

  EXPECT_EQ(topic_value("retention.ms", {}, layers), "2");
  EXPECT_EQ(topic_value("retention.ms", {}, {nullptr, nullptr, &file}), "4");
  EXPECT_EQ(node_value("log.roll.ms", layers), "3");
  EXPECT_EQ(node_value("num.partitions", layers), "1");
}

TEST(Describe, KeepsWhatThisReleaseDoesNotKnowOrNoLongerAccepts) {
  const Settings overrides = settings({{"future.setting", "x"}, {"retention.ms", "soon"}});
  const auto rows = describe_topic(overrides, {});
  EXPECT_EQ(row(rows, "future.setting").effective.value, "x");
  EXPECT_EQ(row(rows, "future.setting").property, nullptr);
  EXPECT_EQ(row(rows, "retention.ms").effective.value, "604800000");
  EXPECT_EQ(LogSettings::resolve(overrides, {}).retention, std::chrono::milliseconds(604800000));
}

TEST(Describe, ShowsNodes) {
  const Settings all = settings({{"log.retention.ms", "3"}});
  const Settings file = settings({{"num.partitions", "4"}});
  const auto rows = describe_node({nullptr, &all, &file});
  EXPECT_EQ(rows.size(), node_properties().size());
  EXPECT_EQ(row(rows, "num.partitions").effective.source, PropertySource::kStaticNode);
  EXPECT_TRUE(row(rows, "num.partitions").property->read_only);
  EXPECT_EQ(row(rows, "log.retention.ms").effective.value, "3");
  EXPECT_EQ(describe_node_defaults(all).size(), 1u);
}

TEST(LogSettings, ResolvesDefaults) {
  const LogSettings defaults = LogSettings::resolve({}, {});
  EXPECT_TRUE(defaults.retention_deletes);
  EXPECT_EQ(defaults.retention, std::chrono::hours(24 * 7));
  EXPECT_EQ(defaults.retention_bytes, std::nullopt);
  EXPECT_EQ(defaults.segment_bytes, 1u << 30);
  EXPECT_EQ(defaults.batch_bytes_max, limits::kBatchBytesMaxDefault);
  EXPECT_FALSE(defaults.write_caching);
  EXPECT_EQ(defaults.flush_interval, std::chrono::seconds(1));
  EXPECT_EQ(defaults.flush_bytes, 16u << 20);
  EXPECT_EQ(defaults.timestamp_type, TimestampType::kCreateTime);
  EXPECT_EQ(defaults.record_validation, RecordValidation::kStructure);
}

TEST(LogSettings, ResolvesOverrides) {
  const LogSettings given = LogSettings::resolve(settings({{"retention.ms", "-1"},
                                                           {"retention.bytes", "0"},
                                                           {"cleanup.policy", ""},
                                                           {"write.caching", "true"},
                                                           {"message.timestamp.type", "LogAppendTime"},
                                                           {"acks.all.mode", "isr"},
                                                           {"record.validation", "full"},
                                                           {"write.quorum", "2"},
                                                           {"min.insync.replicas", "2"}}),
                                                 {});
  EXPECT_FALSE(given.retention_deletes);
  EXPECT_EQ(given.retention, std::nullopt);
  EXPECT_EQ(given.retention_bytes, 0u);
  EXPECT_TRUE(given.write_caching);
  EXPECT_EQ(given.timestamp_type, TimestampType::kLogAppendTime);
  EXPECT_EQ(given.acks_all_mode, AcksAllMode::kIsr);
  EXPECT_EQ(given.record_validation, RecordValidation::kFull);
  EXPECT_EQ(given.insync_replicas_min, 2);
  EXPECT_TRUE(check_quorum(given, 3).ok());
  EXPECT_EQ(check_quorum(given, 1).error(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace pyralog::cluster
