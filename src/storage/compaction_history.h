#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "core/random.h"
#include "record/batch_splitter.h"
#include "record/record_iterator.h"
#include "storage/crash_model.h"
#include "storage/partition_log.h"
#include "storage/read_bytes.h"

/// What a compacted log must still hold, for its crash simulation.
namespace pyralog::storage::crash {

/// A record, as it was written or as it was found.
struct KeyedRecord {
  std::string key;
  std::optional<std::string> value;
  WallTime at;
  friend bool operator==(const KeyedRecord&, const KeyedRecord&) = default;
};
using Contents = std::map<Offset, KeyedRecord>;

inline StoreGeometry compacted_geometry() {
  StoreGeometry geometry = shrunk_geometry();
  geometry.journal_file_bytes = 16 << 10;
  geometry.journal_bytes_max = 5 * (16 << 10);
  geometry.round_bytes_max = 8 << 10;
  return geometry;
}

inline LogSettings compacted_settings() {
  LogSettings settings;
  settings.compacts = true;
  settings.deletes_old = false;
  settings.segment_bytes = 2000;
  settings.delete_retention_ms = 60'000;
  settings.flush_ms = 50;
  return settings;
}

/// All that was ever written to a log with keys, and what follows from that.
class KeyedHistory {
 public:
  struct Now {
    Offset start;
    Offset compacted;  ///< a compaction that came up to here was completed
    Offset active;     ///< base of the active segment
    WallTime now;
    std::int64_t delete_retention_ms = 0;
  };

  bool empty() const noexcept { return written_.empty(); }
  void add(Offset offset, KeyedRecord record) { written_[offset] = std::move(record); }
  /// Records from `end` on are lost, and rightly so.
  void cut(Offset end) { written_.erase(written_.lower_bound(end), written_.end()); }

  /// What is wrong with the log's contents; empty: nothing.
  std::string judge(const Contents& found, const Now& now) const {
    for (const auto& [offset, record] : found) {
      const auto expected = written_.find(offset);
      if (expected == written_.end() || expected->second != record) return at("nobody wrote the record", offset);
    }
    for (auto record = written_.lower_bound(std::max(now.start, now.active)); record != written_.end(); ++record) {
      if (!found.contains(record->first)) return at("gone from the active segment: the record", record->first);
    }
    std::string wrong = judge_last(found, now);
    return wrong.empty() ? judge_superseded(found, now) : wrong;
  }

 private:
  static std::string at(const char* what, Offset offset) { return std::string(what) + " at " + std::to_string(offset.value); }

  /// The last value of each key is there, and what was deleted is not.
  std::string judge_last(const Contents& found, const Now& now) const {
    std::map<std::string, Offset> last, last_found;
    for (const auto& [offset, record] : written_) last[record.key] = offset;
    for (const auto& [offset, record] : found) last_found[record.key] = offset;
    for (const auto& [key, offset] : last) {
      const auto there = last_found.find(key);
      if (offset < now.start || (there != last_found.end() && there->second == offset)) continue;
      const KeyedRecord& record = written_.at(offset);
      if (record.value.has_value()) return at("lost: the last value of a key", offset);
      if (there != last_found.end()) return at("there again: what was deleted", offset);
      if (now.now.ms - record.at.ms < now.delete_retention_ms) return at("gone too early: the tombstone", offset);
    }
    return {};
  }

  /// Below where compaction has come, one record of each key.
  std::string judge_superseded(const Contents& found, const Now& now) const {
    std::map<std::string, Offset> last;
    for (auto record = written_.begin(); record != written_.lower_bound(now.compacted); ++record) {
      last[record->second.key] = record->first;
    }
    for (const auto& [offset, record] : found) {
      if (offset < now.compacted && last.at(record.key) != offset) return at("superseded and still there: the record", offset);
    }
    return {};
  }

  Contents written_;
};

/// All records of the log, as a reader gets them, some bytes at a time; nothing if they are deleted beneath it. Errors: those
/// of reading, and kCorrupt for offsets that go back. The arguments outlive the call.
inline io::Task<Result<std::optional<Contents>>> read_contents(PartitionLog& log, Random& random) {
  Contents found;
  record::Decompressor decompressor;
  for (Offset at = log.start(); at < log.log_end();) {
    const ReadOptions options{.offset = at, .bytes_max = random.between(1, 1500), .limit = ReadLimit::kLogEnd};
    const auto bytes = co_await read_bytes(log, options);
    if (!bytes.ok() && bytes.error() == ErrorCode::kOutOfRange && at < log.start()) co_return std::nullopt;
    PYRALOG_CO_TRY(bytes);
    if (bytes->empty()) break;
    record::BatchSplitter splitter(bytes->view());
    for (;;) {
      PYRALOG_CO_ASSIGN(const auto batch, splitter.next());
      if (!batch.has_value()) break;
      PYRALOG_CO_TRY(batch->verify_crc());
      if (batch->end_offset() <= at) co_return Error(ErrorCode::kCorrupt, "offsets go back");
      at = batch->end_offset();
      PYRALOG_CO_ASSIGN(auto records, record::RecordIterator::open(*batch, decompressor));
      for (record::RecordView record;;) {
        PYRALOG_CO_ASSIGN(const bool more, records.next(record));
        if (!more) break;
        KeyedRecord& into = found[record.offset];
        into.key = as_text(record.key.value());
        if (record.value.has_value()) into.value = as_text(*record.value);
        into.at = record.timestamp;
      }
    }
  }
  co_return found;
}

/// Asks for the time of one of the records: nothing readable of that time or later lies before the answer. What is wrong;
/// empty: nothing. The arguments outlive the call.
inline io::Task<std::string> judge_time(PartitionLog& log, const Contents& found, Random& random) {
  if (found.empty()) co_return std::string();
  auto asked = found.begin();
  std::advance(asked, static_cast<std::ptrdiff_t>(random.below(found.size())));
  const WallTime time = asked->second.at;
  const std::uint64_t replacements = log.files().replacements();
  const auto answer = co_await log.offset_for_time(time, ReadLimit::kLogEnd);
  if (!answer.ok() || log.files().replacements() != replacements) co_return std::string();
  const auto first = std::find_if(found.lower_bound(log.start()), found.end(),
                                  [&](const auto& item) { return item.second.at >= time; });
  if (first == found.end() || (answer->has_value() && (*answer)->offset <= first->first)) co_return std::string();
  co_return "time " + std::to_string(time.ms) + " leads behind its first record at " + std::to_string(first->first.value);
}

}  // namespace pyralog::storage::crash
