#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/slice.h"
#include "io/chunk_pool.h"
#include "io/sync.h"
#include "storage/journal_format.h"
#include "storage/partition_files.h"

namespace pyralog::storage {

/// Memory for small payloads, which are copied so that they do not pin the chunk they arrived in. Copies of one round lie in
/// a row, from a sector's start, and are written to the journal from there.
class CopyArena {
 public:
  static constexpr std::size_t kChunkBytes = 256u << 10;

  CopyArena(io::ChunkPool& chunks, std::size_t sector_bytes, std::size_t round_bytes_max)
      : chunks_(chunks), sector_bytes_(sector_bytes), chunk_bytes_(std::min(kChunkBytes, round_bytes_max)) {}

  /// A copy of `bytes`, right behind the round's previous copy where the chunk allows.
  Slice copy(ByteView bytes);

  std::size_t run_count() const noexcept { return runs_.size() + (used_ > run_begin_ ? 1 : 0); }
  /// The runs of copies since the last call, each of whole sectors, in order.
  std::vector<Slice> take_runs();
  /// Lets go of a chunk that nobody else needs.
  void release_idle() { chunk_ = {}, used_ = run_begin_ = 0; }

 private:
  void close_run();

  io::ChunkPool& chunks_;
  Slice chunk_;
  std::size_t used_ = 0;
  std::size_t run_begin_ = 0;
  std::vector<Slice> runs_;
  std::size_t sector_bytes_;
  std::size_t chunk_bytes_;
};

/// What one round will hold, collected while the round before it is under way (storage.md §1–2).
class Round {
 public:
  /// What the round brings to one partition.
  struct Touched {
    PartitionFiles* partition = nullptr;
    LogPosition data_begin;         ///< where the run of appends to the active segment began
    LogPosition end;                ///< of the log, with this round
    Offset log_end;
    std::uint64_t data_bytes = 0;   ///< of that run
    bool has_change = false;        ///< TRUNCATE, START or DELETE: no body in this round
  };
  struct Entry {
    Descriptor descriptor;
    Slice payload;
    bool copied = false;      ///< the payload lies in one of the runs
    std::uint32_t row = 0;    ///< of `touched`, for what needs its partition
  };

  explicit Round(RoundSequence sequence) : sequence_(sequence) {}

  RoundSequence sequence() const noexcept { return sequence_; }
  bool empty() const noexcept { return entries_.empty(); }
  std::vector<Entry>& entries() noexcept { return entries_; }
  std::vector<Touched>& touched() noexcept { return touched_; }
  io::WaitList& waiters() noexcept { return waiters_; }

  /// Upper bound of the round's length in the journal, `more` payload bytes in one more entry included.
  std::uint64_t bytes_bound(std::uint64_t more, std::uint64_t sector_bytes, std::uint64_t block_bytes) const noexcept;

  void add(Descriptor descriptor, Slice payload, bool copied, std::uint64_t row = 0);
  /// The partition's row, made at first use.
  Touched& touch(PartitionFiles& partition, std::uint64_t& index, RoundSequence& in_round);

  /// Counts `bytes` that an entry gets only when the round is sealed.
  void reserve(std::uint64_t bytes) noexcept { payload_bytes_ += bytes, ++entries_in_line_; }

  /// The memory of the payloads that are copies, in the order of the entries.
  void set_runs(std::vector<Slice> runs) { runs_ = std::move(runs); }

  /// Gives every payload its place.
  void seal(std::uint64_t sector_bytes, std::uint64_t block_bytes);
  /// Whole blocks.
  std::uint64_t length() const noexcept { return length_; }
  /// The round as it goes to `position` of the file with `salt`: pieces of whole sectors, valid until `release`.
  std::vector<ByteView> encode(std::uint64_t salt, std::uint64_t position);

  /// Drops payloads; the round was written.
  void release();

 private:
  std::uint64_t place_in_line(std::uint64_t place, Entry& entry, std::uint64_t sector_bytes);

  RoundSequence sequence_;
  std::vector<Entry> entries_;
  std::vector<Touched> touched_;
  io::WaitList waiters_;
  std::uint64_t payload_bytes_ = 0;
  std::uint64_t entries_in_line_ = 0;
  std::vector<Slice> runs_;
  std::vector<ByteView> pieces_;
  Slice head_;
  std::uint64_t length_ = 0;
};

}  // namespace pyralog::storage
