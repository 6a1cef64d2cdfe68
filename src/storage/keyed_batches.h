#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/reactor.h"
#include "record/batch_builder.h"
#include "storage/compaction_history.h"

namespace pyralog::storage::crash {

struct KeyedBatch {
  std::vector<std::byte> bytes;
  std::vector<KeyedRecord> records;
  std::int64_t producer = -1;
};

/// Batches of few keys with values and tombstones, by producers of both kinds; and what an idempotent one sent last.
class KeyedBatches {
 public:
  /// `known` is what the log knows: after a crash that may be a batch which this side takes for lost.
  KeyedBatch make(Random& random, const ProducerTable& known) {
    KeyedBatch batch;
    record::BatchBuilderOptions options{.codec = static_cast<record::Codec>(random.below(5))};
    const auto drawn = static_cast<std::int64_t>(random.below(24));
    if (drawn < kProducers) {
      batch.producer = drawn;
      options.producer_id = ProducerId(drawn);
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = 0;
      const ProducerEntry* entry = known.find(options.producer_id);
      if (entry != nullptr && entry->last() != nullptr) {
        options.base_sequence = record::sequence_after(entry->last()->last_sequence, 1);
      }
    }
    record::BatchBuilder builder(options);
    const WallTime now = io::Reactor::current().wall_now();
    for (std::uint64_t i = random.between(1, 5); i > 0; --i) {
      KeyedRecord record{.key = "k" + std::to_string(random.below(random.chance(1, 4) ? 300 : 12)), .value = {}, .at = now};
      if (!random.chance(1, 4)) record.value = std::to_string(next_value_++) + std::string(random.below(40), 'v');
      std::optional<ByteView> value;
      if (record.value.has_value()) value = as_bytes(*record.value);
      builder.append({.timestamp = now, .key = as_bytes(record.key), .value = value}).value();
      batch.records.push_back(std::move(record));
    }
    const ByteView bytes = builder.finish().value();
    batch.bytes.assign(bytes.begin(), bytes.end());
    return batch;
  }

  /// The log has it at [base, end).
  void sent(const KeyedBatch& batch, Offset base, Offset end) {
    if (batch.producer >= 0) last_[batch.producer] = {batch.bytes, base, end};
  }
  void cut(Offset end) {
    std::erase_if(last_, [end](const auto& item) { return item.second.end > end; });
  }

  /// Sends each producer's last batch again, as far as the log has not deleted it. What is wrong; empty: nothing.
  std::string retry_all(PartitionLog& log) const {
    for (const auto& [producer, last] : last_) {
      if (last.base < log.files().segments().front().base) continue;
      const auto appended = log.append(Slice::copy_of(last.bytes));
      const std::string who = "a retry of producer " + std::to_string(producer);
      if (!appended.ok()) return who + ": " + appended.error().to_string();
      if (!appended->is_duplicate || appended->base != last.base) return who + " is appended";
    }
    return {};
  }

 private:
  static constexpr std::int64_t kProducers = 14;
  struct Sent {
    std::vector<std::byte> bytes;
    Offset base, end;
  };

  std::map<std::int64_t, Sent> last_;
  std::uint64_t next_value_ = 1;
};

}  // namespace pyralog::storage::crash
