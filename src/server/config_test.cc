#include "server/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "cluster/topic_properties.h"
#include "server/config_keys.h"
#include "server/config_values.h"

namespace pyralog::server {
namespace {

Result<NodeConfig> load(std::string text, std::vector<ConfigOverride> overrides = {},
                        std::vector<const char*> environment = {}) {
  return load_config({.file_name = "node.toml",
                      .file_text = std::move(text),
                      .environment = environment_overrides(environment),
                      .overrides = std::move(overrides)});
}

std::string failure(std::string text, std::vector<ConfigOverride> overrides = {},
                    std::vector<const char*> environment = {}) {
  const auto config = load(std::move(text), std::move(overrides), std::move(environment));
  if (config.ok()) return "(accepted)";
  EXPECT_EQ(config.error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(config.error().detail().find('\n'), std::string::npos);
  return config.error().detail();
}

TEST(Config, NeedsNothing) {
  const auto config = load("");
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  EXPECT_EQ(config->node_id, std::nullopt);
  EXPECT_EQ(config->data_directory, "./pyralog-data");
  ASSERT_EQ(config->kafka_listeners.size(), 1u);
  EXPECT_EQ(config->kafka_listeners[0].listen.to_string(), "127.0.0.1:9092");
  EXPECT_EQ(config->rpc_listen.to_string(), "127.0.0.1:33145");
  EXPECT_EQ(config->http_listen.to_string(), "127.0.0.1:9644");
  EXPECT_EQ(config->connection_idle_max, std::chrono::minutes(10));
  EXPECT_EQ(config->request_bytes_max, 100u << 20);
  EXPECT_EQ(config->shards, 0u);
  EXPECT_FALSE(config->posix_io);
  EXPECT_TRUE(config->static_settings.empty());
  EXPECT_TRUE(config->declared_logs.empty());
}

TEST(Config, ReadsTheFile) {
  const auto config = load(R"(
[node]
id = 7
data_dir = "/data"
rack = "r1"
[kafka]
listen = "localhost:1234"
idle_timeout = "90s"
request_bytes_max = "1MiB"
pipelined_bytes_max = 65536
[replication]
auto_create = false
partitions = 3
[io]
backend = "posix"
[logging]
level = "debug"
)");
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  EXPECT_EQ(config->node_id, 7);
  EXPECT_EQ(config->data_directory, "/data");
  EXPECT_EQ(config->kafka_listeners[0].listen.to_string(), "localhost:1234");
  EXPECT_EQ(config->connection_idle_max, std::chrono::seconds(90));
  EXPECT_EQ(config->request_bytes_max, 1u << 20);
  EXPECT_EQ(config->pipelined_bytes_max, 65536u);
  EXPECT_FALSE(config->auto_create_logs);
  EXPECT_EQ(config->partitions_default, 3);
  EXPECT_TRUE(config->posix_io);
  EXPECT_EQ(config->logging_level, "debug");
}

TEST(Config, TheEnvironmentOverridesTheFileAndTheCommandLineBoth) {
  const std::string file = "kafka.idle_timeout = '1m'\nio.backend = 'posix'\nnode.rack = 'file'";
  const std::vector<const char*> environment = {"PYRALOG_KAFKA__IDLE_TIMEOUT=2m", "PYRALOG_NODE__RACK=env", "HOME=/",
                                                "PYRALOG_TESTDATA=x"};
  const auto config = load(file, {{"node.rack", "one", "--rack"}, {"node.rack", "two", "--set node.rack"}}, environment);
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  EXPECT_EQ(config->connection_idle_max, std::chrono::minutes(2));
  EXPECT_TRUE(config->posix_io);
  EXPECT_EQ(config->rack, "two");
}

TEST(Config, NamesTheNearestKeyAndThePlace) {
  EXPECT_EQ(failure("[kafka]\n\nidle_timout = '5s'"),
            "node.toml: line 3: unknown setting \"kafka.idle_timout\": did you mean \"kafka.idle_timeout\"?");
  EXPECT_EQ(failure("[kafkka]\nidle_timeout = '5s'"),
            "node.toml: line 2: unknown setting \"kafkka.idle_timeout\": did you mean \"kafka.idle_timeout\"?");
  EXPECT_EQ(failure("", {{"io.backnd", "posix", "--set io.backnd"}}),
            "--set io.backnd: unknown setting \"io.backnd\": did you mean \"io.backend\"?");
  EXPECT_EQ(failure("", {}, {"PYRALOG_NODE__RAK=a"}),
            "PYRALOG_NODE__RAK: unknown setting \"node.rak\": did you mean \"node.rack\"?");
  EXPECT_EQ(failure("[zzzzzz]\nq = 1"),
            "node.toml: line 2: unknown setting \"zzzzzz.q\" (pyralog config explain lists all)");
  EXPECT_EQ(failure("[log.orders]\nretention_ms = 1"),
            "node.toml: line 2: log.orders: unknown setting of a log \"retention_ms\": did you mean \"retention.ms\"?");
  EXPECT_EQ(failure("[kafka.listener.a]\nlistn = 'x:1'"),
            "node.toml: line 2: unknown setting of a listener \"listn\": did you mean \"listen\"?");
  EXPECT_EQ(failure("[nod]"), "node.toml: line 1: unknown section \"nod\": did you mean \"node\"?");
  EXPECT_EQ(failure("retention = 1"),
            "node.toml: line 1: unknown setting \"retention\" (pyralog config explain lists all)");
}

TEST(Config, RefusesBadValues) {
  const auto refused = [](std::string_view key, std::string value) {
    return failure("", {{std::string(key), std::move(value), "--set"}});
  };
  EXPECT_EQ(refused("kafka.idle_timeout", "5"), "--set: kafka.idle_timeout: \"5\" lacks a unit: one of ms, s, m, h, d");
  EXPECT_EQ(refused("kafka.idle_timeout", "5sec"),
            "--set: kafka.idle_timeout: \"5sec\" has the unknown unit \"sec\": use one of ms, s, m, h, d");
  EXPECT_EQ(refused("kafka.idle_timeout", "1ms"), "--set: kafka.idle_timeout: \"1ms\" must be from 1s to 30d");
  EXPECT_EQ(refused("kafka.request_bytes_max", "16MB"),
            "--set: kafka.request_bytes_max: \"16MB\" has the unknown unit \"MB\": use one of B, KiB, MiB, GiB, TiB");
  EXPECT_EQ(refused("node.shards", "-1"), "--set: node.shards: \"-1\" must be from 0 to 1024");
  EXPECT_EQ(refused("node.shards", "two"), "--set: node.shards: \"two\" is not a whole number");
  EXPECT_EQ(refused("io.backend", "magic"), "--set: io.backend: \"magic\" must be one of auto, posix");
  EXPECT_EQ(refused("replication.auto_create", "yes"), "--set: replication.auto_create: \"yes\" is neither true nor false");
  EXPECT_NE(refused("kafka.listen", "nowhere"), "(accepted)");
  EXPECT_NE(refused("kafka.listen", ""), "(accepted)");
  EXPECT_NE(refused("node.data_dir", ""), "(accepted)");
  EXPECT_NE(refused("node.rack", "a b"), "(accepted)");
  EXPECT_NE(refused("kafka.request_bytes_max", "99999999999999999999"), "(accepted)");
  EXPECT_NE(failure("[node]\nid = [1]"), "(accepted)");
  EXPECT_NE(failure("[node]\nid = 1979-05-27"), "(accepted)");
  EXPECT_EQ(failure("[node\nid = 1").substr(0, 18), "node.toml: line 1:");
  EXPECT_EQ(load(std::string(2u << 20, '#')).error(), ErrorCode::kTooLarge);
  EXPECT_EQ(failure("\n" + std::string(5000, ' ')), "node.toml: line 2 has more than 4096 bytes");
  std::string deep = "a";
  for (int i = 0; i < 2000; ++i) deep += ".a";
  EXPECT_NE(failure("[" + deep + "]\n" + deep + " = 1"), "(accepted)");
}

TEST(Config, RefusesToBeReachableUnprotected) {
  EXPECT_EQ(failure("kafka.listen = '10.0.0.1:9092'"),
            "kafka.listen=10.0.0.1:9092 can be reached from other machines, without encryption and authentication: use "
            "127.0.0.1, or accept it with security.insecure=true (--insecure)");
  EXPECT_NE(failure("http.listen = '0.0.0.0:9644'"), "(accepted)");
  EXPECT_NE(failure("rpc.listen = '0.0.0.0:33145'"), "(accepted)");
  EXPECT_NE(failure("[kafka.listener.a]\nlisten = '192.168.0.1:1'"), "(accepted)");
  EXPECT_TRUE(load("security.insecure = true\nkafka.listen = '10.0.0.1:9092'").ok());
  EXPECT_EQ(
      failure("security.insecure = true\nkafka.listen = '0.0.0.0:9092'"),
      "kafka.listen=0.0.0.0:9092 is no address that clients can connect to: say in kafka.advertise (--advertise) what "
      "they shall use");
  const auto config = load("security.insecure = true\nkafka.listen = '0.0.0.0:9092'\nkafka.advertise = 'me:9092'");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->kafka_listeners[0].advertise.to_string(), "me:9092");
}

TEST(Config, HasManyListeners) {
  const std::string file = R"(
[kafka.listener.world]
listen = "127.0.0.1:2"
advertise = "proxy:22"
[kafka.listener.local]
listen = "127.0.0.1:1"
)";
  const auto named = load(file);
  ASSERT_TRUE(named.ok()) << named.error().to_string();
  ASSERT_EQ(named->kafka_listeners.size(), 2u);
  EXPECT_EQ(named->kafka_listeners[0].name, "local");
  EXPECT_EQ(named->kafka_listeners[1].advertise.to_string(), "proxy:22");
  const auto with_flag =
      load(file, {{"kafka.listen", "127.0.0.1:3", "--kafka"}, {"kafka.listener.world.listen", "127.0.0.1:0", "--set"}});
  ASSERT_TRUE(with_flag.ok());
  ASSERT_EQ(with_flag->kafka_listeners.size(), 3u);
  EXPECT_EQ(with_flag->kafka_listeners[0].name, "default");
  EXPECT_EQ(with_flag->kafka_listeners[2].listen.port, 0);
  EXPECT_NE(failure(file + "[kafka.listener.third]\nlisten = '127.0.0.1:1'"), "(accepted)") << "one address twice";
  EXPECT_NE(failure("[kafka.listener.a]\nadvertise = 'x:1'"), "(accepted)") << "no address";
}

TEST(Config, DeclaresLogs) {
  const auto config = load(R"(
[log.orders]
partitions = 12
replication_factor = 1
retention.ms = "7d"
"segment.bytes" = "16MiB"
write.caching = true
[log."eu.orders"]
[log.plain]
retention = { bytes = 5 }
)",
                           {{"log.eu.orders.retention.ms", "5", "--set"}}, {"PYRALOG_LOG__PLAIN__SEGMENT_MS=1h"});
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  ASSERT_EQ(config->declared_logs.size(), 3u);
  EXPECT_EQ(config->declared_logs[0].name, "eu.orders");
  EXPECT_EQ(config->declared_logs[0].partitions, -1);
  EXPECT_EQ(config->declared_logs[0].settings, (std::vector<cluster::Setting>{{"retention.ms", "5"}}));
  const NewLog& orders = config->declared_logs[1];
  EXPECT_EQ(orders.partitions, 12);
  EXPECT_EQ(orders.replication, 1);
  EXPECT_EQ(orders.settings, (std::vector<cluster::Setting>{
                                 {"retention.ms", "604800000"}, {"segment.bytes", "16777216"}, {"write.caching", "true"}}));
  EXPECT_EQ(config->declared_logs[2].settings,
            (std::vector<cluster::Setting>{{"retention.bytes", "5"}, {"segment.ms", "3600000"}}));
}

