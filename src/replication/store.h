#pragma once

#include <cstdint>
#include <optional>

#include "replication/epoch_table.h"
#include "replication/replica_id.h"

namespace pyralog::replication {

/// What a leader says of a batch that it sends (STORE, replication.md §3), without its bytes. With `end` == `base` there is
/// no batch: it only asks whether the replica's log is the leader's up to there.
struct StoreHead {
  Ballot ballot;
  LeaderEpoch epoch;  ///< of the batch: the ballot's, or an older one where a new leader levels copies (RECOVERY)
  Offset base;
  Offset end;         ///< exclusive
  std::uint32_t crc = 0;
  LeaderEpoch prev_epoch = kNoLeaderEpoch;  ///< of the record before `base`; kNoLeaderEpoch: the leader's log starts there
};

/// The batch that a replica has where another one is to go.
struct PresentBatch {
  LeaderEpoch epoch;
  Offset base;
  Offset end;
  std::uint32_t crc = 0;
};

/// What a replica does with a batch that passed the fence (replication.md §4.2).
struct StoreAction {
  enum class Kind : std::uint8_t {
    kAppend,          ///< at the log's end
    kKeep,            ///< it is here: answer OK once it is synced
    kTruncateAppend,  ///< what is here is of an older epoch: truncate at `base`, then append
    kTrim,            ///< the leader's log starts at `base`: forget everything below (it was committed and deleted), ask again
    kGap,             ///< what goes before is missing or another: say `tail`
    kConflict,        ///< same place and epoch, other contents, or a newer one: refuse and raise an alarm
    kInvalid,         ///< the message contradicts itself
  };
  Kind kind = Kind::kInvalid;
  LogShape::Tail tail{};  ///< kGap: the newest epoch here not above the batch's predecessor's, and its end

  friend bool operator==(const StoreAction&, const StoreAction&) = default;
};

/// `present`: the batch that covers `head.base` here, if that lies below the log's end. `committed`: what this replica knows
/// to be committed, and so may never truncate.
StoreAction decide_store(const LogShape& log, const StoreHead& head, const std::optional<PresentBatch>& present,
                         Offset committed);

/// Where a leader whose log is `leader` goes on with a replica that answered `gap`: the lesser end of that epoch.
Offset rewind_to(const LogShape& leader, const LogShape::Tail& gap) noexcept;

}  // namespace pyralog::replication
