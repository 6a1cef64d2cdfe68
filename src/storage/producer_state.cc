#include "storage/producer_state.h"

#include <algorithm>

#include "core/checksum.h"
#include "storage/byte_codec.h"
#include "storage/log_format.h"

namespace pyralog::storage {
namespace {

using record::kNoSequence;

constexpr std::uint8_t kForgotBit = 1;
// Evicting some at once keeps the cost per new producer constant.
constexpr std::size_t kEvictedShare = 16;

bool follows(std::int32_t last, std::int32_t first) noexcept { return first == record::sequence_after(last, 1); }

}  // namespace

void ProducerEntry::push(const ProducerBatch& batch) noexcept {
  if (count == batches.size()) {
    std::ranges::copy(batches.begin() + 1, batches.end(), batches.begin());
    --count;
    forgot = true;
  }
  batches[count++] = batch;
}

bool operator==(const ProducerEntry& a, const ProducerEntry& b) noexcept {
  return a.epoch == b.epoch && a.forgot == b.forgot && a.seen == b.seen && a.count == b.count &&
         std::equal(a.batches.begin(), a.batches.begin() + a.count, b.batches.begin());
}

Result<std::optional<ProducerBatch>> ProducerTable::check(const record::BatchHeader& batch) const {
  if (batch.producer_id() < ProducerId(0)) return std::optional<ProducerBatch>();
  const std::int32_t first = batch.base_sequence();
  if (first < 0 || batch.producer_epoch() < ProducerEpoch(0)) return ErrorCode::kInvalidRecord;
  const ProducerEntry* entry = find(batch.producer_id());
  if (entry == nullptr) return std::optional<ProducerBatch>();
  if (batch.producer_epoch() < entry->epoch) return ErrorCode::kProducerFenced;
  if (batch.producer_epoch() > entry->epoch) {
    if (first != 0) return ErrorCode::kOutOfOrderSequence;
    return std::optional<ProducerBatch>();
  }
  const std::int32_t last = batch.last_sequence();
  for (std::size_t i = 0; i < entry->count; ++i) {
    const ProducerBatch& known = entry->batches[i];
    if (known.base_sequence == first && known.last_sequence == last) return std::optional(known);
  }
  // Without a batch of this epoch (a transaction marker announced it), it starts at 0 like any new one.
  const bool in_order = entry->last() == nullptr ? first == 0 : follows(entry->last()->last_sequence, first);
  if (!in_order) return ErrorCode::kOutOfOrderSequence;
  return std::optional<ProducerBatch>();
}

void ProducerTable::apply(const record::BatchHeader& batch, WallTime now) {
  if (batch.producer_id() < ProducerId(0)) return;
  const auto [at, inserted] = entries_.try_emplace(batch.producer_id());
  ProducerEntry& entry = at->second;
  if (!inserted && batch.producer_epoch() < entry.epoch) return;
  if (batch.producer_epoch() > entry.epoch) {
    entry.forgot = !inserted;
    entry.epoch = batch.producer_epoch();
    entry.count = 0;
  }
  entry.seen = now;
  if (batch.base_sequence() >= 0) {
    entry.push({batch.base_sequence(), batch.last_sequence(), batch.base_offset(), batch.max_timestamp()});
  } else {
    entry.forgot = true;  // a marker leaves nothing that a truncation could find
  }
  if (inserted && entries_.size() > producers_max_) evict();
}

bool ProducerTable::truncate(Offset end) {
  bool complete = true;
  for (auto at = entries_.begin(); at != entries_.end();) {
    ProducerEntry& entry = at->second;
    const std::uint8_t before = entry.count;
    while (entry.count > 0 && entry.batches[entry.count - 1].last_offset() >= end) --entry.count;
    if (entry.forgot && (entry.count != before || before == 0)) complete = false;
    at = entry.count == 0 && before != 0 ? entries_.erase(at) : std::next(at);
  }
  return complete;
}

std::size_t ProducerTable::expire(WallTime before) {
  return std::erase_if(entries_, [before](const auto& item) { return item.second.seen < before; });
}

void ProducerTable::evict() {
  std::vector<std::pair<WallTime, ProducerId>> by_age;
  by_age.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) by_age.emplace_back(entry.seen, id);
  const std::size_t target = producers_max_ - producers_max_ / kEvictedShare;
  const auto middle = by_age.begin() + static_cast<std::ptrdiff_t>(by_age.size() - target);
  std::ranges::nth_element(by_age, middle);
  for (auto oldest = by_age.begin(); oldest != middle; ++oldest) entries_.erase(oldest->second);
}

const ProducerEntry* ProducerTable::find(ProducerId id) const noexcept {
  const auto at = entries_.find(id);
  return at == entries_.end() ? nullptr : &at->second;
}

std::vector<ProducerId> ProducerTable::ids() const {
  std::vector<ProducerId> ids;
  ids.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  std::ranges::sort(ids);
  return ids;
}

std::size_t ProducerTable::encoded_bytes() const noexcept {
  std::size_t bytes = sizeof(std::uint32_t) + entries_.size() * log_format::kProducerBytes;
  for (const auto& [id, entry] : entries_) bytes += entry.count * log_format::kProducerBatchBytes;
  return bytes;
}

