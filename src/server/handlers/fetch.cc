#include <algorithm>

#include "core/limits.h"
#include "server/fetch_read.h"
#include "server/handlers/handlers.h"
#include "server/shard.h"
#include "server/topic_names.h"

namespace pyralog::server {
namespace {

using namespace protocol;

/// Where the partitions of a request come from: a session (its own list, kept between requests), or the request alone.
struct FetchPlan {
  KafkaError error{};
  FetchSession* session = nullptr;  ///< valid until the next suspension; look it up again by `session_id`
  std::int32_t session_id = 0;
  bool incremental = false;  ///< the answer leaves out what has not changed
};

bool uses_topic_ids(ApiVersion version) { return version >= ApiVersion(13); }

FetchTopic topic_of(const FetchRequest::Topic& topic) { return {.id = topic.topic_id, .name = std::string(topic.topic)}; }

FetchTarget target_of(const FetchRequest::Partition& partition) {
  return {.offset = partition.fetch_offset,
          .bytes_max = partition.partition_max_bytes,
          .current_epoch = partition.current_leader_epoch,
          .last_fetched_epoch = partition.last_fetched_epoch};
}

void add_all(FetchSession& session, const FetchRequest& message) {
  for (const auto& topic : message.topics) {
    const FetchTopic named = topic_of(topic);
    for (const auto& partition : topic.partitions) session.set(named, partition.partition, target_of(partition));
  }
}

std::size_t partition_count(const FetchRequest& message) {
  std::size_t count = 0;
  for (const auto& topic : message.topics) count += topic.partitions.size();
  return count;
}

/// KIP-227: epoch -1 does without a session, 0 asks for one, others go on with one.
FetchPlan plan_fetch(Request& request, const FetchRequest& message) {
  FetchSessions& sessions = request.shard.sessions();
  const MonotonicTime now = request.shard.reactor().now();
  const bool by_id = uses_topic_ids(request.version());
  FetchPlan plan;
  if (message.session_epoch <= 0) {
    if (message.session_id != 0) sessions.remove(message.session_id);
    if (message.session_epoch < 0) return plan;
    plan.session = sessions.create(by_id, partition_count(message), now);
    if (plan.session == nullptr) return plan;
    add_all(*plan.session, message);
    plan.session_id = plan.session->id();
    if (!sessions.resized(*plan.session)) plan = FetchPlan();
    return plan;
  }
  plan.session = sessions.find(message.session_id, now);
  if (plan.session == nullptr) {
    plan.error = KafkaError::kFetchSessionIdNotFound;
  } else if (plan.session->by_id() != by_id) {
    plan.error = KafkaError::kFetchSessionTopicIdError;
  } else if (plan.session->next_epoch() != message.session_epoch) {
    plan.error = KafkaError::kInvalidFetchSessionEpoch;
  }
  if (plan.error != KafkaError::kNone) return plan;
  for (const auto& topic : message.forgotten_topics_data) {
    const FetchTopic named{.id = topic.topic_id, .name = std::string(topic.topic)};
    for (const PartitionIndex index : topic.partitions) plan.session->forget(named, index);
  }
  add_all(*plan.session, message);
  plan.session->advance_epoch();
  plan.session_id = plan.session->id();
  plan.incremental = true;
  if (!sessions.resized(*plan.session)) return FetchPlan{.error = KafkaError::kFetchSessionIdNotFound};
  return plan;
}

/// One partition to read, with the name under which it goes into the answer.
struct FetchItem {
  std::string_view name;
  LogId id;
  PartitionIndex index;
};

struct FetchWork {
  std::vector<FetchItem> items;
  std::vector<PartitionRead> reads;  // parallel to items
};

void add_item(Request& request, FetchWork& work, FetchItem item, const FetchTarget& target) {
  PartitionRead read{.target = target};
  const NamedLog named = find_named(*request.shard.image(), item.name, item.id, uses_topic_ids(request.version()));
  const auto* partition = named.log != nullptr ? named.log->find(item.index) : nullptr;
  if (partition != nullptr) {
    read.incarnation = partition->incarnation;
  } else {
    read.error = named.log != nullptr ? KafkaError::kUnknownTopicOrPartition : named.error;
  }
  work.items.push_back(item);
  work.reads.push_back(std::move(read));
}

FetchWork gather(Request& request, const FetchRequest& message, const FetchPlan& plan) {
  FetchWork work;
  if (plan.session != nullptr) {
    for (const SessionPartition& partition : plan.session->partitions()) {
      const FetchTopic& topic = plan.session->topic(partition);
      // The session may be gone when the answer is built.
      const FetchItem item{.name = request.arena.copy(topic.name), .id = topic.id, .index = partition.index};
      add_item(request, work, item, partition.target);
    }
    return work;
  }
  for (const auto& topic : message.topics) {
    for (const auto& partition : topic.partitions) {
      const FetchItem item{.name = topic.topic, .id = topic.topic_id, .index = partition.partition};
      add_item(request, work, item, target_of(partition));
    }
  }
  return work;
}

Records records_of(Request& request, PartitionRead& read) {
  if (read.pieces.empty()) return Records(ByteView());
  auto& pieces = request.pieces.emplace_back();
  pieces.reserve(read.pieces.size());
  for (storage::ReadPiece& piece : read.pieces) {
    if (auto* slice = std::get_if<Slice>(&piece)) {
      pieces.emplace_back(std::move(*slice));
    } else {
      auto& range = std::get<storage::FileRange>(piece);
      pieces.emplace_back(ExternalRange{.id = static_cast<std::uint32_t>(request.files.size()), .bytes = range.bytes});
      request.files.push_back(std::move(range));
    }
  }
  return Records::of(pieces);
}

FetchResponse::Partition partition_answer(Request& request, const FetchRequest& message, const FetchItem& item,
                                          PartitionRead& read) {
  FetchResponse::Partition answer;
  answer.partition_index = item.index;
  answer.error_code = read.error;
  answer.high_watermark = read.high_watermark;
  answer.last_stable_offset = read.high_watermark;
  answer.log_start_offset = read.log_start;
  if (message.isolation_level != IsolationLevel::kReadCommitted) answer.aborted_transactions = std::nullopt;
  if (read.diverging_end >= Offset(0)) {
    answer.diverging_epoch = {.epoch = read.diverging_epoch, .end_offset = read.diverging_end};
  }
  if (read.error == KafkaError::kFencedLeaderEpoch || read.error == KafkaError::kUnknownLeaderEpoch) {
    answer.current_leader = {.leader_id = request.shard.info().id, .leader_epoch = read.leader_epoch};
  }
  answer.records = records_of(request, read);
  return answer;
}

/// True if an incremental answer must name the partition; notes what the client will know then.
bool has_news(SessionPartition& partition, const PartitionRead& read) {
  const bool changed = read.bytes > 0 || read.error != KafkaError::kNone || read.diverging_end >= Offset(0) ||
                       partition.sent_high_watermark != read.high_watermark || partition.sent_start != read.log_start;
  partition.sent_high_watermark = read.error == KafkaError::kNone ? read.high_watermark : Offset(-1);
  partition.sent_start = read.log_start;
  return changed;
}

/// Which items go into the answer, and what the session remembers of it.
std::vector<std::size_t> choose_items(Request& request, const FetchPlan& plan, const FetchWork& work) {
  std::vector<std::size_t> chosen;
  chosen.reserve(work.items.size());
  FetchSession* session =
      plan.session_id != 0 ? request.shard.sessions().find(plan.session_id, request.shard.reactor().now()) : nullptr;
  // One connection uses a session at a time; if another has changed it meanwhile, everything is told.
  const bool in_step = session != nullptr && session->size() == work.items.size();
  std::size_t unserved = 0;
  for (std::size_t i = 0; i < work.items.size(); ++i) {
    const bool told = !in_step || has_news(session->partitions()[i], work.reads[i]);
    if (told || !plan.incremental) chosen.push_back(i);
    if (work.reads[i].bytes > 0) unserved = i + 1;
  }
  if (in_step) session->serve_first(unserved);
  return chosen;
}

/// Topics in the order of their first partition, each once.
ArrayView<FetchResponse::Topic> build_topics(Request& request, const FetchRequest& message, FetchWork& work,
                                             std::span<std::size_t> chosen) {
  const auto topic_order = [&](std::size_t a, std::size_t b) {
    return std::pair(work.items[a].id, work.items[a].name) < std::pair(work.items[b].id, work.items[b].name);
  };
  std::ranges::sort(chosen,
                    [&](std::size_t a, std::size_t b) { return topic_order(a, b) || (!topic_order(b, a) && a < b); });
  auto partitions = request.arena.make<FetchResponse::Partition>(chosen.size());
  auto topics = request.arena.make<FetchResponse::Topic>(chosen.size());
  std::size_t topic_count = 0;
  for (std::size_t begin = 0; begin < chosen.size();) {
    std::size_t end = begin;
    for (; end < chosen.size() && !topic_order(chosen[begin], chosen[end]); ++end) {
      partitions[end] = partition_answer(request, message, work.items[chosen[end]], work.reads[chosen[end]]);
    }
    FetchResponse::Topic& topic = topics[topic_count++];
    topic.topic = work.items[chosen[begin]].name;
    topic.topic_id = work.items[chosen[begin]].id;
    topic.partitions = partitions.subspan(begin, end - begin);
    begin = end;
  }
  return topics.first(topic_count);
}

}  // namespace

io::Task<Result<FetchResponse>> handle_fetch(Request& request, const FetchRequest& message) {
  Shard& shard = request.shard;
  FetchResponse response;
  const FetchPlan plan = plan_fetch(request, message);
  if (plan.error != KafkaError::kNone) {
    response.error_code = plan.error;
    co_return response;
  }
  FetchWork work = gather(request, message, plan);
  // Whoever vanishes without a word while it waits is noticed only then.
  const Duration wait =
      std::min<Duration>(std::chrono::milliseconds(std::max(message.max_wait_ms, 0)), shard.limits().connection_idle_max);
  const FetchTerms terms{
      .bytes_max = std::min<std::size_t>(static_cast<std::size_t>(std::max(message.max_bytes, 0)), limits::kFetchBytesMax),
      .bytes_min = static_cast<std::size_t>(std::max(message.min_bytes, 0)),
      .deadline = request.received + wait};
  co_await read_partitions(shard, work.reads, terms, request.connection.client_left());
  std::vector<std::size_t> chosen = choose_items(request, plan, work);
  for (const std::size_t i : chosen) shard.metrics().fetch_bytes += work.reads[i].bytes;
  response.session_id = plan.session_id;
  response.responses = build_topics(request, message, work, chosen);
  shard.metrics().fetch_latency.record(shard.reactor().now() - request.received);
  co_return response;
}

}  // namespace pyralog::server
