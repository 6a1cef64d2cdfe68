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
#include "io/virtual_disk.h"
#include "record/format.h"
#include "storage/file_names.h"
#include "storage/shard_store.h"

/// What a store must hold, for the crash simulation.
namespace pyralog::storage::crash {

using Bytes = std::vector<std::byte>;

/// Everything small, so that files wrap, fill up and are cut off all the time.
inline StoreGeometry shrunk_geometry() {
  StoreGeometry geometry;
  geometry.sector_bytes = 8;
  geometry.block_bytes = 64;
  geometry.journal_file_bytes = 4096;
  geometry.journal_first_file_bytes = 1024;
  geometry.journal_bytes_max = 5 * 4096;
  geometry.round_bytes_max = 2048;
  geometry.dirty_bytes_max = 8192;
  geometry.pass_bytes_max = 300;
  geometry.direct_pass_bytes_min = 150;
  geometry.write_bytes_max = 100;
  geometry.batch_copied_bytes_below = 120;
  geometry.bypass_bytes_min = 400;
  geometry.bypass_partitions_max = 2;
  geometry.clean_journal_bytes_min = 6000;
  geometry.tail_cache_bytes_max = 1000;
  return geometry;
}

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

/// What the store says that it holds. A hole in a log shows as a segment that is too short.
inline Model read_model(ShardStore& store, const io::VirtualDisk& disk) {
  Model model;
  std::vector<StoredPart> parts;
  for (PartitionFiles* partition : store.partitions()) {
    ModelPartition& into = model.partitions[partition->incarnation()];
    into.start = partition->start();
    into.end = partition->log_end();
    for (const Segment& segment : partition->segments()) {
      if (segment.end == 0) continue;
      Bytes& bytes = into.segments[segment.base];
      partition->locate(segment.base, 0, UINT64_MAX, parts);
      const std::string directory = store.options().data_directory + "/" + partition->directory();
      const std::string path = file_path(directory, segment.base, FileKind::kLog, segment.edition);
      const Bytes file = disk.has(path) ? disk.contents(path) : Bytes();
      for (const StoredPart& part : parts) {
        const ByteView from = part.slice.empty() ? ByteView(file) : part.slice.view();
        const std::uint64_t begin = part.slice.empty() ? part.position : 0;
        if (begin + part.bytes > from.size()) break;
        bytes.insert(bytes.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
                     from.begin() + static_cast<std::ptrdiff_t>(begin + part.bytes));
      }
    }
  }
  for (std::uint64_t owner = 1; owner < 3; ++owner) {
    for (const StateKey key : store.state_keys(Incarnation(owner))) {
      const Slice value = store.state(key);
      model.states[key] = Bytes(value.data(), value.data() + value.size());
    }
  }
  return model;
}

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

/// A batch as far as a store looks at it: a valid header over any payload.
inline Slice make_batch_of(ByteView payload, Offset base, std::int32_t records) {
  using namespace record::format;
  Slice batch = Slice::allocate(kHeaderBytes + payload.size());
  batch = batch.part(0, kHeaderBytes + payload.size());
  std::byte* to = batch.mutable_data();
  std::fill_n(to, kHeaderBytes, std::byte{0});
  store_big(to + kBaseOffsetAt, base.value);
  store_big(to + kBatchLengthAt, static_cast<std::int32_t>(batch.size() - kLengthOverheadBytes));
  store_big(to + kLeaderEpochAt, std::int32_t{1});
  store_big(to + kMagicAt, kMagic);
  store_big(to + kLastOffsetDeltaAt, records - 1);
  store_big(to + kProducerIdAt, std::int64_t{-1});
  store_big(to + kProducerEpochAt, std::int16_t{-1});
  store_big(to + kBaseSequenceAt, std::int32_t{-1});
  store_big(to + kRecordsCountAt, records);
  std::copy(payload.begin(), payload.end(), to + kHeaderBytes);
  store_big(to + kCrcAt, crc32c(batch.view().subspan(kAttributesAt)));
  return batch;
}

inline Bytes make_noise(Random& random, std::size_t bytes) {
  Bytes noise(bytes);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random.next());
  return noise;
}

}  // namespace pyralog::storage::crash
