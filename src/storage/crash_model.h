#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/checksum.h"
#include "core/ids.h"
#include "core/random.h"
#include "core/slice.h"
#include "record/format.h"
#include "storage/shard_store.h"

/// What a store must hold, for the crash simulation.
namespace pyralog::storage::crash {

using Bytes = std::vector<std::byte>;

struct ModelPartition {
  Offset start;
  Offset end;
  std::map<Offset, Bytes> segments;  // by base; without an empty one at the end
  friend bool operator==(const ModelPartition&, const ModelPartition&) = default;
};

/// The contents of a store at one moment. Small enough to be copied for every operation.
struct Model {
  std::map<Incarnation, ModelPartition> partitions;
  std::map<StateKey, Bytes> states;
  friend bool operator==(const Model&, const Model&) = default;

  /// One line of what differs, for people.
  std::string difference(const Model& other) const {
    for (const auto& [incarnation, partition] : partitions) {
      const auto found = other.partitions.find(incarnation);
      const std::string name = "partition " + std::to_string(incarnation.value);
      if (found == other.partitions.end()) return name + " is missing";
      if (found->second == partition) continue;
      const ModelPartition& theirs = found->second;
      std::string text = name + " starts at " + std::to_string(partition.start.value) + "/" +
                         std::to_string(theirs.start.value) + ", ends at " + std::to_string(partition.end.value) + "/" +
                         std::to_string(theirs.end.value);
      for (const auto& [base, bytes] : partition.segments) {
        const auto segment = theirs.segments.find(base);
        text += "; segment " + std::to_string(base.value) + ": ";
        if (segment == theirs.segments.end()) {
          text += "missing";
        } else if (segment->second != bytes) {
          const auto [mine, other_byte] = std::mismatch(bytes.begin(), bytes.end(), segment->second.begin(),
                                                        segment->second.end());
          (void)other_byte;
          text += std::to_string(bytes.size()) + "/" + std::to_string(segment->second.size()) + " bytes, differs at " +
                  std::to_string(mine - bytes.begin());
        } else {
          text += "same";
        }
      }
      return text;
    }
    if (partitions.size() != other.partitions.size()) return "partitions that should not exist";
    return states == other.states ? "nothing" : "states differ";
  }
};

/// What may be found after a crash: the model after each issued operation, with the journal round that holds it.
class History {
 public:
  /// From now on only `model`, which everything up to `synced` led to.
  void restart(Model model, RoundSequence synced) {
    entries_.clear();
    entries_.push_back({synced, synced, std::move(model)});
  }
  /// The operation lies in a round from `low` to `high`.
  void push(RoundSequence low, RoundSequence high, Model model) { entries_.push_back({low, high, std::move(model)}); }

  const Model& newest() const { return entries_.back().model; }
  RoundSequence newest_round() const { return entries_.back().high; }

  /// Whether `found` is the state after some round that is at least `acknowledged`.
  bool allows(const Model& found, RoundSequence acknowledged) const {
    for (std::size_t i = entries_.size(); i-- > 0;) {
      const bool last = i + 1 == entries_.size();
      // Rounds happen whole: the next operation must be able to lie in a later round than this one.
      const RoundSequence from = std::max(acknowledged, entries_[i].low);
      if ((last || from < entries_[i + 1].high) && entries_[i].model == found) return true;
      if (!last && entries_[i + 1].high <= acknowledged) return false;
    }
    return false;
  }

 private:
  struct Entry {
    RoundSequence low, high;
    Model model;
  };
  std::vector<Entry> entries_;
};

/// A batch as far as a store looks at it: a valid header over `payload_bytes` of noise.
inline Slice make_noise_batch(Random& random, Offset base, std::int32_t records, std::size_t payload_bytes,
                              std::int32_t epoch) {
  using namespace record::format;
  Slice batch = Slice::allocate(kHeaderBytes + payload_bytes);
  batch = batch.part(0, kHeaderBytes + payload_bytes);
  std::byte* to = batch.mutable_data();
  std::fill_n(to, kHeaderBytes, std::byte{0});
  store_big(to + kBaseOffsetAt, base.value);
  store_big(to + kBatchLengthAt, static_cast<std::int32_t>(batch.size() - kLengthOverheadBytes));
  store_big(to + kLeaderEpochAt, epoch);
  store_big(to + kMagicAt, kMagic);
  store_big(to + kLastOffsetDeltaAt, records - 1);
  store_big(to + kProducerIdAt, std::int64_t{-1});
  store_big(to + kProducerEpochAt, std::int16_t{-1});
  store_big(to + kBaseSequenceAt, std::int32_t{-1});
  store_big(to + kRecordsCountAt, records);
  for (std::size_t i = 0; i < payload_bytes; ++i) to[kHeaderBytes + i] = static_cast<std::byte>(random.next());
  store_big(to + kCrcAt, crc32c(batch.view().subspan(kAttributesAt)));
  return batch;
}

}  // namespace pyralog::storage::crash
