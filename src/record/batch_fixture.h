#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "record/batch_builder.h"
#include "record/batch_view.h"
#include "record/mutable_batch.h"
#include "record/varint.h"

/// Makings of good and bad batches, for tests only.
namespace pyralog::record::fixture {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(ByteView view) { return {view.begin(), view.end()}; }

/// The code of a result that has to be a failure.
template <class T>
ErrorCode code_of(const Result<T>& result) {
  PYRALOG_ASSERT(!result.ok(), "this should have been refused");
  return result.error().code();
}

/// Writes a header field of `batch` as it is on the wire.
template <std::integral T>
void poke(Bytes& batch, std::size_t at, T value) {
  store_big(batch.data() + at, value);
}

/// Makes the length and the CRC right again after `batch` was tampered with.
inline void seal(Bytes& batch) {
  poke(batch, format::kBatchLengthAt, static_cast<std::int32_t>(batch.size() - format::kLengthOverheadBytes));
  poke(batch, format::kCrcAt, batch_crc(batch));
}

/// The byte value of each hexadecimal pair in `text`.
inline Bytes from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(digit(text[i]) << 4 | digit(text[i + 1])));
  return bytes;
}

/// A batch of `values`, one record each, with keys "k" and timestamps 1000, 1001, ...
inline Bytes batch_of(std::initializer_list<std::string_view> values, const BatchBuilderOptions& options = {}) {
  BatchBuilder builder(options);
  std::int64_t timestamp = 1000;
  for (const std::string_view value : values)
    builder.append({.timestamp = WallTime{timestamp++}, .key = as_bytes("k"), .value = as_bytes(value)}).value();
  return bytes_of(builder.finish().value());
}

/// A sealed batch with `records` as its payload, whatever they are, and a header for `records_count` records.
inline Bytes batch_around(ByteView records, std::int32_t records_count, Codec codec = Codec::kNone) {
  Bytes batch = batch_of({"x"});
  batch.resize(format::kHeaderBytes);
  batch.insert(batch.end(), records.begin(), records.end());
  poke(batch, format::kAttributesAt, static_cast<std::int16_t>(codec));
  poke(batch, format::kRecordsCountAt, records_count);
  poke(batch, format::kLastOffsetDeltaAt, records_count - 1);
  seal(batch);
  return batch;
}

/// Appends the varint of `value` to `bytes`.
template <std::signed_integral T>
void put_varint(Bytes& bytes, T value) {
  std::byte encoded[format::kVarlongBytesMax];
  bytes.insert(bytes.end(), encoded, write_varint(encoded, value));
}

}  // namespace pyralog::record::fixture
