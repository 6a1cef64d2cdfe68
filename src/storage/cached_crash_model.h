#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "io/virtual_disk.h"
#include "storage/crash_model.h"
#include "storage/file_names.h"
#include "storage/shard_store.h"

/// What logs of the cached class may be found to be after a crash, for their simulation.
namespace pyralog::storage::crash::cached {

inline StoreGeometry cached_geometry() {
  StoreGeometry geometry = shrunk_geometry();
  // Its entries are larger than most rounds there, and its bytes in no journal.
  geometry.journal_file_bytes = 16 << 10;
  geometry.journal_first_file_bytes = 16 << 10;
  geometry.journal_bytes_max = 5 * (16 << 10);
  geometry.round_bytes_max = 8 << 10;
  geometry.dirty_bytes_max = 16 << 10;
  geometry.write_cache_bytes_max = 4 << 10;
  geometry.checkpoint_delay_max = std::chrono::milliseconds(300);
  return geometry;
}

/// What a log may be found to be after a crash.
struct Expected {
  struct Batch {
    Offset end;
    Bytes bytes;
    LogPosition end_position;
    std::int32_t epoch;
  };
  std::map<Offset, Batch> batches;  // by base; those deleted from the front included
  Offset start, end;
  Offset promised;  // below: survives a power cut
  Offset written;   // below: survives the process
  DurabilityClass durability = DurabilityClass::kCached;
  // Under way, so it may have happened or not.
  std::optional<Offset> truncation, deletion;
  std::optional<DurabilityClass> other_class;
  bool has_rot = false;  // in one of its segments: it may end there; no checksum covers offset and epoch

  void cut(Offset at) {
    batches.erase(batches.lower_bound(at), batches.end());
    end = at;
  }
};

/// Compares what a start found with what was to be expected, and goes on from what is there.
class Checker {
 public:
  explicit Checker(io::VirtualDisk& disk) : disk_(disk) {}

  std::string error;  ///< the first thing that is wrong
  std::uint64_t lost_batches = 0;

  void fail(std::string why) {
    if (error.empty()) error = std::move(why);
  }

  void check(ShardStore& store, Incarnation incarnation, Expected& expected, bool lost_power) {
    const PartitionFiles* partition = store.find(incarnation);
    if (partition == nullptr) {
      fail("a partition is missing");
      return;
    }
    const std::string name = "partition " + std::to_string(incarnation.value) + " [" +
                             std::to_string(partition->start().value) + ", " + std::to_string(partition->log_end().value) + ")";
    const bool start_fits = partition->start() == expected.start || partition->start() == expected.deletion;
    if (!start_fits) fail(name + " starts elsewhere, not at " + std::to_string(expected.start.value));
    if (partition->durability() != expected.durability && partition->durability() != expected.other_class) {
      fail(name + " has another class");
    }
    Offset promised = expected.has_rot ? expected.start : lost_power ? expected.promised : expected.written;
    if (expected.truncation.has_value()) promised = std::min(promised, *expected.truncation);
    if (partition->log_end() < promised) fail(name + " lost what was promised, up to " + std::to_string(promised.value));
    if (partition->durable_end() != partition->log_end()) fail(name + " recovered what is not durable");
    const Bytes bytes = read(*partition);
    Offset next = partition->segments().front().base;
    std::int32_t epoch = -1;
    for (std::size_t at = 0; at < bytes.size() && error.empty();) {
      const auto batch = expected.batches.find(next);
      const ByteView rest = ByteView(bytes).subspan(at);
      if (batch == expected.batches.end() || batch->second.bytes.size() > rest.size() ||
          !std::equal(batch->second.bytes.begin(), batch->second.bytes.end(), rest.begin())) {
        fail(name + " has what was never appended at offset " + std::to_string(next.value));
        return;
      }
      at += batch->second.bytes.size();
      next = batch->second.end;
      epoch = batch->second.epoch;
    }
    if (!bytes.empty() && !expected.has_rot && next != partition->log_end()) fail(name + " ends elsewhere than its batches");
    const bool has_records = epoch >= 0 && partition->log_end() > partition->start();
    const bool has_epoch = partition->state().epochs().latest() == LeaderEpoch(epoch);
    if (has_records && !expected.has_rot && !has_epoch) fail(name + " has another epoch");
    for (const auto& [base, batch] : expected.batches) lost_batches += base >= partition->log_end() ? 1 : 0;
    expected.cut(std::max(partition->log_end(), partition->start()));
    expected.start = partition->start();
    expected.durability = partition->durability();
    expected.promised = expected.written = expected.end;
    expected.truncation.reset();
    expected.deletion.reset();
    expected.other_class.reset();
    place_again(*partition, expected);
  }

 private:
  Bytes read(const PartitionFiles& partition) {
    Bytes bytes;
    std::vector<StoredPart> parts;
    for (const Segment& segment : partition.segments()) {
      const std::size_t before = bytes.size();
      partition.locate(segment.base, 0, UINT64_MAX, parts);
      const std::string path = file_path("data/" + partition.directory(), segment.base, FileKind::kLog, segment.edition);
      const Bytes file = disk_.has(path) ? disk_.contents(path) : Bytes();
      for (const StoredPart& part : parts) {
        const ByteView from = part.slice.empty() ? ByteView(file) : part.slice.view();
        const std::uint64_t begin = part.slice.empty() ? part.position : 0;
        if (begin + part.bytes > from.size()) break;
        bytes.insert(bytes.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
                     from.begin() + static_cast<std::ptrdiff_t>(begin + part.bytes));
      }
      if (bytes.size() - before != segment.end) fail("a log has a hole");
    }
    return bytes;
  }

  /// Where the batches that are left lie.
  static void place_again(const PartitionFiles& partition, Expected& expected) {
    for (const Segment& segment : partition.segments()) {
      std::uint64_t position = 0;
      auto batch = expected.batches.find(segment.base);
      for (; batch != expected.batches.end() && position < segment.end; ++batch) {
        position += batch->second.bytes.size();
        batch->second.end_position = {segment.base, position};
      }
    }
  }

  io::VirtualDisk& disk_;
};

}  // namespace pyralog::storage::crash::cached
