#pragma once

#include <cstdint>

/// Bugs to plant, so that the crash simulations can be shown to catch them (storage.md §9). They exist only in the program
/// `storage_planted_bugs` and `sim_planted_bugs`; everywhere else `planted` is a constant and leaves no code. README.md says
/// which of storage.md's list are no bugs here.
namespace pyralog::storage {

enum class Bug : std::uint8_t {
  kNone,
  kNoImage,
  kAcknowledgeBeforeSync,
  kFailedSyncRetried,
  kRecycleBeforeCheckpoint,
  kSingleCheckpoint,
  kNoEmptyRound,
  kJournalNotSyncedFirst,
  kCheckpointNotSyncedFirst,
  kReadThroughCache,
  kTailTakenForTorn,
  kRedoFromTooHigh,
  kRedoIgnoresRoundInFlight,
  kLastBlockNotRestored,
  kBodySharesOldBlock,
  kBodyNotSynced,
  kBodyNotVerified,
  kSupersededBodyVerified,
  kBodyBesideRemoval,
  kNoDirectorySync,
  kSaltReused,
  kOneHeaderCopy,
  kRestBeforeSuccessor,
  kNoSuccessorMark,
  kPassOverlapsTruncation,
  kUnsyncedRoundCleaned,
  kCompactedFileNotSynced,
  kCompactedNameNotSynced,
  kReplacedSegmentsGoFirst,
  kCompactionWithoutState,
  // What compaction keeps: compaction_crash_test.cc.
  kSupersededKept,
  kOlderRecordWins,
  kTombstoneGoesAtOnce,
  kProducersForgotten,
  // Of the cached class.
  kClassesShareSegment,
  kSolidBeforeSync,
  kScanNotSynced,
  kEmptiedNamesKept,
  // Above the store; `sim_planted_bugs` has these too.
  kMetadataNotAwaited,
  kProducerIdsOverlap,
  kWrongBaseOfRetry,
  // Of groups.
  kGroupAppendNotAwaited,
  kGroupBatchLoadedInPart,
  kOldGenerationAdmitted,
};

#ifdef PYRALOG_PLANT_BUGS
inline Bug planted_bug = Bug::kNone;
inline bool planted(Bug bug) noexcept { return planted_bug == bug; }
#else
constexpr bool planted(Bug) noexcept { return false; }
#endif

}  // namespace pyralog::storage
