#include "storage/division.h"

#include <fmt/format.h>

#include <charconv>

#include "io/reactor.h"

namespace pyralog::storage {
namespace {

std::string journal_root(const std::string& data_directory) { return data_directory + "/journal"; }

JournalNames names_of(const StoreOptions& options) {
  return {.directory = fmt::format("{}/{}", journal_root(options.data_directory), options.shard.value),
          .generation = options.generation};
}

std::optional<std::uint64_t> leading_number(const std::string& name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

bool is_file_of_division(const std::string& name) { return name.ends_with(".journal") || name.ends_with(".checkpoint"); }

}  // namespace

io::Task<Result<std::size_t>> DivisionChange::collect(ShardId from) {
  StoreOptions options = options_;
  options.shard = from;
  options.generation = from_.generation;
  // A clean stop leaves all bytes in the segments and everything else in the newest checkpoint.
  {
    PYRALOG_CO_ASSIGN(const auto store, co_await ShardStore::open(options, files_));
    PYRALOG_CO_TRY(co_await store->close());
  }
  files_.clear();
  const JournalNames names = names_of(options);
  CheckpointFiles files(io::Reactor::current(), options, names);
  PYRALOG_CO_ASSIGN(auto checkpoint, co_await files.load());
  if (!checkpoint.has_value() || !checkpoint->clean_stop) {
    co_return Error(ErrorCode::kCorrupt, names.directory + ": the checkpoint just made cannot be read");
  }
  const std::size_t count = checkpoint->partitions.size();
  for (CheckpointPartition& partition : checkpoint->partitions) partitions_.push_back(std::move(partition));
  states_.merge(checkpoint->states);
  co_return count;
}

io::Task<Result<>> DivisionChange::write_shard(ShardId to) {
  StoreOptions options = options_;
  options.shard = to;
  options.generation = to_.generation;
  const JournalNames names = names_of(options);
  PYRALOG_CO_TRY(co_await io::Reactor::current().disk().make_directories(names.directory));
  CheckpointWriter writer(options);
  for (const CheckpointPartition& partition : partitions_) {
    if (shard_of_(partition.incarnation, to_.shards) != to) continue;
    std::vector<std::byte> state;
    partition.state.encode(state);
    writer.add({.incarnation = partition.incarnation,
                .start = partition.start,
                .durability = partition.durability,
                .directory = partition.directory,
                .bounds = partition.cached_bounds,
                .segments = partition.segments,
                .cached = partition.cached,
                .state = state});
  }
  for (const auto& [key, value] : states_) {
    if (shard_of_(key.owner, to_.shards) == to) writer.add(key, value.view());
  }
  CheckpointFiles files(io::Reactor::current(), options, names);
  // The new journals count their rounds from 1.
  std::vector<std::byte> bytes = writer.finish(files.next_sequence(), RoundSequence(0), true);
  co_return co_await files.store(std::move(bytes));
}

io::Task<Result<>> DivisionChange::write() {
  for (std::uint32_t shard = 0; shard < to_.shards; ++shard) PYRALOG_CO_TRY(co_await write_shard(ShardId(shard)));
  co_return co_await io::Reactor::current().disk().sync_directory(journal_root(options_.data_directory));
}

io::Task<Result<>> remove_other_divisions(io::Disk& disk, std::string data_directory, Division current) {
  const std::string root = journal_root(data_directory);
  auto shards = co_await disk.list(root);
  if (!shards.ok()) co_return shards.error() == ErrorCode::kNotFound ? Result<>() : Result<>(shards.error());
  for (const io::DirectoryEntry& shard : *shards) {
    const auto number = leading_number(shard.name);
    if (!shard.is_directory || !number.has_value()) continue;
    const std::string directory = root + "/" + shard.name;
    PYRALOG_CO_ASSIGN(const auto files, co_await disk.list(directory));
    std::size_t kept = 0;
    for (const io::DirectoryEntry& file : files) {
      const bool is_current = *number < current.shards && leading_number(file.name) == current.generation;
      if (is_current || !is_file_of_division(file.name)) {
        ++kept;
        continue;
      }
      PYRALOG_CO_TRY(co_await disk.remove(directory + "/" + file.name));
    }
    if (kept == 0 && *number >= current.shards) PYRALOG_CO_TRY(co_await disk.remove_directory(directory));
  }
  co_return Result<>();
}

}  // namespace pyralog::storage
