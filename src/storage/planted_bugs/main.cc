// Shows that the crash simulation catches the bugs that it is there for: plants each in turn and looks for a seed that
// fails. `storage_planted_bugs [name]`; exits 1 if a bug goes unnoticed, or if the simulation fails without one.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <variant>

#include "storage/cached_crash_simulation.h"
#include "storage/compaction_simulation.h"
#include "storage/crash_simulation.h"
#include "storage/planted.h"

namespace pyralog::storage::crash {
namespace {

struct Compacted {};
struct Cached {};
/// The simulation that is to show a bug: the store's with an emphasis, a compacted log's, the cached class's.
using Runs = std::variant<Emphasis, Compacted, Cached>;

struct Planted {
  Bug bug;
  Runs runs;
  const char* name;
};

constexpr Planted kPlanted[] = {
    {Bug::kNoImage, Emphasis::kAppends, "no image"},
    {Bug::kAcknowledgeBeforeSync, Emphasis::kAppends, "acknowledge before the sync"},
    {Bug::kFailedSyncRetried, Emphasis::kFailedSyncs, "a failed sync is tried again"},
    {Bug::kRecycleBeforeCheckpoint, Emphasis::kCheckpoints, "recycle before the checkpoint is durable"},
    {Bug::kSingleCheckpoint, Emphasis::kAppends, "single checkpoint"},
    {Bug::kNoEmptyRound, Emphasis::kRot, "no empty round"},
    {Bug::kJournalNotSyncedFirst, Emphasis::kAppends, "recovery does not sync the journal"},
    {Bug::kCheckpointNotSyncedFirst, Emphasis::kCheckpoints, "recovery does not sync the checkpoint"},
    {Bug::kReadThroughCache, Emphasis::kFailedSyncs, "recovery reads through the cache"},
    {Bug::kTailTakenForTorn, Emphasis::kRot, "rot before durable rounds is taken for a torn tail"},
    {Bug::kRedoFromTooHigh, Emphasis::kAppends, "redo_from one too high"},
    {Bug::kRedoIgnoresRoundInFlight, Emphasis::kAppends, "redo ignores the round in flight"},
    {Bug::kLastBlockNotRestored, Emphasis::kCheckpoints, "last block not restored"},
    {Bug::kBodySharesOldBlock, Emphasis::kBypass, "body shares an old block"},
    {Bug::kBodyNotSynced, Emphasis::kBypass, "body not synced"},
    {Bug::kBodyNotVerified, Emphasis::kBypass, "body not verified"},
    {Bug::kSupersededBodyVerified, Emphasis::kBypass, "superseded body verified"},
    {Bug::kBodyBesideRemoval, Emphasis::kRemovals, "body and removal in one round"},
    {Bug::kNoDirectorySync, Emphasis::kAppends, "no directory sync"},
    {Bug::kSaltReused, Emphasis::kForgery, "the same salt for ever"},
    {Bug::kOneHeaderCopy, Emphasis::kRot, "one header copy"},
    {Bug::kRestBeforeSuccessor, Emphasis::kForgery, "the rest of a file before its successor"},
    {Bug::kNoSuccessorMark, Emphasis::kRot, "no mark of the file that takes over"},
    {Bug::kPassOverlapsTruncation, Emphasis::kAppends, "a pass overlaps a truncation"},
    {Bug::kUnsyncedRoundCleaned, Emphasis::kRot, "segment writes of an unsynced round"},
    {Bug::kCompactedFileNotSynced, Emphasis::kCompaction, "a compacted segment is not synced"},
    {Bug::kCompactedNameNotSynced, Emphasis::kCompaction, "nor is its name"},
    {Bug::kReplacedSegmentsGoFirst, Emphasis::kCompaction, "replaced segments go before that is durable"},
    {Bug::kCompactionWithoutState, Compacted{}, "a compaction that does not carry the log's state"},
    {Bug::kSupersededKept, Compacted{}, "superseded records stay"},
    {Bug::kOlderRecordWins, Compacted{}, "an older record wins"},
    {Bug::kTombstoneGoesAtOnce, Compacted{}, "tombstones go at once"},
    {Bug::kProducersForgotten, Compacted{}, "producers are forgotten"},
    {Bug::kClassesShareSegment, Cached{}, "both classes in one segment"},
    {Bug::kSolidBeforeSync, Cached{}, "solid before the sync"},
    {Bug::kScanNotSynced, Cached{}, "a scan does not sync what it finds"},
    {Bug::kEmptiedNamesKept, Cached{}, "names that a truncation emptied are kept"},
};

constexpr std::uint64_t kSeedsPerChild = 25;
constexpr std::uint64_t kSeedsMax = 1000;
constexpr unsigned kSecondsPerChild = 120;

bool passes(Runs runs, std::uint64_t seed) {
  if (std::holds_alternative<Compacted>(runs)) return CompactionSimulation(seed).run();
  if (std::holds_alternative<Cached>(runs)) return cached::Simulation(seed).run();
  return Simulation(seed, std::get<Emphasis>(runs)).run();
}

/// Whether one of the seeds from `first` on fails: a wrong state, a failed assertion, a hang.
bool fails(Bug bug, Runs runs, std::uint64_t first) {
  std::fflush(nullptr);  // else the child would print it again
  const pid_t child = fork();
  if (child == 0) {
    planted_bug = bug;
    alarm(kSecondsPerChild);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    for (std::uint64_t seed = first; seed < first + kSeedsPerChild; ++seed) {
      if (!passes(runs, seed)) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool caught(const Planted& planted) {
  for (std::uint64_t first = 1; first <= kSeedsMax; first += kSeedsPerChild) {
    if (!fails(planted.bug, planted.runs, first)) continue;
    std::printf("caught within %4llu seeds: %s\n", static_cast<unsigned long long>(first + kSeedsPerChild - 1), planted.name);
    return true;
  }
  std::printf("NOT CAUGHT in %llu seeds: %s\n", static_cast<unsigned long long>(kSeedsMax), planted.name);
  return false;
}

int run(std::string_view only) {
  int missed = 0;
  for (const Planted& planted : kPlanted) {
    if (!only.empty() && only != planted.name) continue;
    if (!caught(planted)) ++missed;
    std::fflush(stdout);
  }
  for (std::uint64_t emphasis = 0; only.empty() && emphasis < kEmphases; ++emphasis) {
    if (!fails(Bug::kNone, static_cast<Emphasis>(emphasis), 1)) continue;
    std::printf("fails without a planted bug\n");
    ++missed;
  }
  if (only.empty() && fails(Bug::kNone, Compacted{}, 1)) {
    std::printf("a compacted log fails without a planted bug\n");
    ++missed;
  }
  if (only.empty() && fails(Bug::kNone, Cached{}, 1)) {
    std::printf("a cached log fails without a planted bug\n");
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pyralog::storage::crash

int main(int argc, char** argv) { return pyralog::storage::crash::run(argc > 1 ? argv[1] : ""); }
