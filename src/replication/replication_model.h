#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/random.h"
#include "replication/activation.h"
#include "replication/store.h"

namespace pyralog::replication::testing {

/// Ways in which a node may do its part wrongly, each of which the checks must notice.
enum class Mistake : std::uint8_t {
  kNone,
  kStoredBeforeSync,       ///< a copy that is only in memory is counted, the log being durable
  kStaleLifeCounted,       ///< an answer of a process that has since lost what it said counts
  kVotePromisesNothing,    ///< a voter goes on accepting the old leader's records
  kLeaderBypassesFence,    ///< a leader that was not told of its successor counts its own copy although it has promised
  kDecidesBeforeLevelling, ///< the row is committed before enough copies are there
  kTruncatesByHint,        ///< a follower cuts at what it knows to be committed, not at what the rows say
  kTailOmitsUnsynced,      ///< a voter tells of what is synced only, although it has more and answers for it later
  kSuspectIsAuthority,     ///< what a suspect replica lacks counts as absent
  kAcksAfterFreeze,        ///< graceful: acknowledgements of the old epoch count after the first vote was asked for
  kOverAnothersRow,        ///< graceful: although somebody else led in between
  kSealsMajorityOnly,      ///< a majority instead of a seal quorum is asked (W below a majority)
};

struct ModelOptions {
  std::uint64_t seed = 1;
  std::size_t replicas = 3;
  std::size_t write_quorum = 2;
  bool is_cached = false;  ///< copies count before they are synced
  Mistake mistake = Mistake::kNone;
  std::uint32_t steps = 2500;
};

/// One record in the model.
struct ModelBatch {
  LeaderEpoch epoch;
  std::uint32_t crc = 0;
  friend auto operator<=>(const ModelBatch&, const ModelBatch&) = default;
};

/// What must hold whatever happens (replication.md §13). Knows all that was ever promised.
struct ModelTruth {
  std::vector<ModelBatch> committed;  ///< by offset
  std::map<LeaderEpoch, NodeId> leaders;
  LeaderEpoch newest_open = kNoLeaderEpoch;
  std::map<std::pair<LeaderEpoch, std::int64_t>, std::uint32_t> crcs;
  std::size_t acked = 0;
  std::size_t activations = 0;
};

inline MonotonicTime at(std::uint32_t step) { return MonotonicTime(std::chrono::milliseconds(step)); }

/// Replicas of one partition on a network that delays, reorders, duplicates and loses, each killed and cut off power at any
/// time; with a Raft log reduced to its rules (whole logs travel), and the parts of this component where the server will
/// have them. Steps are drawn from the seed. `failure` says what went wrong first.
class ReplicationModel {
 public:
  explicit ReplicationModel(ModelOptions options);
  /// Runs all steps, then heals and waits for a leader that commits. False: see `failure`.
  bool run();

  const std::string& failure() const noexcept { return failure_; }
  const ModelTruth& truth() const noexcept { return truth_; }
  /// How often each kind of event happened.
  const std::map<std::string, std::size_t>& happened() const noexcept { return happened_; }

 private:
  struct RaftEntry {
    LeaderEpoch term;
    std::optional<EpochRow> row;  ///< none: an entry that only commits those before it
    friend bool operator==(const RaftEntry&, const RaftEntry&) = default;
  };
  struct Leading {
    std::optional<Activation> activation;
    std::optional<CommitTracker> copies;  ///< once it leads
    std::map<NodeId, std::size_t> raft_matched;
    std::map<NodeId, Offset> next;        ///< what to send to a follower
    std::map<NodeId, BootId> lives;       ///< as their handshakes said
    LeaderEpoch term;
    Offset acked;
  };
  struct Frozen {
    LeaderEpoch epoch;
    Offset committed;
  };
  struct Waiting {
    Ballot ballot;
    NodeId to;
    Offset end;
  };
  struct Node {
    ReplicaId id;
    BootId life{1};
    bool is_up = true;
    // Durable at once.
    LeaderEpoch term = kNoLeaderEpoch;
    std::vector<RaftEntry> raft;
    LeaderEpoch raft_accepted = kNoLeaderEpoch;  ///< the term of whose leader `raft` is
    Promise promise;
    std::optional<Offset> suspect_from;
    // Durable up to `synced`.
    std::vector<ModelBatch> log;
    std::size_t synced = 0;
    Offset hint;  ///< of what is committed
    // In memory.
    std::size_t raft_committed = 0;
    std::map<NodeId, TailInfo> votes;  ///< of its candidacy
    bool is_candidate = false;
    std::optional<Frozen> frozen;  ///< of an epoch that it led in this life, and means to go on from
    std::optional<Leading> leading;
    std::vector<Waiting> waiting;  ///< for the sync
  };

