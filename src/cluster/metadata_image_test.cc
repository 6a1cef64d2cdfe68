#include "cluster/metadata_image.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "cluster/golden_test_support.h"
#include "cluster/hash_trie.h"
#include "cluster/placement.h"
#include "core/checksum.h"
#include "core/limits.h"
#include "core/random.h"

namespace pyralog::cluster {
namespace {

LogId log_id(std::uint32_t n) {
  LogId id;
  store_little(reinterpret_cast<std::byte*>(id.uuid.bytes.data()), n);
  id.uuid.bytes[15] = 1;
  return id;
}

/// Applies commands one after the other, as the metadata log would.
struct Cluster {
  ImagePtr image = std::make_shared<const MetadataImage>();

  Result<> apply(const Command& command) {
    auto next = image->apply(MetadataIndex(image->applied_index().value + 1), command);
    if (!next.ok()) return next.error();
    image = *next;
    return {};
  }
  void must(const Command& command) {
    const auto applied = apply(command);
    ASSERT_TRUE(applied.ok()) << command_name(command) << ": " << applied.error().to_string();
  }
  static Cluster founded(int nodes = 1) {
    Cluster cluster;
    cluster.must(FoundCluster{log_id(9999).uuid});
    for (int node = 1; node <= nodes; ++node) cluster.must(NodeStarted{NodeId(node), StartEpoch(1), ""});
    return cluster;
  }
  CreateLog creation(std::uint32_t n, std::string name, int partitions = 1) const {
    return {log_id(n), std::move(name), place_partitions(*image, partitions, 1).value(), {}};
  }
  LeaderEpoch epoch(std::string_view name) const {
    return image->leader_epoch(image->find_log(name)->partitions.front());
  }
};

TEST(MetadataImage, FindsALogByNameIdAndPartition) {
  Cluster cluster = Cluster::founded();
  cluster.must(cluster.creation(1, "orders", 3));
  const LogMetadata* log = cluster.image->find_log("orders");
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(cluster.image->find_log(log_id(1)), log);
  EXPECT_EQ(cluster.image->find_partition(log_id(1), PartitionIndex(2)), &log->partitions[2]);
  EXPECT_EQ(cluster.image->find_partition(log_id(1), PartitionIndex(3)), nullptr);
  EXPECT_EQ(cluster.image->find_partition(log_id(1), PartitionIndex(-1)), nullptr);
  EXPECT_EQ(cluster.image->find_partition(log_id(2), PartitionIndex(0)), nullptr);
  EXPECT_EQ(cluster.image->find_log("order"), nullptr);
  EXPECT_EQ(cluster.image->partition_count(), 3u);
}

TEST(MetadataImage, LeavesEarlierImagesUntouched) {
  Cluster cluster = Cluster::founded();
  const ImagePtr before = cluster.image;
  cluster.must(cluster.creation(1, "orders"));
  const ImagePtr with_log = cluster.image;
  cluster.must(DeleteLog{log_id(1)});
  EXPECT_EQ(before->find_log("orders"), nullptr);
  EXPECT_NE(with_log->find_log("orders"), nullptr);
  EXPECT_EQ(cluster.image->find_log("orders"), nullptr);
  EXPECT_EQ(cluster.image->log_count(), 0u);
  EXPECT_EQ(cluster.image->partition_count(), 0u);
}

TEST(MetadataImage, RefusesIllegalNames) {
  Cluster cluster = Cluster::founded();
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("ü"), std::string("a/b"),
        std::string(250, 'a'), std::string("a\0b", 3)}) {
    EXPECT_EQ(cluster.apply(cluster.creation(1, name)).error(), ErrorCode::kInvalidArgument) << name;
  }
  cluster.must(cluster.creation(1, std::string(249, 'a')));
  cluster.must(cluster.creation(2, "..."));
}

TEST(MetadataImage, RefusesNamesThatMetricsCannotTellApart) {
  Cluster cluster = Cluster::founded();
  cluster.must(cluster.creation(1, "a.b_c"));
  EXPECT_EQ(cluster.apply(cluster.creation(2, "a.b_c")).error(), ErrorCode::kAlreadyExists);
  for (const char* name : {"a_b.c", "a.b.c", "a_b_c"}) {
    EXPECT_EQ(cluster.apply(cluster.creation(2, name)).error(), ErrorCode::kInvalidArgument) << name;
    EXPECT_EQ(cluster.image->find_log(name), nullptr);
    EXPECT_NE(cluster.image->find_colliding(name), nullptr);
  }
  cluster.must(cluster.creation(2, "a-b-c"));
  cluster.must(DeleteLog{log_id(1)});
  cluster.must(cluster.creation(3, "a_b.c"));
}

