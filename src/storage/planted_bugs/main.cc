// Shows that the crash simulation catches the bugs that it is there for: plants each in turn and looks for a seed that
// fails. `storage_planted_bugs [name]`; exits 1 if a bug goes unnoticed, or if the simulation fails without one.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "storage/crash_simulation.h"
#include "storage/planted.h"

namespace pyralog::storage::crash {
namespace {

struct Planted {
  Bug bug;
  const char* name;
};

constexpr Planted kPlanted[] = {
    {Bug::kNoImage, "no image"},
    {Bug::kAcknowledgeBeforeSync, "acknowledge before the sync"},
    {Bug::kRecycleBeforeCheckpoint, "recycle before the checkpoint is durable"},
    {Bug::kSingleCheckpoint, "single checkpoint"},
    {Bug::kJournalNotSyncedFirst, "recovery does not sync the journal"},
    {Bug::kCheckpointNotSyncedFirst, "recovery does not sync the checkpoint"},
    {Bug::kReadThroughCache, "recovery reads through the cache"},
    {Bug::kRedoFromTooHigh, "redo_from one too high"},
    {Bug::kOneRedoForAll, "one redo for all"},
    {Bug::kRedoIgnoresRoundInFlight, "redo ignores the round in flight"},
    {Bug::kLastBlockNotRestored, "last block not restored"},
    {Bug::kBodyNotSynced, "body not synced"},
    {Bug::kBodyNotVerified, "body not verified"},
    {Bug::kSupersededBodyVerified, "superseded body verified"},
    {Bug::kBodyBesideTruncation, "body and truncation in one round"},
    {Bug::kNoDirectorySync, "no directory sync"},
    {Bug::kOneHeaderCopy, "one header copy"},
    {Bug::kPassOverlapsTruncation, "a pass overlaps a truncation"},
    {Bug::kLastFileRecycled, "the chain's last file recycled"},
    {Bug::kUnsyncedRoundCleaned, "segment writes of an unsynced round"},
};

constexpr std::uint64_t kSeedsPerChild = 50;
constexpr std::uint64_t kSeedsMax = 20'000;
constexpr unsigned kSecondsPerChild = 120;

/// Whether one of the seeds from `first` on fails: a wrong state, a failed assertion, a hang.
bool fails(Bug bug, std::uint64_t first) {
  const pid_t child = fork();
  if (child == 0) {
    planted_bug = bug;
    alarm(kSecondsPerChild);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    for (std::uint64_t seed = first; seed < first + kSeedsPerChild; ++seed) {
      Simulation simulation(seed);
      if (!simulation.run()) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool caught(const Planted& planted) {
  for (std::uint64_t first = 1; first <= kSeedsMax; first += kSeedsPerChild) {
    if (!fails(planted.bug, first)) continue;
    std::printf("caught within %5llu seeds: %s\n", static_cast<unsigned long long>(first + kSeedsPerChild - 1), planted.name);
    return true;
  }
  std::printf("NOT CAUGHT: %s\n", planted.name);
  return false;
}

int run(std::string_view only) {
  int missed = 0;
  for (const Planted& planted : kPlanted) {
    if (!only.empty() && only != planted.name) continue;
    if (!caught(planted)) ++missed;
    std::fflush(stdout);
  }
  if (only.empty() && fails(Bug::kNone, 1)) {
    std::printf("fails without a planted bug\n");
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pyralog::storage::crash

int main(int argc, char** argv) { return pyralog::storage::crash::run(argc > 1 ? argv[1] : ""); }