  struct Vote { LeaderEpoch term, last_term; std::size_t length; };
  struct VoteReply { LeaderEpoch term; bool granted; TailInfo tail; };
  struct Seal { Ballot ballot; };
  struct SealReply { LeaderEpoch term; TailInfo tail; };
  struct RaftAppend { LeaderEpoch term; std::vector<RaftEntry> log; std::size_t committed; };
  struct RaftReply { LeaderEpoch term; std::size_t length; };
  struct Store { StoreHead head; Offset committed; bool is_recovery; BootId to_life; };
  struct Stored { Ballot ballot; BootId life; Offset end; };
  struct Hello { BootId life; };
  struct Gap { Ballot ballot; LogShape::Tail tail; };
  struct Fenced { LeaderEpoch epoch; };
  struct Fetch { Ballot ballot; Offset from; };
  struct Fetched { Ballot ballot; Offset from; std::vector<ModelBatch> batches; };
  using Body =
      std::variant<Vote, VoteReply, Seal, SealReply, RaftAppend, RaftReply, Store, Stored, Hello, Gap, Fenced, Fetch, Fetched>;
  struct Message {
    NodeId from, to;
    Body body;
  };

  bool wrong(Mistake mistake) const noexcept { return options_.mistake == mistake; }
  bool fail(std::string what);
  std::string describe() const;  ///< every node, a line each
  void note(const char* what) { ++happened_[what]; }
  Node& node(NodeId id) { return nodes_[static_cast<std::size_t>(id.value)]; }
  NodeId random_node() { return NodeId(static_cast<std::int32_t>(random_.below(nodes_.size()))); }
  std::size_t majority() const noexcept { return nodes_.size() / 2 + 1; }
  void send(NodeId from, NodeId to, Body body) { network_.push_back({from, to, std::move(body)}); }

  // What happens.
  void step();
  void fault(Node& self);
  void deliver();
  void receive(const Message& message);
  void take(Node& self, NodeId from, const Vote& message);
  void take(Node& self, NodeId from, const VoteReply& message);
  void take(Node& self, NodeId from, const Seal& message);
  void take(Node& self, NodeId from, const SealReply& message);
  void take(Node& self, NodeId from, const RaftAppend& message);
  void take(Node& self, NodeId from, const RaftReply& message);
  void take(Node& self, NodeId from, const Store& message);
  void take(Node& self, NodeId from, const Stored& message);
  void take(Node& self, NodeId from, const Hello& message);
  void take(Node& self, NodeId from, const Gap& message);
  void take(Node& self, NodeId from, const Fenced& message);
  void take(Node& self, NodeId from, const Fetch& message);
  void take(Node& self, NodeId from, const Fetched& message);
  void stand(Node& self);
  void campaign(Node& self);
  void reactivate(Node& self);
  void stamp_anew(Node& self, Offset from);
  void produce(Node& self);
  void seal(Node& self, NodeId from, const TailInfo& tail);
  void sync(Node& self);
  void kill(Node& self, bool power);
  void tick(Node& self);

  // A leader's part.
  void win(Node& self);
  void drive(Node& self);
  void push(Node& self, NodeId to);
  void count_own(Node& self);
  void propose(Node& self, std::optional<EpochRow> row);
  void raft_commit(Node& self);
  void open(Node& self);
  void acknowledge(Node& self);
  void step_down(Node& self, LeaderEpoch newer);

  // A replica's part.
  TailInfo tail_of(const Node& self) const;
  LogShape shape_of(const Node& self) const;
  EpochTable table_of(const std::vector<RaftEntry>& raft, std::size_t length);
  void truncate(Node& self, Offset end, const char* why);
  void append(Node& self, ModelBatch batch);
  void learn_rows(Node& self);
  void answer_stored(Node& self, const Waiting& waiting);

  // Checks.
  void check_activation(const Node& leader, const EpochRow& row);
  void check_copy(const Node& leader, const Node& replica, Offset end);
  void check_committed(const Node& leader, Offset end);
  bool check_agreement();

  ModelOptions options_;
  Random random_;
  std::vector<Node> nodes_;
  std::vector<Message> network_;
  std::vector<Message> held_;  ///< messages that are very late
  std::vector<std::pair<NodeId, NodeId>> cut_;  ///< links that lose everything
  ModelTruth truth_;
  std::string failure_;
  std::map<std::string, std::size_t> happened_;
  std::uint32_t crc_next_ = 1;
  std::uint32_t now_ = 0;
  bool is_healed_ = false;
  // How restless this seed is.
  std::uint64_t candidates_ = 0;  ///< candidacies per thousand steps without a leader
  std::uint64_t faults_ = 0;      ///< faults per hundred steps that could be one
  bool has_favourite_ = false;    ///< mostly the same node stands
  std::uint64_t disorder_ = 0;    ///< messages of a hundred that arrive out of turn
};

}  // namespace pyralog::replication::testing
