#include "server/node_directory.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <toml++/toml.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "server/shard_of.h"
#include "storage/read_bytes.h"

namespace pyralog::server {
namespace {

constexpr std::uint64_t kIdentityBytesMax = 64u << 10;

std::optional<Uuid> parse_uuid(std::string_view hex) {
  Uuid uuid;
  if (hex.size() != 2 * uuid.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const char c = hex[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    uuid.bytes[i / 2] = static_cast<std::uint8_t>(uuid.bytes[i / 2] << 4 | digit);
  }
  return uuid;
}

std::string hex(const Uuid& uuid) {
  std::string text;
  for (const std::uint8_t byte : uuid.bytes) text += fmt::format("{:02x}", byte);
  return text;
}

/// toml++ throws; nothing of that leaves this function.
Result<toml::table> parse_table(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Error(ErrorCode::kCorrupt, std::string(error.description()));
  }
}

Result<NodeIdentity> parse_identity(std::string_view text) {
  PYRALOG_ASSIGN(const toml::table table, parse_table(text));
  const auto version = table["format_version"].value<std::int64_t>();
  if (!version.has_value()) return Error(ErrorCode::kCorrupt, "format_version is missing");
  if (*version > NodeIdentity::kFormatVersion) {
    return Error(ErrorCode::kUnsupportedVersion,
                 fmt::format("written in format {} by a later release; this one reads up to {}", *version,
                             NodeIdentity::kFormatVersion));
  }
  const auto node = table["node_id"].value<std::int64_t>();
  const auto disk = parse_uuid(table["disk_uuid"].value_or(std::string_view()));
  const auto shards = table["shards"].value<std::int64_t>();
  if (!node.has_value() || *node < 0 || *node > INT32_MAX || !disk.has_value() || !shards.has_value() || *shards < 1 ||
      *shards > UINT16_MAX) {
    return Error(ErrorCode::kCorrupt, "node_id, disk_uuid or shards is missing or wrong");
  }
  NodeIdentity identity{.node = NodeId(static_cast<std::int32_t>(*node)), .disk_uuid = *disk};
  identity.division.shards = static_cast<std::uint32_t>(*shards);
  const auto generation = table["generation"].value<std::int64_t>();
  if (*version > 1 && !generation.has_value()) return Error(ErrorCode::kCorrupt, "generation is missing");
  if (generation.has_value() && *generation < 1) return Error(ErrorCode::kCorrupt, "generation is wrong");
  identity.division.generation = static_cast<std::uint64_t>(generation.value_or(1));
  if (const auto cluster = table["cluster_id"].value<std::string_view>()) {
    const auto uuid = parse_uuid(*cluster);
    if (!uuid.has_value()) return Error(ErrorCode::kCorrupt, "cluster_id is wrong");
    identity.cluster_id = *uuid;
  }
  return identity;
}

std::string render(const NodeIdentity& identity) {
  const bool is_first = identity.division.generation == 1;
  std::string text = fmt::format(
      "# The identity of this data directory. Written by pyralog; do not edit or copy.\n"
      "format_version = {}\nnode_id = {}\ndisk_uuid = \"{}\"\nshards = {}\n",
      is_first ? 1 : NodeIdentity::kFormatVersion, identity.node.value, hex(identity.disk_uuid), identity.division.shards);
  if (!is_first) text += fmt::format("generation = {}\n", identity.division.generation);
  if (!identity.cluster_id.is_zero()) text += fmt::format("cluster_id = \"{}\"\n", hex(identity.cluster_id));
  return text;
}

}  // namespace

io::Task<Result<std::unique_ptr<NodeDirectory>>> NodeDirectory::open(io::Disk& disk, std::string path,
                                                                     std::optional<NodeId> node, std::uint32_t shards,
                                                                     Random& random) {
  if (auto made = co_await disk.make_directories(path); !made.ok()) {
    co_return made.error().with_context("data directory " + path + " cannot be made");
  }
  std::unique_ptr<NodeDirectory> directory(new NodeDirectory(disk, std::move(path)));
  auto lock = co_await disk.lock_directory(directory->path_);
  if (!lock.ok()) co_return lock.error().with_context("data directory " + directory->path_);
  directory->lock_ = std::move(*lock);
  PYRALOG_CO_ASSIGN(const bool exists, co_await disk.exists(directory->file()));
  if (exists) {
    PYRALOG_CO_TRY(co_await directory->read());
  } else {
    PYRALOG_CO_TRY(co_await directory->found(node, shards, random));
  }
  const NodeIdentity& identity = directory->identity_;
  if (node.has_value() && *node != identity.node) {
    co_return Error(ErrorCode::kForeign,
                    fmt::format("data directory {} is node {}'s, not node {}'s: use that id or another "
                                "directory",
                                directory->path_, identity.node.value, node->value));
  }
  co_return std::move(directory);
}

io::Task<Result<>> NodeDirectory::read() {
  auto bytes = co_await storage::read_whole_file(disk_, file(), kIdentityBytesMax);
  if (!bytes.ok()) co_return bytes.error().with_context(file());
  auto identity = parse_identity(as_text(bytes->view()));
  if (!identity.ok()) {
    const bool is_damaged = identity.error() == ErrorCode::kCorrupt;
    const std::string remedy = is_damaged ? "; restore the file as it was, it is hardly ever written" : "";
    co_return Error(identity.error().code(), file() + ": " + identity.error().detail() + remedy);
  }
  identity_ = *identity;
  co_return Result<>();
}

io::Task<Result<>> NodeDirectory::found(std::optional<NodeId> node, std::uint32_t shards, Random& random) {
  PYRALOG_CO_ASSIGN(const auto entries, co_await disk_.list(path_));
  for (const auto& entry : entries) {
    if (entry.name == "journal" || entry.name == "logs" || entry.name == "meta") {
      co_return Error(ErrorCode::kForeign,
                      fmt::format("data directory {} holds \"{}\" but no node.toml: restore that file, "
                                  "or use an empty directory",
                                  path_, entry.name));
    }
  }
  NodeIdentity identity{.node = node.value_or(NodeId(1)), .disk_uuid = random.uuid()};
  identity.division.shards = shards;
  PYRALOG_CO_TRY(co_await write(identity));
  // Its own name, and those of the directories above that may be as new.
  for (std::filesystem::path level = path_; level.has_relative_path(); level = level.parent_path()) {
    const std::filesystem::path above = level.parent_path();
    auto synced = co_await disk_.sync_directory(above.empty() ? std::string(".") : above.string());
    if (!synced.ok() && level == path_) co_return synced.error().with_context(path_);
    if (!synced.ok()) break;  // one that we may not open is none that we made
  }
  co_return Result<>();
}

io::Task<Result<>> NodeDirectory::join_cluster(const Uuid& cluster_id) {
  if (identity_.cluster_id == cluster_id) co_return Result<>();
  if (!identity_.cluster_id.is_zero()) {
    co_return Error(ErrorCode::kForeign,
                    fmt::format("{} names cluster {}, the metadata beside it cluster {}: restore what was changed", file(),
                                identity_.cluster_id.to_string(), cluster_id.to_string()));
  }
  NodeIdentity identity = identity_;
  identity.cluster_id = cluster_id;
  co_return co_await write(identity);
}

io::Task<Result<>> NodeDirectory::divide(std::uint32_t shards, storage::StoreOptions options, storage::FileCache& files) {
  const storage::Division from = identity_.division;
  // The identity that was read may be in the page cache alone, and what an older one needs is about to go.
  PYRALOG_CO_TRY(co_await disk_.sync_directory(path_));
  // What a change left behind, whether it was completed or cut short.
  PYRALOG_CO_TRY(co_await storage::remove_other_divisions(disk_, path_, from));
  if (shards == from.shards) co_return Result<>();
  const storage::Division to{.shards = shards, .generation = from.generation + 1};
  spdlog::info("storage: {} shards instead of {}: moving the journals of {} into the segments", shards, from.shards, path_);
  storage::DivisionChange change(std::move(options), from, to, &shard_of, files);
  for (std::uint32_t shard = 0; shard < from.shards; ++shard) {
    auto count = co_await change.collect(ShardId(shard));
    if (!count.ok()) co_return count.error().with_context(fmt::format("shard {} of {}", shard, from.shards));
    spdlog::info("storage: shard {} of {} done: {} partitions", shard + 1, from.shards, *count);
  }
  PYRALOG_CO_TRY(co_await change.write());
  NodeIdentity identity = identity_;
  identity.division = to;
  PYRALOG_CO_TRY(co_await write(identity));
  spdlog::info("storage: {} is divided among {} shards now", path_, shards);
  co_return co_await storage::remove_other_divisions(disk_, path_, to);
}

io::Task<Result<>> NodeDirectory::write(NodeIdentity identity) {
  const std::string text = render(identity);
  const std::string temporary = file() + ".new";
  io::OpenOptions options{.existence = io::Existence::kMayCreate};
  {
    PYRALOG_CO_ASSIGN(auto opened, co_await disk_.open(temporary, options));
    PYRALOG_CO_TRY(co_await opened->truncate(0));
    std::vector<ByteView> pieces{as_bytes(text)};
    PYRALOG_CO_TRY(co_await opened->write_and_sync(0, std::move(pieces)));
  }
  PYRALOG_CO_TRY(co_await disk_.rename(temporary, file()));
  PYRALOG_CO_TRY(co_await disk_.sync_directory(path_));
  identity_ = identity;
  co_return Result<>();
}

std::optional<std::uint32_t> recorded_shards(const std::string& directory) {
  std::ifstream file(directory + "/node.toml");
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return std::nullopt;
  const auto identity = parse_identity(text.str());
  return identity.ok() ? std::optional(identity->division.shards) : std::nullopt;
}

}  // namespace pyralog::server
