#pragma once

#include <cstddef>
#include <cstdint>

#include "record/format.h"
#include "record/varint.h"

/// How one record is taken apart; the only place that knows. Used by `batch_check` and `record_iterator`.
namespace pyralog::record {

/// One record's fields, pointing into the batch. Lengths of -1 mean null. Everything lies inside `[.., end)`.
struct ParsedRecord {
  std::int64_t timestamp_delta;
  std::int32_t offset_delta;
  std::int32_t key_bytes;
  std::int32_t value_bytes;
  std::int32_t header_count;
  const std::byte* key;
  const std::byte* value;
  const std::byte* headers;
  const std::byte* end;
};

struct ParsedHeader {
  const std::byte* key;
  const std::byte* value;
  std::int32_t key_bytes;
  std::int32_t value_bytes;
};

/// Reads one record header from `[at, end)`; returns the byte after it, or nullptr if it is malformed.
[[gnu::always_inline]] inline const std::byte* parse_header(const std::byte* at, const std::byte* end,
                                                            ParsedHeader& header) noexcept {
  at = read_varint(at, end, header.key_bytes);
  if (at == nullptr || header.key_bytes < 0 || header.key_bytes > end - at) [[unlikely]] return nullptr;
  header.key = at;
  at += header.key_bytes;
  at = read_varint(at, end, header.value_bytes);
  if (at == nullptr || header.value_bytes < -1 || header.value_bytes > end - at) [[unlikely]] return nullptr;
  header.value = at;
  return header.value_bytes > 0 ? at + header.value_bytes : at;
}

/// Takes the record that starts at `at` apart, with every length checked, its headers' included. Returns nullptr, or
/// what is wrong with it. `limit` is the end of the batch.
[[gnu::always_inline]] inline const char* parse_record(const std::byte* at, const std::byte* limit,
                                                       ParsedRecord& record) noexcept {
  std::int32_t length;
  at = read_varint(at, limit, length);
  if (at == nullptr) [[unlikely]] return "the batch ends where a record's length should be";
  if (length < static_cast<std::int32_t>(format::kRecordBodyBytesMin)) [[unlikely]] return "a record's length is too small";
  if (length > limit - at) [[unlikely]] return "a record is longer than the rest of its batch";
  const std::byte* const end = at + length;
  record.end = end;

  at = read_varint(at + 1, end, record.timestamp_delta);
  if (at == nullptr) [[unlikely]] return "a record's timestamp delta is malformed";
  at = read_varint(at, end, record.offset_delta);
  if (at == nullptr) [[unlikely]] return "a record's offset delta is malformed";

  at = read_varint(at, end, record.key_bytes);
  if (at == nullptr || record.key_bytes < -1 || record.key_bytes > end - at) [[unlikely]]
    return "a record's key does not fit into it";
  record.key = at;
  if (record.key_bytes > 0) at += record.key_bytes;
  at = read_varint(at, end, record.value_bytes);
  if (at == nullptr || record.value_bytes < -1 || record.value_bytes > end - at) [[unlikely]]
    return "a record's value does not fit into it";
  record.value = at;
  if (record.value_bytes > 0) at += record.value_bytes;

  at = read_varint(at, end, record.header_count);
  if (at == nullptr || record.header_count < 0) [[unlikely]] return "a record's header count is malformed";
  // Divided, not multiplied, so that no count can overflow the comparison.
  if (record.header_count > (end - at) / static_cast<std::ptrdiff_t>(format::kRecordHeaderBytesMin)) [[unlikely]]
    return "a record claims more headers than it has bytes for";
  record.headers = at;
  for (std::int32_t i = 0; i < record.header_count; ++i) {
    ParsedHeader header;
    at = parse_header(at, end, header);
    if (at == nullptr) [[unlikely]] return "a record's header does not fit into it";
  }
  if (at != end) [[unlikely]] return "a record does not end where its length says";
  return nullptr;
}

}  // namespace pyralog::record
