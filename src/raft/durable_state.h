#pragma once

#include <algorithm>
#include <cstddef>

#include "core/assert.h"
#include "raft/group.h"

namespace pyralog::raft {

/// What a disk holds after `persist`.
inline void write_to(Restored& durable, const Persist& persist) {
  durable.hard = persist.hard;
  RaftIndex base = durable.snapshot.index;
  if (persist.snapshot) {
    const RaftIndex end = base + static_cast<std::int64_t>(durable.entries.size());
    const auto dropped = std::min(persist.snapshot->index, end) - base;
    durable.entries.erase(durable.entries.begin(), durable.entries.begin() + dropped);
    durable.snapshot = *persist.snapshot;
    base = durable.snapshot.index;
  }
  const RaftIndex behind = base + static_cast<std::int64_t>(durable.entries.size()) + 1;
  PYRALOG_ASSERT(persist.first > base && persist.first <= behind, "a record leaves a gap in the log");
  durable.entries.resize(static_cast<std::size_t>(persist.first - base - 1));
  durable.entries.insert(durable.entries.end(), persist.entries.begin(), persist.entries.end());
}

}  // namespace pyralog::raft
