#pragma once

#include <chrono>
#include <cstddef>

#include "core/time.h"

namespace pyralog::raft {

/// Shared by the groups of a kind; outlives them.
struct GroupOptions {
  /// How long a candidate, or whoever gave a vote, waits for a leader; each time anew, up to twice as long.
  Duration election_timeout = std::chrono::milliseconds(150);
  Duration rank_step = std::chrono::milliseconds(25);      ///< between those who stand after a suspicion
  Duration rank_jitter = std::chrono::milliseconds(5);
  Duration tail_delay = std::chrono::milliseconds(30);     ///< of the vote for a candidate with less data
  Duration retry_interval = std::chrono::milliseconds(100);  ///< after which an unanswered append is sent again
  Duration transfer_timeout = std::chrono::milliseconds(500);
  /// A new leader appends an entry at once. Without it the caller's first proposal opens the term (ACTIVATE).
  bool opens_term = true;
  /// A leader that suspects a majority steps down, unless its data may commit without one (replication.md §9).
  bool leads_without_majority = false;
  std::size_t append_bytes_max = 1u << 20;         ///< of the payloads of one append with more than one entry
  std::size_t appends_in_flight_max = 16;          ///< to one member
  std::size_t uncommitted_bytes_max = 64u << 20;   ///< of payloads; proposals beyond it are refused
  std::size_t reads_max = 10'000;                  ///< that wait for a barrier
};

}  // namespace pyralog::raft
