#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/time.h"
#include "record/batch_builder.h"
#include "record/batch_view.h"

/// Batches to fill logs with, for tests only.
namespace pyralog::storage::fixture {

/// A batch as its leader stamped it.
struct BatchSpec {
  std::int64_t base = 0;
  int records = 1;
  std::size_t value_bytes = 10;
  std::int64_t timestamp = 1000;  ///< of the first record
  std::int64_t timestamp_step = 1;
  std::int32_t epoch = 1;
  std::int64_t producer = -1;
  std::int16_t producer_epoch = 0;
  std::int32_t sequence = 0;
  record::Codec codec = record::Codec::kNone;
  bool marker = false;  ///< ends a transaction; no sequence
};

inline std::vector<std::byte> make_batch(const BatchSpec& spec) {
  const bool idempotent = spec.producer >= 0;
  record::BatchBuilder builder({.codec = spec.codec,
                                .base_offset = Offset(spec.base),
                                .leader_epoch = LeaderEpoch(spec.epoch),
                                .producer_id = ProducerId(spec.producer),
                                .producer_epoch = ProducerEpoch(idempotent ? spec.producer_epoch : std::int16_t{-1}),
                                .base_sequence = idempotent && !spec.marker ? spec.sequence : record::kNoSequence,
                                .transactional = spec.marker,
                                .control = spec.marker});
  for (int i = 0; i < spec.records; ++i) {
    // Distinct and hard to mistake: every value starts with its offset.
    std::string value = std::to_string(spec.base + i) + ":";
    value.resize(std::max(spec.value_bytes, value.size()), 'v');
    builder
        .append({.timestamp = WallTime{spec.timestamp + i * spec.timestamp_step},
                 .key = {},
                 .value = as_bytes(value),
                 .headers = {}})
        .value();
  }
  const ByteView bytes = builder.finish().value();
  return {bytes.begin(), bytes.end()};
}

/// A batch with its bytes, for what takes headers.
class TestBatch {
 public:
  explicit TestBatch(const BatchSpec& spec) : bytes_(make_batch(spec)) {}
  record::BatchView view() const { return record::BatchView::parse(bytes_).value(); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace pyralog::storage::fixture
