#pragma once

#include <cstdint>

/// Bugs to plant, so that the model simulation can be shown to catch them. They exist only in the program
/// `raft_planted_bugs`; everywhere else `planted` is a constant and leaves no code.
namespace pyralog::raft {

enum class Bug : std::uint8_t {
  kNone,
  kVoteBeforePersist,
  kVotesTwice,
  kVoteIgnoresLog,
  kCommitOfOlderTerm,
  kAppendAnswerBeforePersist,
  kLeaderCountsUnsynced,
  kStaleAppendTruncates,
  kPreviousNotChecked,
  kCommitBeyondVerified,
  kConfigurationUsedOnceCommitted,
  kJointNeedsOneSide,
  kTruncatedConfigurationStays,
  kJointLeftUncommitted,
  kLearnerCounts,
  kAnyVoteCounts,
  kPreVoteCountsAsVote,
  kReadWithoutRound,
  kReadBeforeFirstCommit,
  kOldSnapshotInstalled,
  kPersistOfTruncatedCounts,
  kWipedReplicaKeepsName,
};

#ifdef PYRALOG_PLANT_BUGS
inline Bug planted_bug = Bug::kNone;
inline bool planted(Bug bug) noexcept { return planted_bug == bug; }
#else
constexpr bool planted(Bug) noexcept { return false; }
#endif

}  // namespace pyralog::raft
