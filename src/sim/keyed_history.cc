#include "sim/keyed_history.h"

#include <algorithm>
#include <set>

namespace pyralog::sim {

KeyedId KeyedHistory::write(Place place, std::string key, bool is_deletion) {
  const KeyedId id(writes_.size());
  by_key_[place][key].push_back(id);
  writes_.push_back({.place = place, .key = std::move(key), .is_deletion = is_deletion});
  return id;
}

void KeyedHistory::acknowledge(KeyedId id, Offset offset, MonotonicTime now) {
  Write& write = writes_[id.value];
  if (write.offset.has_value() && *write.offset != offset) {
    return history_.violate(text(id) + " is acknowledged at offset " + std::to_string(offset.value) + ", and was found at " +
                            std::to_string(write.offset->value));
  }
  coverage_.add(Happened::kKeyedWritten);
  write.offset = offset;
  if (write.outcome == Outcome::kAcknowledged) return;  // somebody has found it already
  write.outcome = Outcome::kAcknowledged;
  write.answered = now;
}

void KeyedHistory::refuse(KeyedId id) {
  if (writes_[id.value].outcome == Outcome::kAcknowledged) history_.violate(text(id) + " was refused and is there");
  writes_[id.value].outcome = Outcome::kRefused;
}

std::string KeyedHistory::text(KeyedId id) const {
  const Write& write = writes_[id.value];
  return history_.log(write.place.first).name + "/" + std::to_string(write.place.second.value) + ", key " + write.key + ": " +
         (write.is_deletion ? "deletion " : "value ") + std::to_string(id.value) +
         (write.offset.has_value() ? " (offset " + std::to_string(write.offset->value) + ")" : "");
}

void KeyedHistory::check(Place place, const std::vector<Found>& found, MonotonicTime asked, MonotonicTime now) {
  std::map<std::string, const Found*> newest;
  std::set<KeyedId> ids;
  Offset next;
  for (const Found& record : found) {
    if (!check_record(place, record)) return;
    if (record.offset < next || !ids.insert(record.id).second) {
      return history_.violate(text(record.id) + " is there twice, or at offset " + std::to_string(record.offset.value) +
                              " behind " + std::to_string(next.value));
    }
    next = record.offset + OffsetDelta(1);
    newest[record.key] = &record;
    Write& write = writes_[record.id.value];
    if (write.outcome == Outcome::kAcknowledged) continue;
    // What is found is durable.
    write.outcome = Outcome::kAcknowledged;
    write.answered = now;
    write.offset = record.offset;
  }
  for (const auto& [key, written] : by_key_[place]) {
    const auto at = newest.find(key);
    check_key(place, key, at != newest.end() ? at->second : nullptr, asked, now - asked);
    for (const KeyedId id : written) {
      const Write& write = writes_[id.value];
      if (write.outcome != Outcome::kAcknowledged || write.answered >= asked || ids.contains(id)) continue;
      coverage_.add(write.is_deletion ? Happened::kDeletionGone : Happened::kSupersededGone);
    }
  }
}

bool KeyedHistory::check_record(Place place, const Found& found) {
  const std::string where = history_.log(place.first).name + "/" + std::to_string(place.second.value) + " offset " +
                            std::to_string(found.offset.value);
  if (found.id.value >= writes_.size()) return history_.violate(where + ": a record that nobody wrote"), false;
  const Write& write = writes_[found.id.value];
  if (write.place != place || write.key != found.key || write.is_deletion != found.is_deletion) {
    return history_.violate(where + ": not what was written as " + text(found.id)), false;
  }
  if (write.outcome == Outcome::kRefused) return history_.violate(where + ": was refused: " + text(found.id)), false;
  if (write.offset.has_value() && *write.offset != found.offset) {
    return history_.violate(where + ": has moved: " + text(found.id)), false;
  }
  return true;
}

void KeyedHistory::check_key(Place place, const std::string& key, const Found* newest, MonotonicTime asked,
                             Duration took) {
  std::optional<KeyedId> wanted;
  bool may_be_deleted = false;
  for (const KeyedId id : by_key_[place][key]) {
    const Write& write = writes_[id.value];
    const bool is_settled = write.outcome == Outcome::kAcknowledged && write.answered < asked;
    if (!is_settled && write.outcome != Outcome::kRefused && write.is_deletion) may_be_deleted = true;
    if (is_settled && (!wanted.has_value() || *write.offset > *writes_[wanted->value].offset)) wanted = id;
  }
  if (!wanted.has_value()) return;
  const Write& write = writes_[wanted->value];
  if (newest == nullptr) {
    if (!write.is_deletion && !may_be_deleted) history_.violate(text(*wanted) + " was the newest, and the key is gone");
    return;
  }
  const bool is_missed = took >= kDeletionsKept && (write.is_deletion || may_be_deleted);
  if (newest->offset >= *write.offset || is_missed) return;
  history_.violate(text(*wanted) + " was the newest, and is gone: now " + text(newest->id) + " is");
}

}  // namespace pyralog::sim
