#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "sim/coverage.h"
#include "sim/history.h"

namespace pyralog::sim {

/// How long compacted logs keep deletions: readers who take longer may miss one, and see what it deleted.
inline constexpr Duration kDeletionsKept = std::chrono::seconds(1);

/// Names one record of a compacted log; it travels in the record's header, since a deletion has no value.
using KeyedId = StrongId<struct KeyedIdTag, std::uint64_t>;

/// What clients wrote to compacted logs and found there, judged: of each key the newest record that was acknowledged before
/// the look is there, or a newer one, or a deletion was the newest and may be gone; nothing older is the newest again;
/// records keep their offsets and their bytes; none is there that nobody wrote. All of these logs are durable.
class KeyedHistory {
 public:
  using Place = std::pair<std::size_t, PartitionIndex>;
  /// A record as somebody found it.
  struct Found {
    Offset offset;
    KeyedId id;
    std::string key;
    bool is_deletion = false;
  };

  KeyedHistory(History& history, Coverage& coverage) : history_(history), coverage_(coverage) {}

  KeyedId write(Place place, std::string key, bool is_deletion);
  void acknowledge(KeyedId id, Offset offset, MonotonicTime now);
  /// It certainly was not written.
  void refuse(KeyedId id);

  /// All that is in a partition, by offset, as somebody found it who began to read at `asked`.
  void check(Place place, const std::vector<Found>& found, MonotonicTime asked, MonotonicTime now);

 private:
  struct Write {
    Place place;
    std::string key;
    bool is_deletion = false;
    MonotonicTime answered{};
    Outcome outcome = Outcome::kUnknown;
    std::optional<Offset> offset;
  };

  std::string text(KeyedId id) const;
  bool check_record(Place place, const Found& found);
  void check_key(Place place, const std::string& key, const Found* newest, MonotonicTime asked, Duration took);

  History& history_;
  Coverage& coverage_;
  std::vector<Write> writes_;
  std::map<Place, std::map<std::string, std::vector<KeyedId>>> by_key_;
};

}  // namespace pyralog::sim
