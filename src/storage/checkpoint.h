#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/disk.h"
#include "io/reactor.h"
#include "storage/journal.h"
#include "storage/partition_files.h"
#include "storage/planted.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

namespace checkpoint_format {

inline constexpr std::uint64_t kMagic = 0x314B434352525950;  // "PYRRCCK1" in file order
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kCrcAt = 8;
inline constexpr std::size_t kCoveredAt = 12;  ///< to the end; with the version, so that rot there is not taken for a release
inline constexpr std::size_t kLengthAt = 16;
inline constexpr std::size_t kHeaderBytes = 96;
inline constexpr std::uint32_t kCleanStopFlag = 1;
/// More than this is no checkpoint of ours: 10,000 partitions take some 2 MB.
inline constexpr std::uint64_t kBytesMax = 1u << 30;

}  // namespace checkpoint_format

/// One partition in a checkpoint, as of its `shown` round.
struct CheckpointPartition {
  Incarnation incarnation;
  std::string directory;
  DurabilityClass durability = DurabilityClass::kDurable;
  CachedBounds cached_bounds;
  RoundSequence redo;
  Offset start;
  std::vector<Segment> segments;
  std::optional<CachedMark> cached;
  LogState state;
};

/// A partition's entry, in a checkpoint or in a PARTITION of the journal, wherever its parts are.
struct PartitionEntry {
  /// Of a partition whose segments have everything: it needs no round that is there now.
  static constexpr RoundSequence kNoRedo{UINT64_MAX};

  Incarnation incarnation;
  RoundSequence redo = kNoRedo;
  Offset start;
  DurabilityClass durability{};
  std::string_view directory;
  CachedBounds bounds;
  std::span<const Segment> segments;
  std::optional<CachedMark> cached;
  ByteView state;  ///< at cached->scan_from, if there is that; else at the log's end

  /// As the partition is now, but for its state.
  static PartitionEntry of(const PartitionFiles& partition);
  void encode(std::vector<std::byte>& out) const;
};

/// Reads what PartitionEntry::encode wrote and moves `bytes` behind it. kCorrupt, kUnsupportedVersion.
Result<CheckpointPartition> decode_partition(ByteView& bytes);

/// What a shard's journal need not be read for (storage.md §3).
struct Checkpoint {
  std::uint64_t sequence = 0;  ///< of checkpoints
  RoundSequence shown;         ///< newest round whose effects this holds
  RoundSequence redo_from;
  bool clean_stop = false;     ///< nothing was written after this
  std::vector<CheckpointPartition> partitions;
  std::map<StateKey, Slice> states;

  static Result<Checkpoint> decode(ByteView file, const StoreOptions& expected);
};

/// Writes a checkpoint field by field, straight from what the store has in memory.
class CheckpointWriter {
 public:
  explicit CheckpointWriter(const StoreOptions& options) : options_(options) { out_.resize(checkpoint_format::kHeaderBytes); }

  void add(const PartitionEntry& partition);
  void add(StateKey key, ByteView value);

  RoundSequence redo_from(RoundSequence shown) const noexcept {
    RoundSequence from = lowest_redo_.value_or(RoundSequence(shown.value + 1));
    if (planted(Bug::kRedoFromTooHigh) && from <= shown) from.value += 1;
    return from;
  }
  /// The whole file, padded to whole blocks.
  std::vector<std::byte> finish(std::uint64_t sequence, RoundSequence shown, bool clean_stop);

 private:
  const StoreOptions& options_;
  std::vector<std::byte> out_;
  std::vector<std::byte> states_;
  std::optional<RoundSequence> lowest_redo_;
  std::uint32_t partitions_count_ = 0;
  std::uint32_t states_count_ = 0;
};

/// The two checkpoint files of a shard. The newest valid one is never overwritten.
class CheckpointFiles {
 public:
  CheckpointFiles(io::Reactor& reactor, const StoreOptions& options, const JournalNames& names)
      : reactor_(reactor), options_(options), names_(names) {}

  /// Syncs both, reads both past the page cache, and takes the newer valid one; nothing if there is none. Damage is not an
  /// error here: see `damage`. kForeign, kUnsupportedVersion, kIo.
  io::Task<Result<std::optional<Checkpoint>>> load();
  /// What is wrong with a file, if anything is: the newest one may have been cut off by a crash.
  const std::optional<Error>& damage() const noexcept { return damage_; }

  /// Sequence for the next checkpoint.
  std::uint64_t next_sequence() const noexcept { return sequence_ + 1; }
  /// Writes and syncs a file made by CheckpointWriter::finish(next_sequence(), ...).
  io::Task<Result<>> store(std::vector<std::byte> file);

 private:
  io::Task<Result<std::vector<std::byte>>> read_file(unsigned which);

  io::Reactor& reactor_;
  const StoreOptions& options_;
  const JournalNames& names_;
  std::optional<Error> damage_;
  std::uint64_t sequence_ = 0;
  unsigned newest_ = 1;
  bool names_durable_[2] = {false, false};
};

}  // namespace pyralog::storage
