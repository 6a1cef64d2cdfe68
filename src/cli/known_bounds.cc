#include "cli/known_bounds.h"

#include "io/reactor.h"
#include "storage/checkpoint.h"

namespace pyralog::cli {

io::Task<Result<std::map<std::string, storage::LogBounds>>> known_bounds(const server::NodeDirectory& node) {
  std::map<std::string, storage::LogBounds> bounds;
  for (std::uint32_t shard = 0; shard < node.identity().division.shards; ++shard) {
    const storage::StoreOptions options{.data_directory = node.path(), .disk_uuid = node.identity().disk_uuid,
                                        .shard = ShardId(shard),
                                        .generation = node.identity().division.generation};
    const storage::JournalNames names{.directory = node.path() + "/journal/" + std::to_string(shard),
                                      .generation = options.generation};
    storage::CheckpointFiles files(io::Reactor::current(), options, names);
    PYRALOG_CO_ASSIGN(const auto checkpoint, co_await files.load());
    if (!checkpoint.has_value() || !checkpoint->clean_stop) continue;
    for (const storage::CheckpointPartition& partition : checkpoint->partitions) {
      // A segment that was begun and has nothing yet has no file either.
      auto last = partition.segments.rbegin();
      while (last != partition.segments.rend() && last->end == 0) ++last;
      const std::uint64_t end_position = last == partition.segments.rend() ? 0 : last->end;
      bounds[partition.directory] = {.end = partition.state.log_end(), .end_position = end_position};
    }
  }
  co_return std::move(bounds);
}

}  // namespace pyralog::cli
