#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "core/ids.h"

namespace pyralog::raft {

/// Counts elections of one group; 0: before the first. Becomes Kafka's leader epoch, hence its width.
using Term = StrongId<struct TermTag, std::int32_t>;
inline constexpr Term kTermMax{std::numeric_limits<std::int32_t>::max()};

/// Position of an entry in one group's log: dense, from 1; 0 is the empty log's end.
struct RaftIndex {
  using rep = std::int64_t;
  std::int64_t value{};

  constexpr RaftIndex() = default;
  constexpr explicit RaftIndex(std::int64_t raw) : value(raw) {}
  friend constexpr auto operator<=>(RaftIndex, RaftIndex) = default;
  friend constexpr std::int64_t operator-(RaftIndex a, RaftIndex b) { return a.value - b.value; }
  friend constexpr RaftIndex operator+(RaftIndex a, std::int64_t count) { return RaftIndex(a.value + count); }
  friend constexpr RaftIndex operator-(RaftIndex a, std::int64_t count) { return RaftIndex(a.value - count); }
};
/// What a peer may claim: far enough from the type's end that no sum overflows.
inline constexpr RaftIndex kIndexMax{std::int64_t{1} << 62};

/// Where a log ends, ordered as elections compare logs (Raft §5.4.1): by term, then by index.
struct LogPosition {
  Term term;
  RaftIndex index;
  friend constexpr auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

/// Who promises: a node *with its disk*. A node that lost its disk has forgotten votes and acknowledgements, so it comes
/// back as somebody else (replication.md §1).
struct ReplicaId {
  NodeId node;
  Uuid disk;
  friend constexpr auto operator<=>(const ReplicaId&, const ReplicaId&) = default;
};

/// Owned bytes that mean nothing here, shared between log and messages. Null is empty.
using Payload = std::shared_ptr<const std::string>;

}  // namespace pyralog::raft
