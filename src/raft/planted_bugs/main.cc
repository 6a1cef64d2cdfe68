// Shows that the model simulation notices bugs of the core: plants each in turn and looks for a seed that fails.
// `raft_planted_bugs [name]`; exits 1 if a bug goes unnoticed, or if a seed fails without one.
#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "raft/planted.h"
#include "raft/scenario.h"

namespace {

using pyralog::raft::Bug;

struct Planted {
  std::string_view name;
  Bug bug;
};
constexpr Planted kPlanted[] = {
    {"vote before persist", Bug::kVoteBeforePersist},
    {"votes twice", Bug::kVotesTwice},
    {"vote ignores log", Bug::kVoteIgnoresLog},
    {"commit of older term by counting", Bug::kCommitOfOlderTerm},
    {"append answered before persist", Bug::kAppendAnswerBeforePersist},
    {"leader counts itself unsynced", Bug::kLeaderCountsUnsynced},
    {"stale append truncates", Bug::kStaleAppendTruncates},
    {"previous entry not checked", Bug::kPreviousNotChecked},
    {"commit beyond what is verified", Bug::kCommitBeyondVerified},
    {"configuration used once committed", Bug::kConfigurationUsedOnceCommitted},
    {"joint needs one side", Bug::kJointNeedsOneSide},
    {"truncated configuration stays", Bug::kTruncatedConfigurationStays},
    {"joint left uncommitted", Bug::kJointLeftUncommitted},
    {"learner counts", Bug::kLearnerCounts},
    {"any vote counts", Bug::kAnyVoteCounts},
    {"pre-vote counts as vote", Bug::kPreVoteCountsAsVote},
    {"read without a round", Bug::kReadWithoutRound},
    {"read before the term's first commit", Bug::kReadBeforeFirstCommit},
    {"old snapshot installed", Bug::kOldSnapshotInstalled},
    {"persist of truncated entries counts", Bug::kPersistOfTruncatedCounts},
    {"wiped replica keeps its name", Bug::kWipedReplicaKeepsName},
};
constexpr std::uint64_t kSeedsMax = 4'000;
constexpr std::uint64_t kSeedsClean = 100;

std::optional<std::string> failure(std::uint64_t seed) {
  pyralog::raft::Scenario scenario(seed);
  if (scenario.run()) return std::nullopt;
  return scenario.failure();
}

bool is_caught(const Planted& planted) {
  pyralog::raft::planted_bug = planted.bug;
  std::optional<std::string> why;
  std::uint64_t seed = 0;
  while (!why && seed < kSeedsMax) why = failure(++seed);
  pyralog::raft::planted_bug = Bug::kNone;
  fmt::print("{:42} {}\n", planted.name, why ? fmt::format("seed {}: {}", seed, *why) : "NOT CAUGHT");
  return why.has_value();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view only = count > 1 ? arguments[1] : "";
  bool all_caught = true;
  for (const Planted& planted : kPlanted) {
    if (only.empty() || only == planted.name) all_caught &= is_caught(planted);
  }
  for (std::uint64_t seed = 1; seed <= kSeedsClean; ++seed) {
    const auto why = failure(seed);
    if (!why) continue;
    fmt::print("seed {} fails without a planted bug: {}\n", seed, *why);
    return 1;
  }
  return all_caught ? 0 : 1;
}
