#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/limits.h"
#include "core/result.h"
#include "core/time.h"
#include "record/batch_view.h"

namespace pyralog::storage {

/// What is remembered of one idempotent batch, so that a retry is answered as the original was.
struct ProducerBatch {
  std::int32_t base_sequence = 0;
  std::int32_t last_sequence = 0;  ///< of the last record; wraps from 2^31 - 1 to 0
  Offset base_offset;
  WallTime max_timestamp;

  Offset last_offset() const noexcept {
    const auto wrapped = static_cast<std::uint32_t>(last_sequence) - static_cast<std::uint32_t>(base_sequence);
    return base_offset + OffsetDelta(wrapped & 0x7FFFFFFFu);
  }
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

/// One producer's newest batches in one partition, oldest first, all of its newest epoch.
struct ProducerEntry {
  ProducerEpoch epoch = kNoProducerEpoch;
  std::uint8_t count = 0;
  /// Older batches existed and are no longer remembered, so removing batches here would not give the earlier state.
  bool forgot = false;
  WallTime seen;  ///< when this node appended its last batch, by this node's clock
  std::array<ProducerBatch, limits::kProducerBatchesRemembered> batches;

  const ProducerBatch* last() const noexcept { return count == 0 ? nullptr : &batches[count - 1]; }
  void push(const ProducerBatch& batch) noexcept;
  friend bool operator==(const ProducerEntry& a, const ProducerEntry& b) noexcept;
};

/// The producers of one partition: decides whether an idempotent batch is new, a retry or out of order. A value that knows
/// nothing of files and clocks. Bounded: beyond limits::kProducersPerPartitionMax the longest unseen go first.
class ProducerTable {
 public:
  ProducerTable() = default;
  explicit ProducerTable(std::size_t producers_max) : producers_max_(producers_max) {}

  /// Judges a client's batch before it gets its offsets. Nothing: it may be appended. A batch: it is a retry of that one.
  /// Errors: kProducerFenced (an older epoch), kOutOfOrderSequence, kInvalidRecord (a producer without a sequence). A
  /// producer unknown here may start with any sequence, a new epoch only with 0. Batches without producer pass.
  Result<std::optional<ProducerBatch>> check(const record::BatchHeader& batch) const;

  /// Notes a batch that is part of the log; `now` is when this node appended it, or found it while recovering.
  void apply(const record::BatchHeader& batch, WallTime now);

  /// Forgets batches at and above `end`. False if that leaves less than what replaying the log up to `end` would give:
  /// the caller must rebuild the table.
  [[nodiscard]] bool truncate(Offset end);

  /// Forgets producers not seen since `before`; returns how many.
  std::size_t expire(WallTime before);

  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  void clear() noexcept { entries_.clear(); }
  const ProducerEntry* find(ProducerId id) const noexcept;
  /// All ids, in ascending order.
  std::vector<ProducerId> ids() const;

  /// Size of what `encode` would write.
  std::size_t encoded_bytes() const noexcept;
  /// Appends count and entries, by ascending id (log_format.md).
  void encode(std::vector<std::byte>& out) const;
  /// Reads what `encode` wrote and moves `bytes` behind it. kTruncated, kCorrupt.
  static Result<ProducerTable> decode(ByteView& bytes);

  friend bool operator==(const ProducerTable& a, const ProducerTable& b) { return a.entries_ == b.entries_; }

 private:
  // Ids come from clients, so neighbouring or chosen values must not share buckets by themselves.
  struct IdHash {
    std::size_t operator()(ProducerId id) const noexcept {
      auto z = static_cast<std::uint64_t>(id.value) + 0x9E3779B97F4A7C15ull;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
      return z ^ (z >> 31);
    }
  };
  void evict();

  std::unordered_map<ProducerId, ProducerEntry, IdHash> entries_;
  std::size_t producers_max_ = limits::kProducersPerPartitionMax;
};

/// A partition's producers as of `offset`, in a file of its own: `<offset>.snapshot` (log_format.md). It belongs to the log
/// that is read only if the record before `offset` has `epoch` there: then both share everything below.
struct ProducerSnapshot {
  Offset offset;
  LeaderEpoch epoch;
  ProducerTable producers;

  std::vector<std::byte> encode() const;
  /// kTruncated, kCorrupt, kUnsupportedVersion.
  static Result<ProducerSnapshot> decode(ByteView file);
};

}  // namespace pyralog::storage
