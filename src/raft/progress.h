#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "raft/ids.h"

namespace pyralog::raft {

/// How far one member's log is known to be the leader's, and how entries are sent to it.
///
///            accepted                 refused, retry
///   kProbe ───────────▶ kStream ───────────────────────▶ kProbe
///      └─ its next entry is gone ─▶ kSnapshot ─ the transfer is over, or accepted ─▶ kProbe, kStream
class Progress {
 public:
  enum class State : std::uint8_t {
    kProbe,    ///< one message at a time, until it is known where the logs part
    kStream,   ///< as many messages as may be in flight
    kSnapshot  ///< nothing until the snapshot is there
  };

  Progress(ReplicaId id, RaftIndex next) : id_(id), next_(next) {}

  const ReplicaId& id() const noexcept { return id_; }
  State state() const noexcept { return state_; }
  RaftIndex match() const noexcept { return match_; }
  RaftIndex next() const noexcept { return next_; }
  std::uint64_t round() const noexcept { return round_; }
  /// Of read barriers: answered in this round or later.
  void answered(std::uint64_t round) noexcept { round_ = round > round_ ? round : round_; }

  bool may_send(std::size_t in_flight_max) const noexcept {
    return state_ == State::kStream ? in_flight_.size() < in_flight_max : state_ == State::kProbe && !probe_sent_;
  }
  /// An append that ends at `last` (its `previous`, if it is empty) has left.
  void sent(RaftIndex last) {
    if (state_ == State::kProbe) {
      probe_sent_ = true;
    } else if (last >= next_) {
      in_flight_.push_back(last);
      next_ = last + 1;
    }
  }

  void accepted(RaftIndex matched) {
    moved_ = true;
    if (matched > match_) match_ = matched;
    if (state_ == State::kSnapshot && match_ < snapshot_) return;
    if (state_ != State::kStream) begin_stream();
    if (next_ <= match_) next_ = match_ + 1;
    std::erase_if(in_flight_, [&](RaftIndex last) { return last <= match_; });
  }

  /// Whether a refusal of an append behind `previous` is news; late ones are not.
  bool is_refusal_new(RaftIndex previous) const noexcept {
    if (previous <= match_ || state_ == State::kSnapshot) return false;
    return state_ == State::kStream ? previous < next_ : previous == next_ - 1;
  }
  /// Goes back to `next`, which lies behind what matched and not behind what was refused.
  void refused(RaftIndex next) {
    moved_ = true;
    next_ = next;
    begin_probe();
  }

  void begin_snapshot(RaftIndex index) {
    state_ = State::kSnapshot;
    snapshot_ = index;
    in_flight_.clear();
  }
  /// Finds out anew how far the member is: what was sent may be lost.
  void restart() {
    if (state_ == State::kStream) next_ = match_ + 1;
    if (state_ == State::kSnapshot) next_ = snapshot_ + 1;
    begin_probe();
  }
  /// Asked once in a retry interval, of a member that owes an answer: whether it has given none since it was asked last.
  bool is_stuck() noexcept {
    const bool stuck = asked_ && !moved_;
    asked_ = true;
    moved_ = false;
    return stuck;
  }
  void owes_nothing() noexcept { asked_ = false; }

 private:
  void begin_probe() {
    state_ = State::kProbe;
    probe_sent_ = false;
    in_flight_.clear();
  }
  void begin_stream() {
    state_ = State::kStream;
    next_ = match_ + 1;
    in_flight_.clear();
  }

  ReplicaId id_;
  State state_ = State::kProbe;
  bool probe_sent_ = false;
  bool moved_ = false;  ///< has answered since `asked_`
  bool asked_ = false;
  RaftIndex match_;
  RaftIndex next_;
  RaftIndex snapshot_;
  std::uint64_t round_ = 0;
  std::vector<RaftIndex> in_flight_;  ///< the last index of each
};

}  // namespace pyralog::raft
