#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"
#include "record/batch_view.h"
#include "record/compression.h"

namespace pyralog::record {

/// One header of a record, in place. A null value and an empty one differ.
struct HeaderView {
  std::string_view key;
  std::optional<ByteView> value;
};

/// The headers of one record, in place, in the order in which they were written; keys may repeat.
class HeaderList {
 public:
  class Iterator {
   public:
    using value_type = HeaderView;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const std::byte* at, const std::byte* end, std::int32_t left) noexcept : at_(at), end_(end), left_(left) {
      load();
    }
    const HeaderView& operator*() const noexcept { return header_; }
    const HeaderView* operator->() const noexcept { return &header_; }
    Iterator& operator++() noexcept {
      --left_;
      load();
      return *this;
    }
    void operator++(int) noexcept { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept { return iterator.left_ == 0; }

   private:
    void load() noexcept;

    const std::byte* at_ = nullptr;
    const std::byte* end_ = nullptr;
    std::int32_t left_ = 0;
    HeaderView header_;
  };

  HeaderList() = default;
  /// `bytes` holds exactly `count` headers, which have been checked.
  HeaderList(ByteView bytes, std::int32_t count) noexcept : bytes_(bytes), count_(count) {}

  std::int32_t count() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  Iterator begin() const noexcept { return {bytes_.data(), bytes_.data() + bytes_.size(), count_}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  ByteView bytes_;
  std::int32_t count_ = 0;
};

/// One record, in place. Null keys and values differ from empty ones.
struct RecordView {
  Offset offset;
  /// What readers see: the record's own time, or the batch's append time.
  WallTime timestamp;
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  HeaderList headers;
};

/// Reads the records of one batch in order, uncompressed ones in place and compressed ones in the decompressor's
/// memory. Bytes are checked as they are reached, so any bytes may be given. Views are valid as long as the batch's
/// bytes, and until the decompressor's next use.
class RecordIterator {
 public:
  /// Errors: those of `Decompressor::decompress`.
  static Result<RecordIterator> open(const BatchView& batch, Decompressor& decompressor);

  /// Fills `record` with the next one; false after the last. Errors: kInvalidRecord (lengths that do not fit, deltas out
  /// of order, more or fewer records than the header says).
  Result<bool> next(RecordView& record);

  /// The first byte, uncompressed, that has not been read yet: between two calls of `next` lies one record.
  const std::byte* position() const noexcept { return at_; }

 private:
  RecordIterator(const BatchView& batch, ByteView records) noexcept;

  const std::byte* at_;
  const std::byte* end_;
  Offset base_offset_;
  WallTime base_timestamp_;
  std::optional<WallTime> append_time_;
  std::int32_t left_;
  std::int32_t offset_delta_before_ = -1;
  std::int32_t last_offset_delta_;
};

}  // namespace pyralog::record
