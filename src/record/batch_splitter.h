#pragma once

#include <optional>

#include "record/batch_view.h"

namespace pyralog::record {

/// Walks batches that lie one after another, as in a fetch answer or a segment file. Looks at headers only; the caller
/// verifies what it needs of each batch. Valid as long as the bytes are.
class BatchSplitter {
 public:
  explicit BatchSplitter(ByteView bytes) noexcept : bytes_(bytes) {}

  /// The next batch; nothing at the end. On an error `position` stays where the bad batch starts and every further call
  /// gives the same error. kTruncated means that the last batch is cut off, which a fetch answer may do; the others
  /// are those of `BatchView::parse`.
  Result<std::optional<BatchView>> next();

  /// Byte at which the next batch starts: everything before it has been returned.
  std::size_t position() const noexcept { return position_; }

 private:
  ByteView bytes_;
  std::size_t position_ = 0;
};

}  // namespace pyralog::record