TEST(Config, RefusesDeclaredLogsThatCannotBe) {
  EXPECT_NE(failure("[log.'a b']"), "(accepted)");
  EXPECT_NE(failure("[log.a]\npartitions = 0"), "(accepted)");
  EXPECT_NE(failure("[log.a]\ncleanup.policy = 'compacted'"), "(accepted)");
  EXPECT_NE(failure("[log.a]\nwrite.quorum = 2"), "(accepted)");
  EXPECT_NE(failure("[log.'a.b']\n[log.a_b]"), "(accepted)");
  EXPECT_NE(failure("[log.a]\nmin.compaction.lag.ms = 5\nmax.compaction.lag.ms = 4"), "(accepted)");
}

TEST(Config, GivesNodePropertiesToKafka) {
  const auto config = load(R"(
[log_defaults]
retention.ms = "1d"
write.caching = true
[replication]
partitions = 4
write_quorum = 1
[kafka]
idle_timeout = "1m"
)",
                           {}, {"PYRALOG_LOG_DEFAULTS__SEGMENT_BYTES=2MiB"});
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  const auto& settings = config->static_settings;
  EXPECT_EQ(*settings.find("log.retention.ms"), "86400000");
  EXPECT_EQ(*settings.find("log.segment.bytes"), "2097152");
  EXPECT_EQ(*settings.find("write.caching"), "true");
  EXPECT_EQ(*settings.find("num.partitions"), "4");
  EXPECT_EQ(*settings.find("write.quorum"), "1");
  EXPECT_EQ(*settings.find("connections.max.idle.ms"), "60000");
  EXPECT_EQ(settings.size(), 6u);
  EXPECT_NE(failure("[log_defaults]\nwrite.quorum = 1"), "(accepted)");
  EXPECT_NE(failure("[log_defaults]\nretention.ms = -5"), "(accepted)");
  EXPECT_NE(failure("[log_defaults]\nremote.storage.enable = false"), "(accepted)");
}

