#include <fmt/format.h>

#include <algorithm>

#include "cluster/codec.h"
#include "cluster/image_checks.h"
#include "cluster/log_name.h"
#include "cluster/metadata_image.h"
#include "core/checksum.h"
#include "core/limits.h"

namespace pyralog::cluster {
namespace {

// Header: magic, version, zero, bytes of the body, CRC-32C of what stands before it and of the body.
constexpr std::uint32_t kMagic = 0x494D5950;  // "PYMI" in the file
constexpr std::uint16_t kVersion = 0;
constexpr std::size_t kBodyBytesAt = 8;
constexpr std::size_t kChecksumAt = 16;
constexpr std::size_t kHeaderBytes = 20;

constexpr std::size_t kNodeBytesMin = 4 + 4 + 2 + 4;
constexpr std::size_t kFeatureBytesMin = 2 + 2;
constexpr std::size_t kPartitionBytesMin = 8 + 4 + kPlacementBytesMin;
constexpr std::size_t kLogBytesMin = 16 + 2 + 4 + 4 + kPartitionBytesMin;

std::uint32_t checksum(ByteView bytes) { return crc32c(bytes.subspan(kHeaderBytes), crc32c(bytes.first(kChecksumAt))); }

std::span<const Setting> span_of(const Settings& settings) { return {settings.begin(), settings.end()}; }

}  // namespace

std::vector<std::byte> MetadataImage::encode_snapshot() const {
  ByteWriter out;
  out.integer(kMagic);
  out.integer(kVersion);
  out.integer(std::uint16_t{0});
  out.integer(std::uint64_t{0});
  out.integer(std::uint32_t{0});

  out.uuid(cluster_id_);
  out.integer(applied_index_.value);
  out.integer(next_producer_id_.value);
  out.integer(next_incarnation_.value);
  out.integer(static_cast<std::uint32_t>(features_.size()));
  for (const FeatureLevel& feature : features_) {
    out.text(feature.name);
    out.integer(feature.level);
  }
  out.settings(span_of(default_node_settings()));
  out.integer(static_cast<std::uint32_t>(nodes().size()));
  for (const NodeMetadata& node : nodes()) {
    out.integer(node.id.value);
    out.integer(node.start_epoch.value);
    out.text(node.rack);
    out.settings(span_of(node.settings));
  }
  out.integer(static_cast<std::uint32_t>(log_count()));
  for (const LogPtr& log : logs_by_name()) {
    out.uuid(log->id.uuid);
    out.text(log->name);
    out.settings(span_of(log->settings));
    out.integer(static_cast<std::uint32_t>(log->partitions.size()));
    for (const PartitionMetadata& partition : log->partitions) {
      out.integer(partition.incarnation.value);
      out.integer(partition.epoch_offset);
      out.replicas(partition.replicas);
    }
  }

  out.patch(kBodyBytesAt, static_cast<std::uint64_t>(out.size() - kHeaderBytes));
  out.patch(kChecksumAt, checksum(out.view()));
  return std::move(out).take();
}

/// Rebuilds an image from a snapshot's body. What it reads has a good checksum, but it checks as if it had none: the
/// writer may have been wrong too.
class SnapshotDecoder {
 public:
  explicit SnapshotDecoder(ByteView body) : in_(body) {}

  Result<ImagePtr> decode() {
    image_.cluster_id_ = in_.uuid();
    image_.applied_index_ = MetadataIndex(in_.integer<std::uint64_t>());
    image_.next_producer_id_ = ProducerId(in_.integer<std::int64_t>());
    image_.next_incarnation_ = Incarnation(in_.integer<std::uint64_t>());
    if (image_.next_producer_id_.value < 0) in_.fail(ErrorCode::kCorrupt, "the next producer id is negative");
    features();
    image_.default_node_settings_ = std::make_shared<const Settings>(settings());
    nodes();
    for (std::size_t left = in_.count(kLogBytesMin); left > 0 && !in_.failed(); --left) log();
    check_incarnations();
    PYRALOG_TRY(in_.finish());
    return std::make_shared<const MetadataImage>(std::move(image_));
  }

 private:
  void require(const Result<>& check) {
    if (check.ok() || in_.failed()) return;  // the first failure's detail must stay
    detail_ = check.error().detail();
    in_.fail(ErrorCode::kCorrupt, detail_);
  }

  Settings settings() {
    const std::vector<Setting> stored = in_.settings();
    for (const Setting& setting : stored) require(check_setting(setting.name, setting.value));
    Settings settings(stored);
    if (!std::ranges::equal(settings, stored)) in_.fail(ErrorCode::kCorrupt, "settings are out of order");
    return settings;
  }

  void features() {
    for (std::size_t left = in_.count(kFeatureBytesMin); left > 0 && !in_.failed(); --left) {
      FeatureLevel feature;
      feature.name = in_.text();
      feature.level = in_.integer<std::int16_t>();
      require(check_label("a feature's name", feature.name));
      if (feature.name.empty() || feature.level <= 0) in_.fail(ErrorCode::kCorrupt, "a feature without name or level");
      if (!image_.features_.empty() && feature.name <= image_.features_.back().name) {
        in_.fail(ErrorCode::kCorrupt, "features are out of order");
      }
      image_.features_.push_back(std::move(feature));
    }
    if (image_.features_.size() > limits::kFeaturesMax) in_.fail(ErrorCode::kCorrupt, "too many features");
  }

