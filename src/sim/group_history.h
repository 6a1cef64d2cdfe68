#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "sim/coverage.h"
#include "sim/history.h"

namespace pyralog::sim {

/// Names one commit of one partition; it travels as the commit's metadata, so that whoever reads an offset knows whose it is.
using CommitId = StrongId<struct CommitIdTag, std::uint64_t>;

/// A partition of one of the run's logs.
using LogPlace = std::pair<std::size_t, PartitionIndex>;

/// Who a member believes to be.
struct MemberClaim {
  std::int32_t generation = -1;
  std::string member_id;
  friend bool operator==(const MemberClaim&, const MemberClaim&) = default;
};

/// What the members of groups did and were told, judged: an offset is that of a commit, of none that was refused and of none
/// that an acknowledged one had replaced before anybody asked; below it every record was delivered to some member; no
/// partition has two owners in one generation; who is fenced is refused.
///
/// A generation is over once somebody was given an assignment in a later one: what only some members were told of it before
/// may be lost with the server, and its number given again.
class GroupHistory {
 public:
  GroupHistory(History& history, Coverage& coverage) : history_(history), coverage_(coverage) {}

  std::size_t add_group(std::string id);
  const std::string& id(std::size_t group) const { return groups_[group].id; }
  std::size_t group_count() const noexcept { return groups_.size(); }

  /// A member was given its assignment. `owner`: what stays the same when a static member comes back.
  void assigned(std::size_t group, const MemberClaim& claim, const std::string& owner, const std::vector<LogPlace>& places);
  /// A static member has come back under another id, and was given an assignment.
  void replaced(std::size_t group, const std::string& old_id);
  bool is_fenced(std::size_t group, const MemberClaim& claim) const;
  /// A request other than a commit, sent while its sender was fenced, was granted.
  void granted_to_fenced(std::size_t group, const MemberClaim& claim, const std::string& what);

  CommitId commit(std::size_t group, LogPlace place, Offset offset, const MemberClaim& claim, MonotonicTime now);
  void committed(CommitId id, MonotonicTime now);
  /// It certainly was not carried out.
  void refused(CommitId id);

  /// What is committed for `place`, as told to one who asked at `asked`; without `offset`: nothing.
  struct Told {
    std::optional<Offset> offset;
    std::string metadata;
  };
  void saw(std::size_t group, LogPlace place, const Told& told, MonotonicTime asked, MonotonicTime now, std::uint32_t life);

  /// A member was given the records in [from, end).
  void delivered(std::size_t group, LogPlace place, Offset from, Offset end);
  /// Below it, everything was delivered.
  Offset delivered_end(std::size_t group, LogPlace place) const;

 private:
  struct Commit {
    std::size_t group = 0;
    LogPlace place;
    Offset offset;
    MonotonicTime invoked{};
    MonotonicTime answered{};
    Outcome outcome = Outcome::kUnknown;
    MemberClaim claim;
    bool was_fenced = false;
  };
  struct Group {
    std::string id;
    std::int32_t generation_assigned = -1;
    std::set<std::string> replaced;
    std::map<std::pair<std::int32_t, LogPlace>, std::string> owners;
    std::map<LogPlace, std::vector<CommitId>> commits;
    std::map<LogPlace, Offset> delivered;
    std::map<LogPlace, std::uint32_t> seen_in_life;
  };

  std::string place_text(std::size_t group, LogPlace place) const;
  std::string text(CommitId id) const;
  void check_none(std::size_t group, LogPlace place, MonotonicTime asked);
  void check_replaced(CommitId id, MonotonicTime asked);

  History& history_;
  Coverage& coverage_;
  std::vector<Group> groups_;
  std::vector<Commit> commits_;
};

}  // namespace pyralog::sim