void ProducerTable::encode(std::vector<std::byte>& out) const {
  put_little(out, static_cast<std::uint32_t>(entries_.size()));
  for (const ProducerId id : ids()) {
    const ProducerEntry& entry = entries_.at(id);
    put_little(out, id.value);
    put_little(out, entry.seen.ms);
    put_little(out, entry.epoch.value);
    put_little(out, entry.forgot ? kForgotBit : std::uint8_t{0});
    put_little(out, entry.count);
    for (std::size_t i = 0; i < entry.count; ++i) {
      const ProducerBatch& batch = entry.batches[i];
      put_little(out, batch.base_sequence);
      put_little(out, batch.last_sequence);
      put_little(out, batch.base_offset.value);
      put_little(out, batch.max_timestamp.ms);
    }
  }
}

namespace {

Result<ProducerEntry> decode_entry(ByteView& bytes) {
  ProducerEntry entry;
  std::uint8_t flags = 0;
  std::uint8_t count = 0;
  if (!take_little(bytes, entry.seen.ms) || !take_little(bytes, entry.epoch.value) || !take_little(bytes, flags) ||
      !take_little(bytes, count)) {
    return ErrorCode::kTruncated;
  }
  if (count > entry.batches.size() || flags > kForgotBit || entry.epoch < ProducerEpoch(0)) {
    return Error(ErrorCode::kCorrupt, "a producer's entry is malformed");
  }
  entry.forgot = flags != 0;
  for (std::uint8_t i = 0; i < count; ++i) {
    ProducerBatch batch;
    if (!take_little(bytes, batch.base_sequence) || !take_little(bytes, batch.last_sequence) ||
        !take_little(bytes, batch.base_offset.value) || !take_little(bytes, batch.max_timestamp.ms)) {
      return ErrorCode::kTruncated;
    }
    const bool rises = entry.count == 0 || batch.base_offset > entry.batches[entry.count - 1].base_offset;
    if (batch.base_sequence < 0 || batch.last_sequence < 0 || batch.base_offset < Offset(0) || !rises) {
      return Error(ErrorCode::kCorrupt, "a producer's batch is malformed");
    }
    entry.batches[entry.count++] = batch;
  }
  return entry;
}

}  // namespace

Result<ProducerTable> ProducerTable::decode(ByteView& bytes) {
  std::uint32_t count = 0;
  if (!take_little(bytes, count) || bytes.size() / log_format::kProducerBytes < count) return ErrorCode::kTruncated;
  ProducerTable table;
  table.entries_.reserve(count);
  std::optional<ProducerId> previous;
  for (std::uint32_t i = 0; i < count; ++i) {
    ProducerId id;
    if (!take_little(bytes, id.value)) return ErrorCode::kTruncated;
    PYRALOG_ASSIGN(ProducerEntry entry, decode_entry(bytes));
    if (id < ProducerId(0) || (previous.has_value() && id <= *previous)) {
      return Error(ErrorCode::kCorrupt, "producer ids do not rise");
    }
    previous = id;
    table.entries_.emplace(id, entry);
  }
  return table;
}

std::vector<std::byte> ProducerSnapshot::encode() const {
  namespace format = log_format::snapshot;
  std::vector<std::byte> out;
  out.reserve(format::kHeaderBytes + producers.encoded_bytes());
  put_little(out, format::kMagic);
  put_little(out, format::kVersion);
  put_little(out, offset.value);
  put_little(out, epoch.value);
  put_little(out, std::uint32_t{0});
  producers.encode(out);
  store_little(out.data() + format::kCrcAt, crc32c(out));
  return out;
}

Result<ProducerSnapshot> ProducerSnapshot::decode(ByteView file) {
  namespace format = log_format::snapshot;
  if (file.size() < format::kHeaderBytes) return ErrorCode::kTruncated;
  if (load_little<std::uint64_t>(file.data()) != format::kMagic) {
    return Error(ErrorCode::kCorrupt, "not a producer snapshot");
  }
  if (load_little<std::uint32_t>(file.data() + format::kVersionAt) != format::kVersion) {
    return ErrorCode::kUnsupportedVersion;
  }
  // The field itself counts as zero.
  static constexpr std::array<std::byte, sizeof(std::uint32_t)> kZero{};
  std::uint32_t crc = crc32c(file.first(format::kCrcAt));
  crc = crc32c(kZero, crc);
  crc = crc32c(file.subspan(format::kHeaderBytes), crc);
  if (crc != load_little<std::uint32_t>(file.data() + format::kCrcAt)) {
    return Error(ErrorCode::kCorrupt, "bad checksum in a producer snapshot");
  }
  ProducerSnapshot snapshot;
  snapshot.offset = Offset(load_little<std::int64_t>(file.data() + format::kOffsetAt));
  snapshot.epoch = LeaderEpoch(load_little<std::int32_t>(file.data() + format::kEpochAt));
  ByteView rest = file.subspan(format::kHeaderBytes);
  PYRALOG_ASSIGN(snapshot.producers, ProducerTable::decode(rest));
  if (!rest.empty()) return Error(ErrorCode::kCorrupt, "bytes after a producer snapshot");
  return snapshot;
}

}  // namespace pyralog::storage
