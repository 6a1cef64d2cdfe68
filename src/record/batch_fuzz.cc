#include <algorithm>

#include "core/assert.h"
#include "record/batch_check.h"
#include "record/batch_fixture.h"
#include "record/batch_splitter.h"
#include "record/fuzz_memory.h"
#include "record/record_iterator.h"

/// Reads any bytes as batches: as they come, and as the payload of a batch with a sound header, so that the records'
/// own checks are reached. Checks that the structure check and the iterator agree, and how much memory they take.
namespace pyralog::record {
namespace {

using fixture::Bytes;

constexpr DecompressionLimits kLimits{.output_bytes_max = 1u << 20, .ratio_max = 50, .ratio_free_bytes = 256u << 10};
constexpr std::size_t kBytesPerInputByte = 8;
constexpr std::size_t kFixedBytes = 64u << 10;
constexpr std::size_t kZstdBytes = limits::kZstdWindowBytesMax + (1u << 20);

CheckOptions options_from(std::uint8_t choice) {
  return {.validation = (choice & 1) != 0 ? RecordValidation::kFull : RecordValidation::kStructure,
          .origin = (choice & 2) != 0 ? BatchOrigin::kLog : BatchOrigin::kClient,
          .null_keys = (choice & 4) != 0 ? NullKeys::kRefused : NullKeys::kAllowed,
          .timestamp_type = (choice & 8) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime,
          .timestamp_max = WallTime{(choice & 16) != 0 ? 2000 : std::numeric_limits<std::int64_t>::max()}};
}

/// Reads both ends of `part`; the sanitizer sees if they lie outside the memory of the batch.
void touch(ByteView part) {
  if (part.empty()) return;
  [[maybe_unused]] volatile std::byte seen = part.front();
  seen = part.back();
}

/// The number of records, or -1 if they cannot be read to the end.
std::int32_t iterate(const BatchView& batch, Decompressor& decompressor) {
  auto iterator = RecordIterator::open(batch, decompressor);
  if (!iterator.ok()) return -1;
  std::int32_t count = 0;
  RecordView record;
  for (;;) {
    const auto more = iterator->next(record);
    if (!more.ok()) return -1;
    if (!*more) return count;
    ++count;
    touch(record.key.value_or(ByteView()));
    touch(record.value.value_or(ByteView()));
    std::int32_t headers = 0;
    for (const HeaderView& header : record.headers) {
      touch(as_bytes(header.key));
      touch(header.value.value_or(ByteView()));
      ++headers;
    }
    PYRALOG_ASSERT(headers == record.headers.count(), "header count");
    PYRALOG_ASSERT(record.offset >= batch.base_offset() && record.offset <= batch.last_offset(), "offset");
  }
}

void check_batch(const BatchView& batch, const CheckOptions& options, Decompressor& decompressor) {
  (void)batch.verify_crc().ok();  // random bytes are seldom right; the call must only be safe
  const auto checked = check_structure(batch, options, decompressor);
  if (!checked) {
    PYRALOG_ASSERT(checked.error().record_index < std::max(batch.records_count(), 1), "index of a record not there");
    return;
  }
  if (!checked->records_walked) return;
  PYRALOG_ASSERT(iterate(batch, decompressor) == checked->records_count, "accepted, but not readable");
}

void read_all(ByteView bytes, const CheckOptions& options) {
  const fuzz::MemoryMeter meter;
  Decompressor decompressor(kLimits);
  BatchSplitter splitter(bytes);
  for (;;) {
    const auto batch = splitter.next();
    if (!batch.ok() || !*batch) break;
    check_batch(**batch, options, decompressor);
  }
  PYRALOG_ASSERT(splitter.position() <= bytes.size(), "position");
  meter.expect_at_most(kBytesPerInputByte * bytes.size() + kFixedBytes + 2 * (kLimits.output_bytes_for(bytes.size()) + 1) +
                       kZstdBytes);
}

}  // namespace
}  // namespace pyralog::record

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyralog;
  using namespace pyralog::record;
  if (size < 3) return 0;
  const CheckOptions options = options_from(data[0]);
  const ByteView input(reinterpret_cast<const std::byte*>(data + 3), size - 3);
  if (data[1] >= 240) {
    read_all(input, options);
    return 0;
  }
  Bytes batch = fixture::batch_around(input, data[2], static_cast<Codec>(data[1] % 5));
  if (data[2] == 0) fixture::poke(batch, format::kLastOffsetDeltaAt, std::int32_t{3});
  read_all(batch, options);
  return 0;
}
