#include "record/batch_splitter.h"

namespace pyralog::record {

Result<std::optional<BatchView>> BatchSplitter::next() {
  if (position_ == bytes_.size()) return std::optional<BatchView>();
  PYRALOG_ASSIGN(const BatchView view, BatchView::parse(bytes_.subspan(position_)));
  position_ += view.batch_bytes();
  return std::optional<BatchView>(view);
}

}  // namespace pyralog::record
