#pragma once

#include "raft/configuration.h"
#include "raft/ids.h"

namespace pyralog::raft {

/// One entry of a group's log; its index is its place. With neither payload nor configuration it only opens a term.
struct Entry {
  Term term;
  Payload payload;                 ///< the caller's
  ConfigurationPtr configuration;  ///< in force from this entry on; null: no change. It may carry a payload as well
};

/// What a snapshot stands for: all entries up to `index`. Index 0 is what a group begins with: there `configuration` is
/// the founding one, the same on all its members, or empty on a replica that was added later.
struct SnapshotMeta {
  RaftIndex index;
  Term term;                       ///< of the entry at `index`
  ConfigurationPtr configuration;  ///< in force at `index`; never null
};

}  // namespace pyralog::raft
