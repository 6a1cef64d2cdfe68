#include "sim/history.h"

#include <algorithm>

#include "core/assert.h"

namespace pyralog::sim {
namespace {

std::string text(Offset offset) { return std::to_string(offset.value); }

}  // namespace

void History::violate(std::string what) {
  if (!violation_.has_value()) violation_ = std::move(what);
}

std::size_t History::add_log(LogFacts facts) {
  logs_.push_back(std::move(facts));
  return logs_.size() - 1;
}

void History::ask_class(std::size_t log, bool is_cached) {
  LogFacts& facts = logs_[log];
  ++facts.class_changes;
  facts.may_be_cached |= is_cached;
  facts.was_cached |= is_cached;
}

void History::became_durable(std::size_t log, MonotonicTime asked, std::optional<std::uint32_t> life) {
  logs_[log].may_be_cached = false;
  for (Sending& sending : sendings_) {
    const bool is_before = sending.log == log && sending.outcome == Outcome::kAcknowledged && sending.answered <= asked;
    // What an earlier life acknowledged may have been lost by then.
    if (is_before && sending.life == life) sending.is_durable = true;
  }
}

ValueId History::take_values(std::uint32_t count) {
  const ValueId first(sending_by_value_.size());
  sending_by_value_.resize(sending_by_value_.size() + count, SIZE_MAX);
  return first;
}

std::size_t History::send(Sending sending) {
  const std::size_t index = sendings_.size();
  for (std::uint32_t i = 0; i < sending.count; ++i) sending_by_value_[sending.first.value + i] = index;
  part(sending.log, sending.partition).sendings.push_back(index);
  sending.class_changes = logs_[sending.log].class_changes;
  sendings_.push_back(sending);
  return index;
}

void History::took_producer_id(ProducerId id) {
  if (!producer_ids_.insert(id).second) violate("producer id " + std::to_string(id.value) + " was handed out twice");
}

void History::acknowledge(std::size_t index, std::optional<Offset> base, MonotonicTime now, std::uint32_t life) {
  Sending& sending = sendings_[index];
  sending.outcome = Outcome::kAcknowledged;
  sending.answered = now;
  sending.base = base;
  sending.life = life;
  const LogFacts& log = logs_[sending.log];
  sending.is_durable = !log.may_be_cached && sending.class_changes == log.class_changes;
  coverage_.add(Happened::kAcknowledged);
  if (!base.has_value()) return;
  if (*base < Offset(0)) return violate(place(sending) + " is acknowledged at offset " + text(*base));
  raise_end(sending.log, sending.partition, *base + OffsetDelta(sending.count), life);
}

void History::refuse(std::size_t index, MonotonicTime now) {
  sendings_[index].outcome = Outcome::kRefused;
  sendings_[index].answered = now;
}

void History::raise_end(std::size_t log, PartitionIndex partition, Offset end, std::uint32_t life) {
  Part& of = part(log, partition);
  if (logs_[log].was_cached && life < of.end_life) return;
  const bool starts_anew = logs_[log].was_cached && life > of.end_life;
  of.end_seen = starts_anew ? end : std::max(of.end_seen, end);
  of.end_life = std::max(of.end_life, life);
}

const Sending* History::sending_of(ValueId value) const {
  if (value.value >= sending_by_value_.size() || sending_by_value_[value.value] == SIZE_MAX) return nullptr;
  return &sendings_[sending_by_value_[value.value]];
}

std::string History::place(std::size_t log, PartitionIndex partition) const {
  return logs_[log].name + "/" + std::to_string(partition.value);
}

std::string History::place(const Sending& sending) const {
  return place(sending.log, sending.partition) + ": the batch of " + std::to_string(sending.count) + " values from " +
         std::to_string(sending.first.value) + " on (session " + std::to_string(sending.session) + ", " +
         std::string(sending.sender) + ")";
}

bool History::check_value(std::size_t log, PartitionIndex partition, Offset offset, ValueId value) {
  const Sending* sending = sending_of(value);
  const std::string where = place(log, partition) + " offset " + text(offset);
  if (sending == nullptr) return violate(where + ": a value that nobody sent"), false;
  if (sending->log != log || sending->partition != partition) {
    return violate(where + ": a value that was sent elsewhere: " + place(*sending)), false;
  }
  if (sending->outcome == Outcome::kRefused) return violate(where + ": a value that was refused: " + place(*sending)), false;
  if (sending->base.has_value() && sending->is_durable) {
    const Offset wanted = *sending->base + OffsetDelta(static_cast<std::int64_t>(value.value - sending->first.value));
    if (wanted != offset) {
      return violate(where + ": a value that was acknowledged at offset " + text(wanted)), false;
    }
  }
  return true;
}

void History::read(std::size_t log, PartitionIndex partition, Offset offset, ByteView value) {
  const auto id = identify(value);
  if (!id.has_value()) {
    return violate(place(log, partition) + " offset " + text(offset) + ": bytes that nobody sent");
  }
  coverage_.add(Happened::kRead);
  if (!check_value(log, partition, offset, *id) || logs_[log].was_cached) return;
  const auto [known, is_new] = part(log, partition).read.emplace(offset.value, *id);
  if (!is_new && known->second != *id) {
    violate(place(log, partition) + " offset " + text(offset) + ": was value " + std::to_string(known->second.value) +
            ", is value " + std::to_string(id->value));
  }
}

History::Floor History::floor(std::size_t log, PartitionIndex partition, std::uint32_t life) {
  const Part& of = part(log, partition);
  const bool counts = !logs_[log].was_cached || of.end_life == life;
  return {.end = counts ? of.end_seen : Offset(0), .start = of.start_seen, .life = life};
}

void History::saw_end(std::size_t log, PartitionIndex partition, const Floor& floor, Offset end, std::uint32_t life) {
  if (logs_[log].was_cached && life != floor.life) return;
  if (end < floor.end) {
    violate(place(log, partition) + ": ends at " + text(end) + " after it ended at " + text(floor.end));
  }
  raise_end(log, partition, end, life);
}

void History::saw_start(std::size_t log, PartitionIndex partition, const Floor& floor, Offset start) {
  Part& of = part(log, partition);
  if (start < floor.start) {
    violate(place(log, partition) + ": starts at " + text(start) + " after it started at " + text(floor.start));
  }
  if (start > of.start_asked && !logs_[log].may_shrink) {
    violate(place(log, partition) + ": starts at " + text(start) + ", but only the records below " + text(of.start_asked) +
            " were deleted");
  }
  if (start > of.start_asked) coverage_.add(Happened::kStartMoved);
  of.start_seen = std::max(of.start_seen, start);
}

void History::ask_start(std::size_t log, PartitionIndex partition, Offset start) {
  Part& of = part(log, partition);
  of.start_asked = std::max(of.start_asked, start);
  logs_[log].has_deleted_records = true;
}

void History::start_moved(std::size_t log, PartitionIndex partition, Offset start) {
  Part& of = part(log, partition);
  of.start_acknowledged = std::max(of.start_acknowledged, start);
  of.start_seen = std::max(of.start_seen, start);
  coverage_.add(Happened::kRecordsDeleted);
}

void History::audit(std::size_t log, PartitionIndex partition, const Content& content) {
  check_bounds(log, partition, content);
  const Places places = check_content(log, partition, content);
  if (violation_.has_value()) return;
  const Part& of = part(log, partition);
  for (const std::size_t index : of.sendings) check_sending(sendings_[index], content, places);
  check_order(of, places);
  check_reads(log, partition, content);
  if (logs_[log].was_cached) return check_lost_suffix(of, content, places);
  check_real_time(of, places);
}

void History::check_bounds(std::size_t log, PartitionIndex partition, const Content& content) {
  const Part& of = part(log, partition);
  saw_start(log, partition, {.end = {}, .start = of.start_seen, .life = 0}, content.start);
  if (content.start < of.start_acknowledged) {
    violate(place(log, partition) + ": deleted records are back; starts at " + text(content.start));
  }
  const auto wanted = static_cast<std::size_t>((content.end - content.start).value);
  if (content.values.size() != wanted) {
    violate(place(log, partition) + ": has " + std::to_string(content.values.size()) + " records between offsets " +
            text(content.start) + " and " + text(content.end));
  }
}

History::Places History::check_content(std::size_t log, PartitionIndex partition, const Content& content) {
  Places places;
  Offset offset = content.start;
  for (const ValueId value : content.values) {
    if (!check_value(log, partition, offset, value)) return places;
    if (const auto [first, is_new] = places.emplace(value, offset); !is_new) {
      violate(place(log, partition) + ": value " + std::to_string(value.value) + " is at offset " + text(first->second) +
              " and again at " + text(offset) + ": " + place(*sending_of(value)));
    }
    offset += OffsetDelta(1);
  }
  return places;
}

/// All of a batch or nothing, side by side; and all of it if it was acknowledged as durable.
void History::check_sending(const Sending& sending, const Content& content, const Places& places) {
  std::uint32_t found = 0;
  std::optional<Offset> base;
  for (std::uint32_t i = 0; i < sending.count; ++i) {
    const auto at = places.find(ValueId(sending.first.value + i));
    if (at == places.end()) continue;
    ++found;
    const Offset implied = at->second - OffsetDelta(i);
    if (base.has_value() && *base != implied) violate(place(sending) + " is scattered");
    base = implied;
  }
  if (found == sending.count) return;
  if (found > 0) {
    // Only a moved start may cut a batch.
    if (*base >= content.start) violate(place(sending) + " is there in part");
    return;
  }
  if (!sending.is_durable) return;
  const bool may_be_gone = sending.base.has_value()
                               ? *sending.base + OffsetDelta(sending.count) <= content.start
                               : content.start > Offset(0);
  if (may_be_gone) return;
  violate(place(sending) + ", acknowledged" + (sending.base.has_value() ? " at offset " + text(*sending.base) : "") +
          " by life " + std::to_string(sending.life) + ", is lost; the log has offsets " + text(content.start) + " to " +
          text(content.end));
}

void History::check_order(const Part& part, const Places& places) {
  std::map<std::uint32_t, Offset> last;
  for (const std::size_t index : part.sendings) {
    const Sending& sending = sendings_[index];
    const auto at = places.find(sending.first);
    if (at == places.end()) continue;
    const auto [before, is_first] = last.emplace(sending.session, at->second);
    if (!is_first && at->second < before->second) {
      violate(place(sending) + " lies at offset " + text(at->second) + ", before what its session sent earlier");
    }
    before->second = at->second;
  }
}

/// What was acknowledged before something else was sent lies below it.
void History::check_real_time(const Part& part, const Places& places) {
  std::map<Offset, const Sending*> by_offset;
  for (const std::size_t index : part.sendings) {
    const auto at = places.find(sendings_[index].first);
    if (at != places.end()) by_offset.emplace(at->second, &sendings_[index]);
  }
  MonotonicTime newest_below{};
  for (const auto& [offset, sending] : by_offset) {
    if (sending->outcome == Outcome::kAcknowledged && sending->answered < newest_below) {
      violate(place(*sending) + " was acknowledged before a batch below it was sent");
    }
    newest_below = std::max(newest_below, sending->invoked);
  }
}

/// Of what one life of the server acknowledged without having synced it, a crash may take the end only.
void History::check_lost_suffix(const Part& part, const Content& content, const Places& places) {
  std::map<std::uint32_t, Offset> lost_from;
  for (const std::size_t index : part.sendings) {
    const Sending& sending = sendings_[index];
    if (sending.outcome != Outcome::kAcknowledged || !sending.base.has_value()) continue;
    if (places.contains(ValueId(sending.first.value + sending.count - 1))) continue;
    if (*sending.base + OffsetDelta(sending.count) <= content.start) continue;
    const auto [place, is_first] = lost_from.emplace(sending.life, *sending.base);
    place->second = std::min(place->second, *sending.base);
  }
  if (!lost_from.empty()) coverage_.add(Happened::kCachedLost);
  for (const std::size_t index : part.sendings) {
    const Sending& sending = sendings_[index];
    if (sending.outcome != Outcome::kAcknowledged || !sending.base.has_value()) continue;
    const auto lost = lost_from.find(sending.life);
    if (lost != lost_from.end() && places.contains(sending.first) && *sending.base > lost->second) {
      violate(place(sending) + " is there, but what the same life acknowledged at offset " + text(lost->second) +
              " before it is not");
    }
  }
}

void History::check_reads(std::size_t log, PartitionIndex partition, const Content& content) {
  for (const auto& [offset, value] : part(log, partition).read) {
    if (Offset(offset) < content.start) continue;
    const auto index = static_cast<std::size_t>(offset - content.start.value);
    if (index >= content.values.size()) {
      return violate(place(log, partition) + ": the record at offset " + std::to_string(offset) + " was read and is gone");
    }
    if (content.values[index] != value) {
      return violate(place(log, partition) + " offset " + std::to_string(offset) + ": another value was read there before");
    }
  }
}

}  // namespace pyralog::sim
