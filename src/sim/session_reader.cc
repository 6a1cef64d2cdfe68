#include "sim/session_reader.h"

#include <algorithm>

namespace pyralog::sim {

using namespace protocol;

namespace {

constexpr std::size_t kPartsMax = 12;

}  // namespace

io::Task<> SessionReader::run() {
  while (!stage_.stopping) {
    auto connection = co_await client::BrokerConnection::connect(stage_.server.kafka(), impatient_options());
    if (connection.ok()) {
      life_ = stage_.server.life();
      co_await use(**connection);
      co_await (*connection)->close();
    }
    co_await pause_for(random_, std::chrono::milliseconds(500));
  }
}

void SessionReader::restart() {
  session_ = 0;
  epoch_ = 0;
  forgotten_.clear();
  for (auto& [place, part] : parts_) part.is_told = false;
}

PartitionCursor& SessionReader::cursor(std::size_t log) {
  return cursors_.try_emplace(log, stage_, log, true).first->second;
}

io::Task<> SessionReader::use(client::BrokerConnection& connection) {
  is_own_ = false;
  if (random_.chance(1, 2)) restart();
  for (std::uint64_t left = random_.between(1, 60); left > 0 && !stage_.stopping; --left) {
    forget_some();
    add_some();
    if (parts_.empty()) {
      co_await pause_for(random_, 4 * stage_.plan.pause_max);
      continue;
    }
    auto answer = co_await fetch(connection);
    if (!answer.ok()) {
      for (auto& [place, part] : parts_) part.is_told = false;
      co_return;
    }
    forgotten_.clear();
    if (!take(*answer)) restart();
    if (stage_.history.violation().has_value()) co_return;
    co_await pause_for(random_, stage_.plan.pause_max);
  }
}

void SessionReader::add_some() {
  if (parts_.size() >= kPartsMax || !(parts_.empty() || random_.chance(1, 4))) return;
  for (std::uint64_t count = random_.between(1, 3); count > 0; --count) {
    const auto log = stage_.pick_log(random_);
    if (!log.has_value() || stage_.history.log(*log).was_cached) continue;
    const Place place{*log, stage_.pick_partition(random_, *log)};
    if (parts_.contains(place)) continue;
    const Offset start = stage_.history.floor(place.first, place.second, life_).start;
    parts_[place].next = start;
    forgotten_.erase(place);
    cursor(place.first).begin(place.second, start);
  }
}

void SessionReader::forget_some() {
  std::erase_if(parts_, [&](const auto& entry) {
    const auto& [place, part] = entry;
    const LogFacts& log = stage_.history.log(place.first);
    const bool goes = random_.chance(1, 12) || part.is_rotten || log.was_cached || log.fate != Fate::kThere;
    if (goes && epoch_ > 0) {
      forgotten_.insert(place);
      stage_.coverage.add(Happened::kSessionForgot);
    }
    return goes;
  });
}

io::Task<Result<SessionReader::Response>> SessionReader::fetch(client::BrokerConnection& connection) {
  std::map<std::size_t, std::vector<FetchRequest::Partition>> asked;
  const auto bytes_max = static_cast<std::int32_t>(random_.chance(1, 3) ? random_.between(1, 4000) : 1'000'000);
  for (auto& [place, part] : parts_) {
    part.floor = stage_.history.floor(place.first, place.second, life_);
    if (std::exchange(part.is_told, true)) continue;
    asked[place.first].push_back(
        {.partition = place.second, .fetch_offset = part.next, .partition_max_bytes = bytes_max});
  }
  std::vector<FetchRequest::Topic> topics;
  for (const auto& [log, partitions] : asked) {
    topics.push_back({.topic = stage_.history.log(log).name, .topic_id = stage_.history.log(log).id, .partitions = partitions});
  }
  std::map<std::size_t, std::vector<PartitionIndex>> left;
  for (const auto& [log, partition] : forgotten_) left[log].push_back(partition);
  std::vector<FetchRequest::ForgottenTopic> leaving;
  for (const auto& [log, partitions] : left) {
    const LogFacts& facts = stage_.history.log(log);
    leaving.push_back({.topic = facts.name, .topic_id = facts.id, .partitions = partitions});
  }
  const auto answer_bytes_max = static_cast<std::int32_t>(random_.chance(1, 3) ? random_.between(1, 10'000) : 1'000'000);
  const FetchRequest request{.max_wait_ms = static_cast<std::int32_t>(random_.between(0, 400)),
                             .min_bytes = random_.chance(3, 4) ? 1 : 3000,
                             .max_bytes = answer_bytes_max,
                             .session_id = session_,
                             .session_epoch = epoch_,
                             .topics = topics,
                             .forgotten_topics_data = leaving};
  co_return co_await connection.call<FetchRequest, FetchResponse>(request);
}

bool SessionReader::take(const Response& response) {
  const FetchResponse& message = response.message;
  const bool was_incremental = epoch_ > 0;
  if (message.error_code != KafkaError::kNone) {
    const bool is_lost = message.error_code == KafkaError::kFetchSessionIdNotFound ||
                         message.error_code == KafkaError::kInvalidFetchSessionEpoch;
    if (!is_lost || is_own_ || !was_incremental) {
      stage_.history.violate("a fetch session ends with " + std::string(kafka_error_name(message.error_code)));
    }
    stage_.coverage.add(Happened::kSessionLost);
    return false;
  }
  is_own_ |= !was_incremental;
  bool has_records = false;
  for (const auto& topic : message.responses) {
    const auto at = std::ranges::find_if(parts_, [&](const auto& entry) {
      return stage_.history.log(entry.first.first).id == topic.topic_id;
    });
    for (const auto& partition : topic.partitions) {
      if (at == parts_.end() || !parts_.contains({at->first.first, partition.partition_index})) {
        stage_.history.violate("a fetch session has a partition that is not in it");
        return false;
      }
      has_records |= !partition.records.bytes().empty() || partition.error_code != KafkaError::kNone;
    }
  }
  if (was_incremental && has_records) stage_.coverage.add(Happened::kSessionRead);
  check_news(has_records);
  for (const auto& topic : message.responses) {
    for (std::size_t log = 0; log < stage_.history.log_count(); ++log) {
      if (stage_.history.log(log).id != topic.topic_id) continue;
      for (const auto& partition : topic.partitions) take_partition(log, partition, response);
    }
  }
  session_ = message.session_id;
  epoch_ = session_ == 0 ? 0 : epoch_ + 1;
  return session_ != 0;
}

/// An answer without any record says that there is none, in no partition of the session.
void SessionReader::check_news(bool has_records) {
  if (has_records) return;
  for (const auto& [place, part] : parts_) {
    const LogFacts& log = stage_.history.log(place.first);
    if (log.was_cached || part.is_rotten || log.fate != Fate::kThere || part.next >= part.floor.end) continue;
    stage_.history.violate("a fetch session leaves out " + log.name + "/" + std::to_string(place.second.value) +
                           ", read up to " + std::to_string(part.next.value) + " of " + std::to_string(part.floor.end.value));
  }
}

void SessionReader::take_partition(std::size_t log, const FetchResponse::Partition& answer, const Response& response) {
  const Place place{log, answer.partition_index};
  const auto at = parts_.find(place);
  if (at == parts_.end() || at->second.is_rotten || stage_.history.log(log).was_cached) return;
  Part& part = at->second;
  if (answer.error_code != KafkaError::kNone) return take_error(place, answer);
  stage_.history.saw_end(log, place.second, part.floor, answer.high_watermark, life_);
  const client::FetchedPartition fetched{.partition = place.second, .position = part.next,
                                         .high_watermark = answer.high_watermark, .frame = response.frame,
                                         .records = answer.records.bytes()};
  if (!cursor(log).take(fetched)) {
    part.is_rotten = true;
    return;
  }
  const Offset next = cursor(log).next(place.second);
  part.is_told = next == part.next;
  part.next = next;
}

void SessionReader::take_error(Place place, const FetchResponse::Partition& answer) {
  const LogFacts& log = stage_.history.log(place.first);
  Part& part = parts_.at(place);
  const std::string name = log.name + "/" + std::to_string(place.second.value);
  switch (answer.error_code) {
    case KafkaError::kOffsetOutOfRange: {
      if (!log.may_shrink && !log.has_deleted_records) {
        stage_.history.violate("a fetch session: " + name + " has no offset " + std::to_string(part.next.value));
      }
      part.next = std::max(part.next, answer.log_start_offset);
      part.is_told = false;
      return cursor(place.first).begin(place.second, part.next);
    }
    case KafkaError::kUnknownTopicId:
    case KafkaError::kUnknownTopicOrPartition:
      if (log.fate == Fate::kThere) stage_.history.violate("a fetch session: the server does not know " + name);
      return;
    case KafkaError::kCorruptMessage:
    case KafkaError::kKafkaStorageError:
      if (stage_.rot.has_hit(log.id, place.second)) stage_.coverage.add(Happened::kRotSeen);
      return;
    default:
      stage_.history.violate("a fetch session: " + name + " has " + std::string(kafka_error_name(answer.error_code)));
  }
}

}  // namespace pyralog::sim
