#include "cluster/commands.h"

#include <gtest/gtest.h>

#include <string>

#include "cluster/golden_test_support.h"
#include "core/random.h"

namespace pyralog::cluster {
namespace {

LogId log_id(std::uint8_t n) {
  LogId id;
  for (std::size_t i = 0; i < id.uuid.bytes.size(); ++i) id.uuid.bytes[i] = static_cast<std::uint8_t>(n + i);
  return id;
}

/// One of each kind, every field set; the golden file holds their encodings in this order.
std::vector<Command> samples() {
  const std::vector<PartitionPlacement> placements = {{{NodeId(1), NodeId(2)}}, {{NodeId(2)}}};
  return {
      FoundCluster{log_id(100).uuid},
      NodeStarted{NodeId(7), StartEpoch(3), "rack-a"},
      CreateLog{log_id(1), "orders.eu", placements, {{"retention.ms", "86400000"}, {"segment.bytes", "1048576"}}},
      DeleteLog{log_id(1)},
      AddPartitions{log_id(2), 2, placements},
      AlterLogSettings{log_id(3), {{"retention.ms", "-1"}, {"flush.ms", std::nullopt}, {"x", ""}}},
      AlterNodeSettings{NodeId(7), {{"log.retention.ms", "1000"}}},
      AlterNodeSettings{std::nullopt, {{"log.retention.ms", std::nullopt}}},
      AllocateProducerIds{NodeId(7), 1000},
      SetFeatureLevel{"metadata.version", 1},
  };
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text.push_back("0123456789abcdef"[static_cast<unsigned>(byte) >> 4]);
    text.push_back("0123456789abcdef"[static_cast<unsigned>(byte) & 15]);
  }
  return text;
}

TEST(Commands, EncodeAsTheGoldenFileSays) {
  std::string text;
  for (const Command& command : samples()) {
    text += std::string(command_name(command)) + " " + hex(encode_command(command)) + "\n";
  }
  EXPECT_EQ(text, golden_file(PYRALOG_TESTDATA, "commands.v0.txt", text));
}

TEST(Commands, DecodeToWhatWasEncoded) {
  for (const Command& command : samples()) {
    const auto decoded = decode_command(encode_command(command));
    ASSERT_TRUE(decoded.ok()) << command_name(command) << ": " << decoded.error().to_string();
    EXPECT_EQ(*decoded, command) << command_name(command);
  }
}

TEST(Commands, RefuseEveryPrefixAndEverySurplus) {
  for (const Command& command : samples()) {
    std::vector<std::byte> bytes = encode_command(command);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(decode_command(ByteView(bytes).first(size)).error(), ErrorCode::kTruncated) << command_name(command);
    }
    bytes.push_back(std::byte{0});
    EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kCorrupt);
    // The same with a header that owns up to the surplus byte: the body then has something after its last field.
    store_little(bytes.data() + 4, static_cast<std::uint32_t>(bytes.size() - 8));
    EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kCorrupt);
  }
}

TEST(Commands, RefuseLaterKindsAndVersions) {
  std::vector<std::byte> bytes = encode_command(samples().front());
  store_little<std::uint16_t>(bytes.data() + 2, 1);
  EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kUnsupportedVersion);
  store_little<std::uint16_t>(bytes.data() + 2, 0);
  store_little<std::uint16_t>(bytes.data(), 10);
  EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kUnsupportedVersion);
  store_little<std::uint16_t>(bytes.data(), 0);
  EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kCorrupt);
}

TEST(Commands, RefuseAListLongerThanTheBytesWithoutTakingMemory) {
  std::vector<std::byte> bytes = encode_command(AddPartitions{log_id(2), 2, {{{NodeId(1)}}}});
  store_little<std::uint32_t>(bytes.data() + 8 + 16 + 4, 0xFFFFFFFFu);
  EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kTruncated);
  store_little<std::uint32_t>(bytes.data() + 8 + 16 + 4, 1);
  store_little<std::uint16_t>(bytes.data() + 8 + 16 + 8, 0);  // a partition without replicas
  EXPECT_EQ(decode_command(bytes).error(), ErrorCode::kCorrupt);
}

TEST(Commands, SurviveFlippedBytes) {
  Random random(11);
  for (const Command& command : samples()) {
    const std::vector<std::byte> good = encode_command(command);
    for (int round = 0; round < 2000; ++round) {
      std::vector<std::byte> bytes = good;
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next());
      const auto decoded = decode_command(bytes);
      if (decoded.ok()) EXPECT_EQ(encode_command(*decoded), bytes);  // there is one encoding of each command
    }
  }
}

TEST(Settings, KeepsTheLastOfEqualNamesInOrder) {
  const std::vector<Setting> given = {{"b", "1"}, {"a", "2"}, {"b", "3"}};
  Settings settings(given);
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_EQ(settings.begin()->name, "a");
  EXPECT_EQ(*settings.find("b"), "3");
  EXPECT_EQ(settings.find("c"), nullptr);
  settings.remove("a");
  EXPECT_EQ(settings.find("a"), nullptr);
}

TEST(Settings, ChangesBetweenLeadFromOneToTheOther) {
  Random random(5);
  for (int round = 0; round < 500; ++round) {
    Settings from, to;
    for (int i = 0; i < 6; ++i) {
      if (random.below(2) == 0) from.set(std::string(1, static_cast<char>('a' + i)), std::to_string(random.below(2)));
      if (random.below(2) == 0) to.set(std::string(1, static_cast<char>('a' + i)), std::to_string(random.below(2)));
    }
    Settings result = from;
    const auto changes = changes_between(from, to);
    result.apply(changes);
    EXPECT_EQ(result, to);
    EXPECT_LE(changes.size(), from.size() + to.size());
    EXPECT_TRUE(changes_between(to, to).empty());
  }
}

}  // namespace
}  // namespace pyralog::cluster
