#include "cli/bench/stamp.h"

#include "record/record_iterator.h"

namespace pyralog::cli {
namespace {

// Layout, big-endian: mark, intended, sent (nanoseconds).
constexpr std::uint64_t kMark = 0x70797261'7374616dull;  // "pyrastam"

std::optional<ByteView> first_value(const record::BatchView& batch) {
  if (batch.codec() != record::Codec::kNone || batch.is_control()) return std::nullopt;
  record::Decompressor unused;
  auto records = record::RecordIterator::open(batch, unused);
  record::RecordView record;
  if (!records.ok()) return std::nullopt;
  const auto found = records->next(record);
  if (!found.ok() || !*found || !record.value.has_value() || record.value->size() < Stamp::kBytes) return std::nullopt;
  return record.value;
}

MonotonicTime time_at(const std::byte* at) { return MonotonicTime(Duration(load_big<std::int64_t>(at))); }

}  // namespace

Result<std::size_t> stamp_position(ByteView bytes) {
  PYRALOG_ASSIGN(const record::BatchView batch, record::BatchView::parse(bytes));
  const auto value = first_value(batch);
  if (value.has_value()) return static_cast<std::size_t>(value->data() - bytes.data());
  return Error(ErrorCode::kInvalidArgument, "stamped records have at least " + std::to_string(Stamp::kBytes) +
                                                " bytes and are not compressed");
}

void write_stamp(MutableBytes batch, std::size_t position, const Stamp& stamp, WallTime now) {
  namespace format = record::format;
  std::byte* const at = batch.data() + position;
  store_big(at, kMark);
  store_big(at + 8, static_cast<std::int64_t>(stamp.intended.time_since_epoch().count()));
  store_big(at + 16, static_cast<std::int64_t>(stamp.sent.time_since_epoch().count()));
  store_big(batch.data() + format::kBaseTimestampAt, now.ms);
  store_big(batch.data() + format::kMaxTimestampAt, now.ms);
  store_big(batch.data() + format::kCrcAt, record::batch_crc(batch));
}

std::optional<Stamp> read_stamp(const record::BatchView& batch) {
  const auto value = first_value(batch);
  if (!value.has_value() || load_big<std::uint64_t>(value->data()) != kMark) return std::nullopt;
  return Stamp{.intended = time_at(value->data() + 8), .sent = time_at(value->data() + 16)};
}

}  // namespace pyralog::cli