TEST(MetadataImage, RefusesATakenIdAndAnUnknownOne) {
  Cluster cluster = Cluster::founded();
  cluster.must(cluster.creation(1, "a"));
  EXPECT_EQ(cluster.apply(cluster.creation(1, "b")).error(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(cluster.apply(DeleteLog{log_id(2)}).error(), ErrorCode::kNotFound);
  EXPECT_EQ(cluster.apply(AddPartitions{log_id(2), 1, {{{NodeId(1)}}}}).error(), ErrorCode::kNotFound);
  EXPECT_EQ(cluster.apply(AlterLogSettings{log_id(2), {}}).error(), ErrorCode::kNotFound);
}

TEST(MetadataImage, ChecksPlacements) {
  Cluster cluster = Cluster::founded(2);
  const auto with = [](std::vector<PartitionPlacement> partitions) {
    return CreateLog{log_id(1), "a", std::move(partitions), {}};
  };
  EXPECT_EQ(cluster.apply(with({})).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(cluster.apply(with({{{}}})).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(cluster.apply(with({{{NodeId(3)}}})).error(), ErrorCode::kNotFound);
  EXPECT_EQ(cluster.apply(with({{{NodeId(1), NodeId(2), NodeId(1)}}})).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      cluster.apply(with(std::vector<PartitionPlacement>(limits::kPartitionsPerLogMax + 1, {{NodeId(1)}}))).error(),
      ErrorCode::kOutOfRange);
  EXPECT_EQ(cluster.image->next_incarnation(), Incarnation(1)) << "a refused command leaves no trace";
  cluster.must(with({{{NodeId(2), NodeId(1)}}}));
}

TEST(MetadataImage, BoundsThePartitionsOfTheCluster) {
  Cluster cluster = Cluster::founded();
  const int most = static_cast<int>(limits::kPartitionsPerLogMax);
  std::uint32_t n = 0;
  for (std::size_t left = limits::kPartitionsMax; left > 0; left -= limits::kPartitionsPerLogMax, ++n) {
    cluster.must(cluster.creation(n, "log-" + std::to_string(n), most));
  }
  EXPECT_EQ(cluster.apply(cluster.creation(n, "one-more")).error(), ErrorCode::kLimitExceeded);
  cluster.must(DeleteLog{log_id(0)});
  cluster.must(cluster.creation(n, "one-more"));
}

TEST(MetadataImage, NeverReusesAnIncarnation) {
  Cluster cluster = Cluster::founded();
  std::set<std::uint64_t> seen;
  for (int round = 0; round < 3; ++round) {
    cluster.must(cluster.creation(1, "a", 2));
    cluster.must(AddPartitions{log_id(1), 2, {{{NodeId(1)}}}});
    for (const auto& partition : cluster.image->find_log("a")->partitions) {
      EXPECT_TRUE(seen.insert(partition.incarnation.value).second);
    }
    cluster.must(DeleteLog{log_id(1)});
  }
  EXPECT_EQ(seen.size(), 9u);
  EXPECT_FALSE(seen.contains(0));
}

TEST(MetadataImage, AddsPartitionsOnceOnly) {
  Cluster cluster = Cluster::founded();
  cluster.must(cluster.creation(1, "a", 2));
  const AddPartitions command{log_id(1), 2, {{{NodeId(1)}}, {{NodeId(1)}}}};
  cluster.must(command);
  EXPECT_EQ(cluster.image->find_log("a")->partitions.size(), 4u);
  EXPECT_EQ(cluster.apply(command).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(cluster.image->partition_count(), 4u);
}

TEST(MetadataImage, AStartRaisesTheEpochOfWhatTheNodeLeads) {
  Cluster cluster = Cluster::founded(2);
  cluster.must(NodeStarted{NodeId(1), StartEpoch(2), "r1"});
  cluster.must(CreateLog{log_id(1), "one", {{{NodeId(1)}}}, {}});
  cluster.must(CreateLog{log_id(2), "two", {{{NodeId(2), NodeId(1)}}}, {}});
  EXPECT_EQ(cluster.epoch("one"), LeaderEpoch(0));
  cluster.must(NodeStarted{NodeId(1), StartEpoch(3), "r1"});
  EXPECT_EQ(cluster.epoch("one"), LeaderEpoch(1));
  EXPECT_EQ(cluster.epoch("two"), LeaderEpoch(0));
  cluster.must(CreateLog{log_id(3), "three", {{{NodeId(1)}}}, {}});
  cluster.must(NodeStarted{NodeId(1), StartEpoch(4), "r1"});
  EXPECT_EQ(cluster.epoch("one"), LeaderEpoch(2));
  EXPECT_EQ(cluster.epoch("three"), LeaderEpoch(1));
  EXPECT_EQ(cluster.image->find_node(NodeId(1))->rack, "r1");
}

TEST(MetadataImage, AStartIsCountedOnce) {
  Cluster cluster = Cluster::founded();
  cluster.must(NodeStarted{NodeId(1), StartEpoch(2), ""});
  for (const int epoch : {0, 1, 2, 4, -1, INT32_MAX}) {
    EXPECT_EQ(cluster.apply(NodeStarted{NodeId(1), StartEpoch(epoch), ""}).error(), ErrorCode::kOutOfRange) << epoch;
  }
  EXPECT_EQ(cluster.apply(NodeStarted{NodeId(5), StartEpoch(2), ""}).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(cluster.apply(NodeStarted{NodeId(-1), StartEpoch(1), ""}).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.apply(NodeStarted{NodeId(1), StartEpoch(3), "a\nb"}).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.image->nodes().size(), 1u);
}

TEST(MetadataImage, IsFoundedOnceAndFirst) {
  Cluster cluster;
  EXPECT_EQ(cluster.apply(NodeStarted{NodeId(1), StartEpoch(1), ""}).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.apply(FoundCluster{}).error(), ErrorCode::kInvalidArgument);
  cluster.must(FoundCluster{log_id(7).uuid});
  EXPECT_EQ(cluster.apply(FoundCluster{log_id(8).uuid}).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.image->cluster_id(), log_id(7).uuid);
}

TEST(MetadataImage, AppliesEachIndexOnce) {
  Cluster cluster = Cluster::founded();
  const auto creation = cluster.creation(1, "a");
  EXPECT_EQ(cluster.image->apply(cluster.image->applied_index(), creation).error(), ErrorCode::kOutOfRange);
  const auto later = cluster.image->apply(MetadataIndex(50), creation);
  ASSERT_TRUE(later.ok());
  EXPECT_EQ((*later)->applied_index(), MetadataIndex(50));
}

TEST(MetadataImage, ChangesSettings) {
  Cluster cluster = Cluster::founded();
  auto creation = cluster.creation(1, "a");
  creation.settings = {{"retention.ms", "1"}, {"segment.ms", "2"}};
  cluster.must(creation);
  cluster.must(
      AlterLogSettings{log_id(1), {{"retention.ms", "5"}, {"segment.ms", std::nullopt}, {"absent", std::nullopt}}});
  const Settings& settings = cluster.image->find_log("a")->settings;
  EXPECT_EQ(settings.size(), 1u);
  EXPECT_EQ(*settings.find("retention.ms"), "5");

  cluster.must(AlterNodeSettings{NodeId(1), {{"log.retention.ms", "7"}}});
  cluster.must(AlterNodeSettings{std::nullopt, {{"log.retention.ms", "8"}}});
  EXPECT_EQ(*cluster.image->node_settings(NodeId(1)).find("log.retention.ms"), "7");
  EXPECT_EQ(*cluster.image->default_node_settings().find("log.retention.ms"), "8");
  cluster.must(NodeStarted{NodeId(1), StartEpoch(2), ""});
  EXPECT_EQ(cluster.image->node_settings(NodeId(1)).size(), 1u) << "a start keeps the node's settings";
}

TEST(MetadataImage, BoundsSettings) {
  Cluster cluster = Cluster::founded();
  cluster.must(cluster.creation(1, "a"));
  const auto set = [](std::string name, std::string value) {
    return AlterLogSettings{log_id(1), {{std::move(name), std::move(value)}}};
  };
  EXPECT_EQ(cluster.apply(set("", "1")).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.apply(set("a b", "1")).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.apply(set(std::string(256, 'a'), "1")).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.apply(set("a", std::string(32'768, 'a'))).error(), ErrorCode::kInvalidArgument);
  for (std::size_t i = 0; i < limits::kSettingsPerResourceMax; ++i) cluster.must(set("s" + std::to_string(i), "1"));
  EXPECT_EQ(cluster.apply(set("one-more", "1")).error(), ErrorCode::kLimitExceeded);
}

TEST(MetadataImage, HandsOutDistinctProducerIds) {
  Cluster cluster = Cluster::founded();
  EXPECT_EQ(cluster.image->next_producer_id(), ProducerId(0));
  cluster.must(AllocateProducerIds{NodeId(1), 1000});
  cluster.must(AllocateProducerIds{NodeId(1), 5});
  EXPECT_EQ(cluster.image->next_producer_id(), ProducerId(1005));
  EXPECT_EQ(cluster.apply(AllocateProducerIds{NodeId(2), 5}).error(), ErrorCode::kNotFound);
  EXPECT_EQ(cluster.apply(AllocateProducerIds{NodeId(1), 0}).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(cluster.apply(AllocateProducerIds{NodeId(1), UINT32_MAX}).error(), ErrorCode::kOutOfRange);
}

TEST(MetadataImage, KeepsFeatureLevels) {
  Cluster cluster = Cluster::founded();
  cluster.must(SetFeatureLevel{"b", 2});
  cluster.must(SetFeatureLevel{"a", 1});
  EXPECT_EQ(cluster.image->feature_level("b"), 2);
  EXPECT_EQ(cluster.image->feature_level("c"), 0);
  cluster.must(SetFeatureLevel{"b", 0});
  EXPECT_EQ(cluster.image->features().size(), 1u);
  EXPECT_EQ(cluster.apply(SetFeatureLevel{"", 1}).error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cluster.apply(SetFeatureLevel{"a", -1}).error(), ErrorCode::kOutOfRange);
}

TEST(Placement, TakesNodesInTurn) {
  Cluster cluster = Cluster::founded(3);
  const auto placements = place_partitions(*cluster.image, 3, 2);
  ASSERT_TRUE(placements.ok());
  EXPECT_EQ((*placements)[0].replicas, (std::vector{NodeId(1), NodeId(2)}));
  EXPECT_EQ((*placements)[2].replicas, (std::vector{NodeId(3), NodeId(1)}));
  EXPECT_EQ(place_partitions(*cluster.image, 1, 4).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(place_partitions(*cluster.image, 0, 1).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(place_partitions(*cluster.image, INT32_MAX, 1).error(), ErrorCode::kOutOfRange);
  EXPECT_EQ(place_partitions(*cluster.image, 1, -1).error(), ErrorCode::kOutOfRange);
}

struct IdentityKey {
  static int key(int value) { return value; }
  static std::uint64_t hash(int value) {
    return value % 7 == 0 ? 7u : static_cast<std::uint64_t>(value) << (value % 50);
  }
};

TEST(HashTrie, BehavesAsAMapEvenWhenHashesAreEqual) {
  Random random(3);
  HashTrie<int, IdentityKey> trie;
  std::set<int> model;
  for (int step = 0; step < 20'000; ++step) {
    const int value = static_cast<int>(random.below(400));
    if (random.below(2) == 0) {
      trie = trie.with(value);
      model.insert(value);
    } else {
      trie = trie.without(value);
      model.erase(value);
    }
    ASSERT_EQ(trie.size(), model.size());
    const int probe = static_cast<int>(random.below(400));
    ASSERT_EQ(trie.find(probe) != nullptr, model.contains(probe));
  }
  std::set<int> visited;
  trie.for_each([&](int value) { EXPECT_TRUE(visited.insert(value).second); });
  EXPECT_EQ(visited, model);
}

Cluster busy_cluster(std::uint32_t logs = 300) {
  Cluster cluster = Cluster::founded(3);
  Random random(1);
  for (std::uint32_t n = 0; n < logs; ++n) {
    auto creation =
        CreateLog{log_id(n), "log." + std::to_string(n), place_partitions(*cluster.image, 1 + n % 4, 2).value(), {}};
    if (n % 3 == 0) creation.settings = {{"retention.ms", std::to_string(n)}};
    cluster.must(creation);
    if (n % 5 == 4) cluster.must(DeleteLog{log_id(static_cast<std::uint32_t>(random.below(2)) == 0 ? n : n - 1)});
  }
  cluster.must(NodeStarted{NodeId(2), StartEpoch(2), "b"});
  cluster.must(AlterNodeSettings{std::nullopt, {{"log.retention.ms", "9"}}});
  cluster.must(AlterNodeSettings{NodeId(2), {{"log.retention.ms", "8"}}});
  cluster.must(AllocateProducerIds{NodeId(1), 1000});
  cluster.must(SetFeatureLevel{"metadata.version", 3});
  return cluster;
}

TEST(MetadataSnapshot, HoldsTheWholeImage) {
  const Cluster cluster = busy_cluster();
  const auto bytes = cluster.image->encode_snapshot();
  const auto decoded = MetadataImage::decode_snapshot(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.error().to_string();
  EXPECT_EQ((*decoded)->encode_snapshot(), bytes);
  EXPECT_EQ((*decoded)->log_count(), cluster.image->log_count());
  EXPECT_EQ((*decoded)->partition_count(), cluster.image->partition_count());
  EXPECT_EQ((*decoded)->applied_index(), cluster.image->applied_index());
  cluster.image->for_each_log([&](const LogPtr& log) {
    const LogMetadata* other = (*decoded)->find_log(log->name);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(other->id, log->id);
    EXPECT_EQ(other->partitions, log->partitions);
    EXPECT_EQ(other->settings, log->settings);
    EXPECT_EQ((*decoded)->leader_epoch(other->partitions[0]), cluster.image->leader_epoch(log->partitions[0]));
  });
}

TEST(MetadataSnapshot, IsTheSameForTheSameStateHoweverReached) {
  Cluster a = Cluster::founded(), b = Cluster::founded();
  a.must(a.creation(1, "x"));
  a.must(AlterLogSettings{log_id(1), {{"k", "1"}, {"j", "2"}}});
  b.must(b.creation(1, "x"));
  b.must(AlterLogSettings{log_id(1), {{"j", "2"}, {"k", "1"}}});
  EXPECT_EQ(a.image->encode_snapshot(), b.image->encode_snapshot());
}

TEST(MetadataSnapshot, OfTheEmptyImageIsAnEmptyImage) {
  const auto decoded = MetadataImage::decode_snapshot(MetadataImage().encode_snapshot());
  ASSERT_TRUE(decoded.ok()) << decoded.error().to_string();
  EXPECT_EQ((*decoded)->log_count(), 0u);
}

TEST(MetadataSnapshot, OpensTheGoldenFile) {
  const auto expected = busy_cluster(12).image->encode_snapshot();
  const std::string golden = golden_file(PYRALOG_TESTDATA, "snapshot.v0.bin", as_text(expected));
  const auto decoded = MetadataImage::decode_snapshot(as_bytes(golden));
  ASSERT_TRUE(decoded.ok()) << decoded.error().to_string();
  EXPECT_EQ(as_text((*decoded)->encode_snapshot()), golden);
  EXPECT_EQ((*decoded)->next_producer_id(), ProducerId(1000));
  EXPECT_EQ(*(*decoded)->find_log("log.0")->settings.find("retention.ms"), "0");
  EXPECT_EQ(as_text(expected), golden);
}

TEST(MetadataSnapshot, RefusesDamage) {
  const auto good = busy_cluster().image->encode_snapshot();
  Random random(9);
  for (int round = 0; round < 3000; ++round) {
    auto bytes = good;
    bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1 + random.below(255));
    EXPECT_FALSE(MetadataImage::decode_snapshot(bytes).ok());
    EXPECT_FALSE(MetadataImage::decode_snapshot(ByteView(good).first(random.below(good.size()))).ok());
  }
}

/// Damage under a good checksum, as by a faulty writer: refused, or an image that obeys every rule.
TEST(MetadataSnapshot, AcceptsOnlyConsistentImagesBehindAGoodChecksum) {
  const auto good = busy_cluster().image->encode_snapshot();
  Random random(10);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    auto bytes = good;
    bytes[20 + random.below(bytes.size() - 20)] = static_cast<std::byte>(random.next());
    const ByteView view(bytes);
    store_little(bytes.data() + 16, crc32c(view.subspan(20), crc32c(view.first(16))));
    const auto decoded = MetadataImage::decode_snapshot(bytes);
    if (!decoded.ok()) continue;
    ++accepted;
    EXPECT_EQ((*decoded)->encode_snapshot(), bytes);
    (*decoded)->for_each_log(
        [&](const LogPtr& log) { EXPECT_GE((*decoded)->leader_epoch(log->partitions[0]), LeaderEpoch(0)); });
  }
  EXPECT_GT(accepted, 0) << "ids and values may be anything";
}

}  // namespace
}  // namespace pyralog::cluster