TEST(Config, RefusesSettingsThatContradictEachOther) {
  EXPECT_NE(failure("http.listen = '127.0.0.1:9092'"), "(accepted)");
  EXPECT_NE(failure("kafka.request_memory_bytes_max = '32MiB'"), "(accepted)");
  EXPECT_NE(failure("replication.write_quorum = 2"), "(accepted)");
  EXPECT_TRUE(load("replication.write_quorum = 2\nreplication.replication_factor = 3").ok());
}

TEST(ConfigValues, AreReadBack) {
  for (const char* text : {"0ms", "1ms", "1500ms", "2s", "90s", "5m", "36h", "7d"}) {
    EXPECT_EQ(render_duration(parse_duration(text).value()), text);
  }
  for (const char* text : {"0B", "1B", "1025B", "64KiB", "100MiB", "1GiB", "3TiB"}) {
    EXPECT_EQ(render_bytes(parse_bytes(text).value()), text);
  }
  EXPECT_EQ(parse_duration("0").value().count(), 0);
  EXPECT_EQ(parse_bytes("16 MiB").value(), 16u << 20);
  for (const char* text : {"", "s", "-1s", "1.5s", "1 s s", "99999999999999999d"})
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  for (const char* text : {"", "MiB", "-1", "1e3", "9999999999TiB"}) EXPECT_FALSE(parse_bytes(text).ok()) << text;
}

