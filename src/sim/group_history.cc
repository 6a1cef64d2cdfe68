#include "sim/group_history.h"

#include <algorithm>
#include <charconv>

namespace pyralog::sim {

std::size_t GroupHistory::add_group(std::string id) {
  groups_.push_back({.id = std::move(id)});
  return groups_.size() - 1;
}

std::string GroupHistory::place_text(std::size_t group, LogPlace place) const {
  return "group " + groups_[group].id + ", " + history_.log(place.first).name + "/" + std::to_string(place.second.value);
}

std::string GroupHistory::text(CommitId id) const {
  const Commit& commit = commits_[id.value];
  return "commit " + std::to_string(id.value) + " (offset " + std::to_string(commit.offset.value) + ", generation " +
         std::to_string(commit.claim.generation) + ", member " + commit.claim.member_id + ")";
}

void GroupHistory::assigned(std::size_t group, const MemberClaim& claim, const std::string& owner,
                            const std::vector<LogPlace>& places) {
  Group& of = groups_[group];
  of.generation_assigned = std::max(of.generation_assigned, claim.generation);
  coverage_.add(Happened::kGroupAssigned);
  for (const LogPlace& place : places) {
    const auto [known, is_first] = of.owners.emplace(std::pair(claim.generation, place), owner);
    if (is_first || known->second == owner) continue;
    history_.violate(place_text(group, place) + ": in generation " + std::to_string(claim.generation) + " both " +
                     known->second + " and " + owner + " own it");
  }
}

void GroupHistory::replaced(std::size_t group, const std::string& old_id) {
  if (groups_[group].replaced.insert(old_id).second) coverage_.add(Happened::kStaticReplaced);
}

bool GroupHistory::is_fenced(std::size_t group, const MemberClaim& claim) const {
  const Group& of = groups_[group];
  return claim.generation < of.generation_assigned || of.replaced.contains(claim.member_id);
}

void GroupHistory::granted_to_fenced(std::size_t group, const MemberClaim& claim, const std::string& what) {
  history_.violate("group " + groups_[group].id + ": " + what + " of " + claim.member_id + " in generation " +
                   std::to_string(claim.generation) + " is granted, but generation " +
                   std::to_string(groups_[group].generation_assigned) + " has been assigned, or the member replaced");
}

CommitId GroupHistory::commit(std::size_t group, LogPlace place, Offset offset, const MemberClaim& claim,
                              MonotonicTime now) {
  const CommitId id(commits_.size());
  commits_.push_back({.group = group, .place = place, .offset = offset, .invoked = now, .claim = claim});
  commits_.back().was_fenced = is_fenced(group, claim);
  groups_[group].commits[place].push_back(id);
  return id;
}

void GroupHistory::committed(CommitId id, MonotonicTime now) {
  Commit& commit = commits_[id.value];
  if (commit.was_fenced) return granted_to_fenced(commit.group, commit.claim, text(id));
  coverage_.add(Happened::kCommitted);
  if (commit.outcome == Outcome::kAcknowledged) return;  // somebody has seen it already
  commit.outcome = Outcome::kAcknowledged;
  commit.answered = now;
}

void GroupHistory::refused(CommitId id) {
  Commit& commit = commits_[id.value];
  if (commit.outcome == Outcome::kAcknowledged) {
    return history_.violate(place_text(commit.group, commit.place) + ": " + text(id) + " was refused and carried out");
  }
  commit.outcome = Outcome::kRefused;
  if (commit.was_fenced) coverage_.add(Happened::kZombieRefused);
}

void GroupHistory::saw(std::size_t group, LogPlace place, const Told& told, MonotonicTime asked, MonotonicTime now,
                       std::uint32_t life) {
  if (!told.offset.has_value()) return check_none(group, place, asked);
  std::uint64_t number = commits_.size();
  (void)std::from_chars(told.metadata.data(), told.metadata.data() + told.metadata.size(), number);
  const std::string where = place_text(group, place) + ": offset " + std::to_string(told.offset->value);
  if (number >= commits_.size()) return history_.violate(where + " is committed, and nobody did that");
  Commit& commit = commits_[number];
  const CommitId id(number);
  if (commit.group != group || commit.place != place || commit.offset != *told.offset) {
    return history_.violate(where + " is committed with the metadata of " + text(id) + " for " +
                            place_text(commit.group, commit.place));
  }
  if (commit.outcome == Outcome::kRefused) return history_.violate(where + ": " + text(id) + " was refused");
  if (*told.offset > delivered_end(group, place)) {
    return history_.violate(where + " is committed, and no member was given the records from " +
                            std::to_string(delivered_end(group, place).value) + " on");
  }
  check_replaced(id, asked);
  const auto [before, is_first] = groups_[group].seen_in_life.try_emplace(place, life);
  if (!is_first && std::exchange(before->second, life) < life) coverage_.add(Happened::kOffsetSurvived);
  // What is seen is durable.
  if (commit.outcome != Outcome::kUnknown) return;
  commit.outcome = Outcome::kAcknowledged;
  commit.answered = now;
}

void GroupHistory::check_none(std::size_t group, LogPlace place, MonotonicTime asked) {
  const auto commits = groups_[group].commits.find(place);
  if (commits == groups_[group].commits.end()) return;
  for (const CommitId id : commits->second) {
    const Commit& commit = commits_[id.value];
    if (commit.outcome != Outcome::kAcknowledged || commit.answered >= asked) continue;
    return history_.violate(place_text(group, place) + ": nothing is committed, but " + text(id) + " was acknowledged");
  }
}

/// Nothing that was acknowledged between the end of commit `id` and the question may have replaced it.
void GroupHistory::check_replaced(CommitId id, MonotonicTime asked) {
  const Commit& told = commits_[id.value];
  if (told.outcome != Outcome::kAcknowledged) return;
  for (const CommitId other : groups_[told.group].commits[told.place]) {
    const Commit& commit = commits_[other.value];
    if (commit.outcome != Outcome::kAcknowledged || commit.answered >= asked || commit.invoked <= told.answered) continue;
    return history_.violate(place_text(told.group, told.place) + ": told is " + text(id) + ", but " + text(other) +
                            " was made after it and acknowledged");
  }
}

void GroupHistory::delivered(std::size_t group, LogPlace place, Offset from, Offset end) {
  Offset& known = groups_[group].delivered[place];
  if (from > known) {
    return history_.violate(place_text(group, place) + ": a member reads from offset " + std::to_string(from.value) +
                            " on, and nobody was given those from " + std::to_string(known.value) + " on");
  }
  known = std::max(known, end);
}

Offset GroupHistory::delivered_end(std::size_t group, LogPlace place) const {
  const auto found = groups_[group].delivered.find(place);
  return found != groups_[group].delivered.end() ? found->second : Offset(0);
}

}  // namespace pyralog::sim
