#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ids.h"
#include "core/random.h"
#include "core/time.h"

namespace pyralog::server {

/// What a client asks of one partition.
struct FetchTarget {
  Offset offset;
  std::int32_t bytes_max = 0;
  LeaderEpoch current_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
};

/// How a client names a log: by name up to Fetch 12, by id from 13.
struct FetchTopic {
  LogId id;
  std::string name;
  friend bool operator==(const FetchTopic&, const FetchTopic&) = default;
};

/// One partition of a session, with what was last told to the client: answers leave out what has not changed.
struct SessionPartition {
  std::uint32_t topic = 0;  ///< index into FetchSession::topics()
  PartitionIndex index;
  FetchTarget target;
  Offset sent_high_watermark{-1};
  Offset sent_start{-1};
};

/// The partitions that a client fetches again and again (KIP-227), so that it need not name them each time.
class FetchSession {
 public:
  FetchSession(std::int32_t id, bool by_id) : id_(id), by_id_(by_id) {}

  std::int32_t id() const noexcept { return id_; }
  bool by_id() const noexcept { return by_id_; }  ///< whether topics are named by id (Fetch 13 and later)
  std::int32_t next_epoch() const noexcept { return next_epoch_; }
  void advance_epoch() noexcept { next_epoch_ = next_epoch_ == INT32_MAX ? 1 : next_epoch_ + 1; }

  /// Adds the partition, or replaces what is asked of it.
  void set(const FetchTopic& topic, PartitionIndex index, const FetchTarget& target);
  void forget(const FetchTopic& topic, PartitionIndex index);

  const FetchTopic& topic(const SessionPartition& partition) const { return topics_[partition.topic]; }
  /// In the order in which they are to be served.
  std::vector<SessionPartition>& partitions() noexcept { return partitions_; }
  std::size_t size() const noexcept { return partitions_.size(); }

  /// Makes `first` (an index into partitions()) the first to be served next time: what a full answer did not reach.
  void serve_first(std::size_t first);

 private:
  static std::uint64_t key(std::uint32_t topic, PartitionIndex index) noexcept {
    return std::uint64_t{topic} << 32 | static_cast<std::uint32_t>(index.value);
  }
  std::uint32_t intern(const FetchTopic& topic);
  const std::uint32_t* find_topic(const FetchTopic& topic) const;
  void reindex(std::size_t begin);

  std::int32_t id_;
  bool by_id_;
  std::int32_t next_epoch_ = 1;
  std::vector<FetchTopic> topics_;
  std::unordered_map<LogId, std::uint32_t> topics_by_id_;
  std::unordered_map<std::string, std::uint32_t> topics_by_name_;
  std::vector<SessionPartition> partitions_;
  std::unordered_map<std::uint64_t, std::size_t> positions_;
};

/// The sessions of one shard, bounded by count and by partitions in all. A full cache drops the longest unused session,
/// but only once it has been idle for a while; until then new clients get none, which they understand.
class FetchSessions {
 public:
  struct Limits {
    std::size_t sessions_max = 1000;
    std::size_t partitions_max = 200'000;
    Duration idle_min = std::chrono::minutes(2);  ///< before a session may be dropped for another
  };

  /// Ids of shard s are those that leave remainder s when divided by `shard_count`, so a foreign id is never found.
  FetchSessions(Limits limits, ShardId shard, std::uint32_t shard_count, Random random)
      : limits_(limits), random_(random), shard_(shard), shard_count_(shard_count) {}

  /// A new session with room for `partitions`, or null.
  FetchSession* create(bool by_id, std::size_t partitions, MonotonicTime now);
  /// Null if there is none. Counts as use.
  FetchSession* find(std::int32_t id, MonotonicTime now);
  void remove(std::int32_t id);
  /// To be called when a session's partitions have changed; false if it must go because there are too many in all.
  bool resized(FetchSession& session);

  std::size_t size() const noexcept { return sessions_.size(); }
  std::size_t partition_count() const noexcept { return partitions_; }

 private:
  struct Entry {
    FetchSession session;
    MonotonicTime used;
    std::size_t counted = 0;  // partitions included in partitions_
  };
  using Entries = std::list<Entry>;  // longest unused first
  bool make_room(std::size_t partitions, MonotonicTime now);
  void erase(Entries::iterator entry);
  std::int32_t new_id();

  Limits limits_;
  Random random_;
  ShardId shard_;
  std::uint32_t shard_count_;
  Entries entries_;
  std::unordered_map<std::int32_t, Entries::iterator> sessions_;
  std::size_t partitions_ = 0;
};

}  // namespace pyralog::server