TEST(ConfigKeys, AreCompleteAndAgreeWithTheTableOfNodeProperties) {
  EXPECT_TRUE(std::ranges::is_sorted(config_table(), {}, &ConfigKey::name));
  for (const ConfigKey& key : config_table()) {
    EXPECT_FALSE(key.documentation.empty()) << key.name;
    const std::string_view section = key.name.substr(0, key.name.find('.'));
    EXPECT_NE(std::ranges::find(config_sections(), section, &ConfigSection::name), config_sections().end()) << key.name;
    ConfigDraft draft;
    EXPECT_TRUE(assign(key, draft, key.default_text).ok()) << key.name;
    if (key.kafka_name.empty()) continue;
    const auto* property = cluster::find_node_property(key.kafka_name);
    ASSERT_NE(property, nullptr) << key.kafka_name;
    if (key.name == "node.data_dir") continue;  // the server shows the path it really uses
    EXPECT_EQ(property->default_value, kafka_text(key, key.default_text)) << key.name;
  }
}

TEST(ConfigExplain, FindsEveryKeyAndProperty) {
  for (const std::string_view key : config_keys()) EXPECT_TRUE(explain_config(key).ok()) << key;
  EXPECT_EQ(explain_config("kafka.idle_timeout").value(),
            "kafka.idle_timeout\n"
            "  How long a connection may be silent before it is closed.\n"
            "  kind:        duration (ms, s, m, h, d)\n"
            "  range:       from 1s to 30d\n"
            "  default:     10m\n"
            "  environment: PYRALOG_KAFKA__IDLE_TIMEOUT\n"
            "  Kafka:       connections.max.idle.ms\n");
  for (const char* key : {"retention.ms", "log_defaults.retention.ms", "log.my.orders.retention.ms"}) {
    EXPECT_EQ(explain_config(key).value().substr(0, 13), "retention.ms\n") << key;
  }
  EXPECT_EQ(explain_config("kafka.idle").error(), ErrorCode::kNotFound);
  EXPECT_EQ(explain_config("kafka.idle_timeot").error().detail(),
            "no setting is called \"kafka.idle_timeot\": did you mean \"kafka.idle_timeout\"?");
}

/// docs/configuration.md is written from the table: run with PYRALOG_UPDATE_DOCS=1 after a change of the table.
TEST(ConfigDocument, IsWhatTheTableSays) {
  const auto path = std::filesystem::path(PYRALOG_TESTDATA "/../../../docs/configuration.md").lexically_normal();
  const std::string expected = configuration_markdown();
  if (std::getenv("PYRALOG_UPDATE_DOCS") != nullptr) std::ofstream(path, std::ios::binary) << expected;
  std::ifstream file(path, std::ios::binary);
  const std::string document(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(document == expected) << path << " differs from the table; run this test with PYRALOG_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace pyralog::server
