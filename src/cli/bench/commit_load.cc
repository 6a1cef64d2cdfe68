#include "cli/bench/commit_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "client/groups.h"
#include "protocol/kafka/codec.h"

namespace pyralog::cli {

using namespace protocol;

namespace {

constexpr ApiVersion kCommitByName(9);  // the last one, which every server with classic groups has

/// The groups that each node coordinates.
io::Task<Result<std::map<NodeId, std::vector<std::string>>>> find_places(client::ClusterClient& cluster,
                                                                         const CommitLoadOptions& options) {
  std::map<NodeId, std::vector<std::string>> places;
  for (std::uint32_t i = 0; i < options.groups; ++i) {
    std::string id = fmt::format("{}-{}", options.group_prefix, i);
    PYRALOG_CO_ASSIGN(const NodeId node, co_await client::coordinator_of(cluster, id));
    places[node].push_back(std::move(id));
  }
  co_return std::move(places);
}

}  // namespace

CommitLoad::~CommitLoad() = default;

io::Task<Result<std::unique_ptr<CommitLoad>>> CommitLoad::open(client::ClusterClient& cluster, client::LogInfo log,
                                                               CommitLoadOptions options) {
  std::unique_ptr<CommitLoad> load(new CommitLoad(std::move(log), std::move(options)));
  Result<> connected = co_await load->connect(cluster);
  if (connected.ok()) co_return std::move(load);
  co_await load->close();
  co_return std::move(connected).error();
}

io::Task<Result<>> CommitLoad::connect(client::ClusterClient& cluster) {
  PYRALOG_CO_ASSIGN(auto places, co_await find_places(cluster, options_));
  if (options_.connections < places.size() || options_.groups < options_.connections) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "there are more coordinators than connections, or more connections than groups");
  }
  std::map<NodeId, std::vector<Link*>> links_to;
  auto place = places.begin();
  for (std::uint32_t i = 0; i < options_.connections; ++i) {
    auto link = std::make_unique<Link>();
    PYRALOG_CO_ASSIGN(link->connection, co_await cluster.new_connection_to(place->first));
    Link& added = *links_.emplace_back(std::move(link));  // from here on close() closes it
    PYRALOG_CO_ASSIGN(const ApiVersion newest, added.connection->version_of(kOffsetCommitApi));
    added.version = std::min(newest, kCommitByName);
    added.free = options_.in_flight;
    links_to[place->first].push_back(&added);
    if (++place == places.end()) place = places.begin();
  }
  for (auto& [node, ids] : places) {
    const auto& links = links_to.at(node);
    for (std::size_t i = 0; i < ids.size(); ++i) links[i % links.size()]->groups.push_back({.id = std::move(ids[i])});
  }
  std::erase_if(links_, [](const auto& link) { return link->groups.empty(); });
  partitions_.resize(std::min<std::size_t>(options_.partitions_per_commit, log_.partitions.size()));
  co_return Result<>();
}

void CommitLoad::start(const LoadWindow& window) {
  window_ = window;
  schedule_ = RequestSchedule({.requests_per_second = options_.rate, .start = window.start, .end = window.end,
                               .requests_max = options_.commits_max});
  due_timer_ = std::make_unique<io::Timer>(io::Reactor::current(), [this] { pump(); });
  pump();
}

CommitLoad::Link* CommitLoad::link_with_room() {
  for (std::size_t tried = 0; tried < links_.size(); ++tried) {
    Link& link = *links_[link_turn_++ % links_.size()];
    if (link.free > 0 && !link.connection->failed()) return &link;
  }
  return nullptr;
}

void CommitLoad::pump() {
  if (stopped_) return;
  const MonotonicTime now = io::Reactor::current().now();
  for (;;) {
    const MonotonicTime due = schedule_.next(now);
    if (due > now) {
      if (due != MonotonicTime::max()) due_timer_->arm(due);
      break;
    }
    Link* link = link_with_room();
    if (link == nullptr) break;
    schedule_.take();
    send(*link, due);
  }
  if (under_way_ == 0) idle_.notify_all();
}

Result<OutgoingFrame> CommitLoad::encode_commit(Link& link) {
  CommittingGroup& group = link.groups[link.turn++ % link.groups.size()];
  for (auto& partition : partitions_) {
    partition.partition_index = log_.partitions[group.partition_next++ % log_.partitions.size()].index;
    partition.committed_offset = group.next;
  }
  group.next = group.next + OffsetDelta(1);
  const std::vector<OffsetCommitRequest::Topic> topics{{.name = log_.name, .topic_id = log_.id, .partitions = partitions_}};
  const OffsetCommitRequest request{.group_id = group.id, .member_id = "", .group_instance_id = std::nullopt, .topics = topics};
  return encode_request(request, link.version, 0, "pyralog-bench");
}

void CommitLoad::send(Link& link, MonotonicTime due) {
  auto frame = encode_commit(link);
  if (!frame.ok()) {
    ++counts_.errors[frame.error().to_string()];
    return;
  }
  ++under_way_;
  --link.free;
  link.connection->send(std::move(*frame),
                        [this, &link, due](Result<Slice> answer) { take_answer(link, due, std::move(answer)); });
}

void CommitLoad::take_answer(Link& link, MonotonicTime due, Result<Slice> frame) {
  --under_way_;
  ++link.free;
  if (stopped_) return;
  if (!frame.ok()) {
    ++counts_.errors[frame.error().to_string()];
    return pump();
  }
  const std::uint64_t taken = count_taken(link, *frame);
  const MonotonicTime now = io::Reactor::current().now();
  last_answer_ = now;
  if (window_.holds(due)) counts_.latency.record(now - due);
  if (window_.holds(now)) {
    ++counts_.requests;
    counts_.records += taken;
    counts_.bytes += frame->size();
  }
  pump();
}

std::uint64_t CommitLoad::count_taken(const Link& link, const Slice& frame) {
  const auto response = parse_response(frame.view(), kOffsetCommitApi, link.version);
  Arena arena;
  const auto message = response.ok() ? decode<OffsetCommitResponse>(response->body, link.version, arena)
                                     : Result<OffsetCommitResponse>(response.error());
  if (!message.ok()) {
    ++counts_.errors[message.error().to_string()];
    return 0;
  }
  std::uint64_t taken = 0;
  for (const auto& topic : message->topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code == KafkaError::kNone) {
        ++taken;
      } else {
        ++counts_.errors[std::string(kafka_error_name(partition.error_code))];
      }
    }
  }
  return taken;
}

io::Task<> CommitLoad::finished(MonotonicTime deadline) {
  for (;;) {
    const MonotonicTime now = io::Reactor::current().now();
    const bool nothing_left = under_way_ == 0 && schedule_.next(now) == MonotonicTime::max();
    const bool all_failed =
        under_way_ == 0 && std::ranges::all_of(links_, [](const auto& link) { return link->connection->failed(); });
    if (nothing_left || all_failed || now >= deadline) break;
    (void)co_await idle_.wait_until(deadline);
  }
  unanswered_ = schedule_.behind(io::Reactor::current().now()) + under_way_;
}

io::Task<> CommitLoad::close() {
  stopped_ = true;
  due_timer_.reset();
  for (const auto& link : links_) co_await link->connection->close();
}

}  // namespace pyralog::cli
