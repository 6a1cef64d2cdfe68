#include "cluster/commands.h"

#include <fmt/format.h>

#include <array>
#include <type_traits>

#include "cluster/codec.h"

namespace pyralog::cluster {
namespace {

/// Header of a command: kind, version, bytes of the body.
constexpr std::size_t kBodyBytesAt = 4;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::uint16_t kVersion = 0;  // the newest of every kind, so far

// A command's kind on disk is its place in the variant, plus one: kinds are only ever appended.
constexpr std::array<std::string_view, std::variant_size_v<Command>> kNames = {
    "found-cluster",       "node-started",          "create-log",
    "delete-log",          "add-partitions",        "alter-log-settings",
    "alter-node-settings", "allocate-producer-ids", "set-feature-level"};
static_assert(std::is_same_v<std::variant_alternative_t<0, Command>, FoundCluster>);
static_assert(std::is_same_v<std::variant_alternative_t<8, Command>, SetFeatureLevel>);

struct BodyWriter {
  ByteWriter& out;

  void operator()(const FoundCluster& command) { out.uuid(command.cluster_id); }
  void operator()(const NodeStarted& command) {
    out.integer(command.node.value);
    out.integer(command.epoch.value);
    out.text(command.rack);
  }
  void operator()(const CreateLog& command) {
    out.uuid(command.id.uuid);
    out.text(command.name);
    placements(command.partitions);
    out.settings(command.settings);
  }
  void operator()(const DeleteLog& command) { out.uuid(command.id.uuid); }
  void operator()(const AddPartitions& command) {
    out.uuid(command.id.uuid);
    out.integer(command.partition_count);
    placements(command.partitions);
  }
  void operator()(const AlterLogSettings& command) {
    out.uuid(command.id.uuid);
    out.changes(command.changes);
  }
  void operator()(const AlterNodeSettings& command) {
    out.integer(static_cast<std::uint8_t>(command.node.has_value()));
    out.integer(command.node.value_or(NodeId(0)).value);
    out.changes(command.changes);
  }
  void operator()(const AllocateProducerIds& command) {
    out.integer(command.node.value);
    out.integer(command.count);
  }
  void operator()(const SetFeatureLevel& command) {
    out.text(command.feature);
    out.integer(command.level);
  }

  void placements(const std::vector<PartitionPlacement>& partitions) {
    out.integer(static_cast<std::uint32_t>(partitions.size()));
    for (const PartitionPlacement& partition : partitions) out.replicas(partition.replicas);
  }
};

struct BodyReader {
  ByteReader& in;

  void read(FoundCluster& command) { command.cluster_id = in.uuid(); }
  void read(NodeStarted& command) {
    command.node = NodeId(in.integer<std::int32_t>());
    command.epoch = StartEpoch(in.integer<std::int32_t>());
    command.rack = in.text();
  }
  void read(CreateLog& command) {
    command.id.uuid = in.uuid();
    command.name = in.text();
    command.partitions = placements();
    command.settings = in.settings();
  }
  void read(DeleteLog& command) { command.id.uuid = in.uuid(); }
  void read(AddPartitions& command) {
    command.id.uuid = in.uuid();
    command.partition_count = in.integer<std::uint32_t>();
    command.partitions = placements();
  }
  void read(AlterLogSettings& command) {
    command.id.uuid = in.uuid();
    command.changes = in.changes();
  }
  void read(AlterNodeSettings& command) {
    const auto has_node = in.integer<std::uint8_t>();
    const NodeId node(in.integer<std::int32_t>());
    if (has_node > 1) in.fail(ErrorCode::kCorrupt, "a flag is neither 0 nor 1");
    if (has_node == 0 && node != NodeId(0)) in.fail(ErrorCode::kCorrupt, "a field without meaning is not zero");
    if (has_node == 1) command.node = node;
    command.changes = in.changes();
  }
  void read(AllocateProducerIds& command) {
    command.node = NodeId(in.integer<std::int32_t>());
    command.count = in.integer<std::uint32_t>();
  }
  void read(SetFeatureLevel& command) {
    command.feature = in.text();
    command.level = in.integer<std::int16_t>();
  }

  std::vector<PartitionPlacement> placements() {
    std::vector<PartitionPlacement> partitions;
    const std::size_t count = in.count(kPlacementBytesMin);
    partitions.reserve(count);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) partitions.push_back({in.replicas()});
    return partitions;
  }
};

/// Reads the body of kind `index`, which is a place in the variant.
template <std::size_t kIndex = 0>
Command read_body(std::size_t index, ByteReader& in) {
  if constexpr (kIndex < std::variant_size_v<Command>) {
    if (index != kIndex) return read_body<kIndex + 1>(index, in);
    std::variant_alternative_t<kIndex, Command> command;
    BodyReader{in}.read(command);
    return command;
  } else {
    PYRALOG_ASSERT(false, "kind was checked");
    return {};
  }
}

}  // namespace

std::string_view command_name(const Command& command) { return kNames[command.index()]; }

std::vector<std::byte> encode_command(const Command& command) {
  ByteWriter out;
  out.integer(static_cast<std::uint16_t>(command.index() + 1));
  out.integer(kVersion);
  out.integer(std::uint32_t{0});
  std::visit(BodyWriter{out}, command);
  out.patch(kBodyBytesAt, static_cast<std::uint32_t>(out.size() - kHeaderBytes));
  return std::move(out).take();
}

Result<Command> decode_command(ByteView bytes) {
  if (bytes.size() < kHeaderBytes) return Error(ErrorCode::kTruncated, "metadata command shorter than its header");
  const auto kind = load_little<std::uint16_t>(bytes.data());
  const auto version = load_little<std::uint16_t>(bytes.data() + 2);
  const auto body_bytes = load_little<std::uint32_t>(bytes.data() + kBodyBytesAt);
  if (kind == 0) return Error(ErrorCode::kCorrupt, "metadata command of kind 0");
  if (kind > std::variant_size_v<Command> || version > kVersion) {
    return Error(ErrorCode::kUnsupportedVersion,
                 fmt::format("metadata command of kind {}, version {}: written by a later release", kind, version));
  }
  const ByteView body = bytes.subspan(kHeaderBytes);
  if (body_bytes > body.size()) return Error(ErrorCode::kTruncated, "metadata command is cut short");
  if (body_bytes < body.size()) return Error(ErrorCode::kCorrupt, "metadata command has bytes after its end");

  ByteReader in(body);
  Command command = read_body(kind - 1u, in);
  if (auto finished = in.finish(); !finished.ok()) {
    return finished.error().with_context(fmt::format("metadata command {}", kNames[kind - 1u]));
  }
  return command;
}

}  // namespace pyralog::cluster
