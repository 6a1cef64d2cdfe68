#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "core/time.h"
#include "record/batch_filter.h"
#include "storage/key_map.h"
#include "storage/log_settings.h"
#include "storage/log_state.h"

/// Compaction by key: when a log is due, which keys count, and which records stay. Decisions only: no clock, no files.
namespace pyralog::storage {

/// What of a log could be compacted now.
struct CompactionBacklog {
  Offset from;                      ///< compaction has come up to here
  Offset end;                       ///< and may go up to here: sealed, committed, old enough
  std::uint64_t clean_bytes = 0;    ///< of the segments below `from`
  std::uint64_t dirty_bytes = 0;    ///< of those between
  std::optional<WallTime> oldest;   ///< when the first record between was written; absent: there is none, or it does not matter
  WallTime horizon{-1};             ///< CompactionProgress::horizon

  /// Of the bytes that a pass would read, those that no pass has seen: Kafka's dirty ratio.
  double dirty_ratio() const noexcept;
};

/// Why a log is to be compacted.
enum class CompactionCause : std::uint8_t {
  kNone,
  kRatio,       ///< min.cleanable.dirty.ratio
  kLag,         ///< max.compaction.lag.ms
  kTombstones,  ///< no new records, but deletion marks whose time has come (Kafka keeps those of a quiet log for ever)
};
std::string_view compaction_cause_text(CompactionCause cause) noexcept;

CompactionCause compaction_cause(const CompactionBacklog& backlog, const LogSettings& settings, WallTime now) noexcept;

/// What became of the records of one compaction.
struct CompactionCounts {
  std::uint64_t records_read = 0;
  std::uint64_t superseded = 0;         ///< a later record has the key
  std::uint64_t tombstones = 0;         ///< deletion marks past their horizon
  std::uint64_t without_key = 0;        ///< from a time when the log was not compacted; Kafka removes them as well
  std::uint64_t batches_unreadable = 0;  ///< kept as they are
};

/// Notes the keys of a batch's records from `from` on. Returns the offset up to which that was possible: behind the batch,
/// or of the first record that the map has no room for. Not noted are transactional records (nobody knows here whether they
/// count) and those of a batch that cannot be read.
Offset note_keys(KeyMap& keys, const record::BatchView& batch, Offset from, record::Decompressor& decompressor);

/// One pass: which records of the log stay, given its keys. Batches come in the log's order, from its start.
///
/// As in Kafka, a record goes if a later one below `noted_end` has its key. A tombstone stays until its batch's delete horizon
/// (KIP-534: set by the first pass that keeps the tombstone, now + delete.retention.ms) has passed. A batch that loses all
/// records goes, unless it is its producer's last one: then it stays as an empty batch. Control batches stay as they are; of
/// transactions, tombstones stay for ever. So do all tombstones behind a batch that cannot be read: it may hold what they
/// delete.
class CompactionPass {
 public:
  struct Rules {
    Offset noted_end;  ///< keys of records from here on are not in the map
    WallTime now;
    std::int64_t delete_retention_ms = 0;
  };

  /// All outlive the pass. `state` is the log's, as it is when a batch comes by: it tells of producers.
  CompactionPass(const KeyMap& keys, record::Decompressor& decompressor, const LogState& state, Rules rules)
      : keys_(keys), filter_(decompressor), state_(state), rules_(rules) {}

  /// What is left of the batch: its own bytes if nothing changes, nothing if it goes. Valid until the next call.
  ByteView apply(const record::BatchView& batch);

  const CompactionCounts& counts() const noexcept { return counts_; }
  /// The last of the horizons of tombstones that stay and may go one day; negative: there are none.
  WallTime horizon() const noexcept { return horizon_; }

 private:
  enum class Fate : std::uint8_t { kStays, kStaysAsTombstone, kGoes };

  Result<ByteView> filter(const record::BatchView& batch);
  Fate fate_of(const record::RecordView& record, const record::BatchView& batch);
  bool is_last_of_producer(const record::BatchView& batch) const;

  const KeyMap& keys_;
  record::BatchFilter filter_;
  const LogState& state_;
  Rules rules_;
  CompactionCounts counts_;
  WallTime horizon_{-1};
  bool met_unreadable_ = false;
};

}  // namespace pyralog::storage