  void nodes() {
    std::vector<NodeMetadata> nodes;
    for (std::size_t left = in_.count(kNodeBytesMin); left > 0 && !in_.failed(); --left) {
      NodeMetadata node;
      node.id = NodeId(in_.integer<std::int32_t>());
      node.start_epoch = StartEpoch(in_.integer<std::int32_t>());
      node.rack = in_.text();
      node.settings = settings();
      require(check_label("a rack", node.rack));
      if (node.id.value < 0 || node.start_epoch.value < 1)
        in_.fail(ErrorCode::kCorrupt, "a node's id or epoch is out of range");
      if (!nodes.empty() && node.id <= nodes.back().id) in_.fail(ErrorCode::kCorrupt, "nodes are out of order");
      nodes.push_back(std::move(node));
    }
    if (nodes.size() > limits::kNodesMax) in_.fail(ErrorCode::kCorrupt, "too many nodes");
    image_.nodes_ = std::make_shared<const std::vector<NodeMetadata>>(std::move(nodes));
  }

  void log() {
    LogMetadata log;
    log.id.uuid = in_.uuid();
    log.name = in_.text();
    log.settings = settings();
    const std::size_t count = in_.count(kPartitionBytesMin);
    if (count == 0 || count > limits::kPartitionsPerLogMax)
      in_.fail(ErrorCode::kCorrupt, "a log's partition count is out of range");
    for (std::size_t i = 0; i < count && !in_.failed(); ++i) log.partitions.push_back(partition());
    require(check_log_name(log.name));
    if (in_.failed()) return;

    if (log.name <= previous_name_) in_.fail(ErrorCode::kCorrupt, "logs are out of order");
    if (image_.find_colliding(log.name) != nullptr) in_.fail(ErrorCode::kCorrupt, "two logs have colliding names");
    if (log.id.is_zero() || image_.find_log(log.id) != nullptr)
      in_.fail(ErrorCode::kCorrupt, "a log's id is zero or taken");
    if (in_.failed()) return;
    previous_name_ = log.name;
    image_.partition_count_ += log.partitions.size();
    if (image_.partition_count_ > limits::kPartitionsMax) in_.fail(ErrorCode::kCorrupt, "too many partitions");
    auto shared = std::make_shared<const LogMetadata>(std::move(log));
    image_.by_name_ = image_.by_name_.with(shared);
    image_.by_id_ = image_.by_id_.with(std::move(shared));
  }

  PartitionMetadata partition() {
    PartitionMetadata partition;
    partition.incarnation = Incarnation(in_.integer<std::uint64_t>());
    partition.epoch_offset = in_.integer<std::int32_t>();
    partition.replicas = in_.replicas();
    if (in_.failed()) return partition;
    require(check_replicas(image_, partition.replicas));
    if (in_.failed()) return partition;
    const std::int64_t epoch =
        std::int64_t{image_.find_node(partition.leader())->start_epoch.value} + partition.epoch_offset;
    if (epoch < 0 || epoch > INT32_MAX) in_.fail(ErrorCode::kCorrupt, "a leader epoch is out of range");
    incarnations_.push_back(partition.incarnation);
    return partition;
  }

  void check_incarnations() {
    std::ranges::sort(incarnations_);
    const bool distinct = std::ranges::adjacent_find(incarnations_) == incarnations_.end();
    const bool known = incarnations_.empty() ||
                       (incarnations_.front() > Incarnation(0) && incarnations_.back() < image_.next_incarnation_);
    if (!distinct || !known) in_.fail(ErrorCode::kCorrupt, "a partition's incarnation is out of range or taken");
  }

  ByteReader in_;
  MetadataImage image_;
  std::string previous_name_;
  std::vector<Incarnation> incarnations_;
  std::string detail_;
};

Result<ImagePtr> MetadataImage::decode_snapshot(ByteView bytes) {
  if (bytes.size() < kHeaderBytes) return Error(ErrorCode::kTruncated, "metadata snapshot shorter than its header");
  if (load_little<std::uint32_t>(bytes.data()) != kMagic) return Error(ErrorCode::kCorrupt, "not a metadata snapshot");
  const auto version = load_little<std::uint16_t>(bytes.data() + 4);
  if (version > kVersion) {
    return Error(ErrorCode::kUnsupportedVersion,
                 fmt::format("metadata snapshot of version {}: written by a later release", version));
  }
  const auto body_bytes = load_little<std::uint64_t>(bytes.data() + kBodyBytesAt);
  const ByteView body = bytes.subspan(kHeaderBytes);
  if (body_bytes > body.size()) return Error(ErrorCode::kTruncated, "metadata snapshot is cut short");
  if (body_bytes < body.size()) return Error(ErrorCode::kCorrupt, "metadata snapshot has bytes after its end");
  if (load_little<std::uint32_t>(bytes.data() + kChecksumAt) != checksum(bytes)) {
    return Error(ErrorCode::kCorrupt, "metadata snapshot: bad checksum");
  }
  auto image = SnapshotDecoder(body).decode();
  if (!image.ok()) return image.error().with_context("metadata snapshot");
  return image;
}

}  // namespace pyralog::cluster
