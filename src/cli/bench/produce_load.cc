#include "cli/bench/produce_load.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "cli/bench/stamp.h"
#include "protocol/kafka/produce.h"

namespace pyralog::cli {

using namespace protocol;

namespace {

constexpr std::size_t kPrefixBytes = 12;                 // length, API key, version, correlation id
constexpr std::size_t kFlatFrameBytesMax = 64u << 10;    // smaller frames are sent as one piece behind the prefix
constexpr std::size_t kFlatFramesBytesMax = 128u << 20;  // as long as all of them together are not larger
constexpr std::int32_t kTimeoutMs = 30'000;

/// A request's bytes behind its prefix, in one piece.
std::vector<Piece> flat(const OutgoingFrame& frame) {
  const Slice whole = flatten(frame);
  return {whole.part(kPrefixBytes, whole.size() - kPrefixBytes)};
}

}  // namespace

ProduceLoad::ProduceLoad(client::LogInfo log, ProduceLoadOptions options) : log_(std::move(log)), options_(options) {}
ProduceLoad::~ProduceLoad() = default;

io::Task<Result<std::unique_ptr<ProduceLoad>>> ProduceLoad::open(client::ClusterClient& cluster, client::LogInfo log,
                                                                 ProduceLoadOptions options) {
  std::unique_ptr<ProduceLoad> load(new ProduceLoad(std::move(log), options));
  PYRALOG_CO_ASSIGN(load->pool_, BatchPool::build(options, io::Reactor::current().wall_now()));
  if (options.stamp) {
    PYRALOG_CO_ASSIGN(load->stamp_position_, stamp_position(load->pool_.batches.front().view()));
  }
  Result<> connected = co_await load->connect(cluster);
  if (connected.ok()) co_return std::move(load);
  co_await load->close();
  co_return std::move(connected).error();
}

io::Task<Result<>> ProduceLoad::connect(client::ClusterClient& cluster) {
  std::map<NodeId, std::vector<PartitionIndex>> led;
  for (const client::PartitionInfo& partition : log_.partitions) led[partition.leader].push_back(partition.index);
  if (led.empty() || led.contains(NodeId(-1)))
    co_return Error(ErrorCode::kUnavailable, log_.name + ": not every partition has a leader");
  std::map<NodeId, std::shared_ptr<const std::vector<Template>>> templates;
  auto leader = led.begin();
  for (std::uint32_t i = 0; i < options_.connections; ++i) {
    auto link = std::make_unique<Link>();
    PYRALOG_CO_ASSIGN(link->connection, co_await cluster.new_connection_to(leader->first));
    Link& added = *links_.emplace_back(std::move(link));  // from here on close() closes it
    PYRALOG_CO_ASSIGN(added.version, added.connection->version_of(kProduceApi));
    auto& shared = templates[leader->first];
    if (shared == nullptr) {
      PYRALOG_CO_ASSIGN(auto made, make_templates(leader->second, added.version));
      shared = std::make_shared<const std::vector<Template>>(std::move(made));
    }
    added.templates = shared;
    added.next_template = i * shared->size() / options_.connections;
    if (++leader == led.end()) leader = led.begin();
  }
  make_slots();
  co_return Result<>();
}

Result<std::vector<ProduceLoad::Template>> ProduceLoad::make_templates(const std::vector<PartitionIndex>& partitions,
                                                                       ApiVersion version) {
  const std::size_t per_request = std::min<std::size_t>(options_.batches_per_request, partitions.size());
  if (records_per_request_ != 0 && records_per_request_ != per_request * pool_.records_per_batch) {
    return Error(ErrorCode::kInvalidArgument, "a node leads fewer partitions than a request has batches");
  }
  records_per_request_ = static_cast<std::uint32_t>(per_request * pool_.records_per_batch);
  // At least as many frames as there are different batches, so that one partition gets different ones too.
  const std::size_t groups = std::max((partitions.size() + per_request - 1) / per_request, pool_.batches.size());
  std::vector<Template> templates;
  std::vector<PartitionIndex> chosen(per_request);
  for (std::size_t group = 0; group < groups; ++group) {
    for (std::size_t i = 0; i < per_request; ++i) chosen[i] = partitions[(group * per_request + i) % partitions.size()];
    PYRALOG_ASSIGN(Template made, make_template(chosen, version));
    templates.push_back(std::move(made));
  }
  return templates;
}

Result<ProduceLoad::Template> ProduceLoad::make_template(std::span<const PartitionIndex> partitions, ApiVersion version) {
  Template made;
  std::vector<Piece> batches;
  for (std::size_t i = 0; i < partitions.size(); ++i)
    batches.emplace_back(pool_.batches[next_batch_++ % pool_.batches.size()]);
  std::vector<ProduceRequest::Partition> parts;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    parts.push_back({.index = partitions[i], .records = Records::of(std::span(batches).subspan(i, 1))});
    made.batch_bytes += piece_bytes(batches[i]);
  }
  const std::vector<ProduceRequest::Topic> topics{{.name = log_.name, .topic_id = log_.id, .partition_data = parts}};
  const ProduceRequest request{.transactional_id = std::nullopt,
                               .acks = static_cast<std::int16_t>(options_.acks),
                               .timeout_ms = kTimeoutMs,
                               .topic_data = topics};
  PYRALOG_ASSIGN(OutgoingFrame frame, encode_request(request, version, 0, "pyralog-bench"));
  made.prefix = frame.head.part(0, kPrefixBytes);
  if (!options_.stamp && frame.bytes <= kFlatFrameBytesMax && frame.bytes * log_.partitions.size() <= kFlatFramesBytesMax) {
    made.rest = flat(frame);
    return made;
  }
  made.rest.emplace_back(frame.head.part(kPrefixBytes, frame.head.size() - kPrefixBytes));
  made.stamped_piece = 1;
  for (Piece& piece : frame.tail) made.rest.push_back(std::move(piece));
  return made;
}

void ProduceLoad::make_slots() {
  slots_.resize(std::size_t{options_.connections} * options_.in_flight);
  const Slice prefixes = Slice::allocate(slots_.size() * kPrefixBytes);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].link = links_[i % links_.size()].get();
    slots_[i].prefix = prefixes.part(i * kPrefixBytes, kPrefixBytes);
    if (options_.stamp) slots_[i].stamped_batch = Slice::allocate(pool_.batch_bytes_max());
    free_.push_back(&slots_[i]);
  }
}

void ProduceLoad::start(const LoadWindow& window) {
  window_ = window;
  const double requests_per_second = options_.rate / records_per_request_;
  const std::uint64_t requests_max = (options_.records_max + records_per_request_ - 1) / records_per_request_;
  schedule_ = RequestSchedule({.requests_per_second = requests_per_second, .start = window.start, .end = window.end,
                               .requests_max = requests_max});
  due_timer_ = std::make_unique<io::Timer>(io::Reactor::current(), [this] { pump(); });
  pump();
}

void ProduceLoad::pump() {
  if (stopped_) return;
  const MonotonicTime now = io::Reactor::current().now();
  while (!free_.empty()) {
    const MonotonicTime due = schedule_.next(now);
    if (due > now) {
      if (due != MonotonicTime::max()) due_timer_->arm(due);
      break;
    }
    Slot& slot = *free_.front();
    free_.pop_front();
    if (slot.link->connection->failed()) continue;  // its slots stay out
    schedule_.take();
    send(slot, due, now);
  }
  if (under_way_ == 0) idle_.notify_all();
}

void ProduceLoad::send(Slot& slot, MonotonicTime due, MonotonicTime now) {
  Link& link = *slot.link;
  const Template& made = (*link.templates)[link.next_template];
  if (++link.next_template == link.templates->size()) link.next_template = 0;
  slot.due = due;
  slot.batch_bytes = made.batch_bytes;
  std::memcpy(slot.prefix.mutable_data(), made.prefix.data(), kPrefixBytes);
  OutgoingFrame frame{.head = slot.prefix, .tail = made.rest, .bytes = 0};
  if (options_.stamp) stamp(slot, made, frame.tail, now);
  ++under_way_;
  if (options_.acks == client::Acks::kNone) {
    link.connection->send_unanswered(std::move(frame));
    scope_.spawn(send_unanswered(slot));
  } else {
    link.connection->send(std::move(frame), [this, &slot](Result<Slice> answer) { take_answer(slot, std::move(answer)); });
  }
}

void ProduceLoad::stamp(Slot& slot, const Template& made, std::vector<Piece>& rest, MonotonicTime now) {
  Slice& shared = std::get<Slice>(rest[made.stamped_piece]);
  Slice own = slot.stamped_batch.part(0, shared.size());
  std::memcpy(own.mutable_data(), shared.data(), shared.size());
  const Stamp times{.intended = slot.due, .sent = now};
  write_stamp(own.mutable_view(), stamp_position_, times, io::Reactor::current().wall_now());
  shared = std::move(own);
}

io::Task<> ProduceLoad::send_unanswered(Slot& slot) {
  Result<> flushed = co_await slot.link->connection->flushed();
  --under_way_;
  if (flushed.ok()) {
    count_answer(slot, io::Reactor::current().now());
  } else {
    ++counts_.errors[flushed.error().to_string()];
  }
  free_slot(slot);
}

void ProduceLoad::take_answer(Slot& slot, Result<Slice> frame) {
  --under_way_;
  if (stopped_) return;
  if (!frame.ok()) {
    ++counts_.errors[frame.error().to_string()];
  } else if (check_answer(*frame, slot.link->version)) {
    count_answer(slot, io::Reactor::current().now());
  }
  free_slot(slot);
}

void ProduceLoad::count_answer(const Slot& slot, MonotonicTime now) {
  last_answer_ = now;
  records_acknowledged_ += records_per_request_;
  if (window_.holds(slot.due)) counts_.latency.record(now - slot.due);
  if (!window_.holds(now)) return;
  ++counts_.requests;
  counts_.records += records_per_request_;
  counts_.bytes += slot.batch_bytes;
}

void ProduceLoad::free_slot(Slot& slot) {
  free_.push_back(&slot);
  pump();
}

bool ProduceLoad::check_answer(const Slice& frame, ApiVersion version) {
  const auto response = parse_response(frame.view(), kProduceApi, version);
  Arena arena;
  const auto message = response.ok() ? decode<ProduceResponse>(response->body, version, arena)
                                     : Result<ProduceResponse>(response.error());
  if (!message.ok()) {
    ++counts_.errors[message.error().to_string()];
    return false;
  }
  bool taken = true;
  for (const auto& topic : message->responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code == KafkaError::kNone) continue;
      taken = false;
      ++counts_.errors[std::string(kafka_error_name(partition.error_code))];
    }
  }
  return taken;
}

io::Task<> ProduceLoad::finished(MonotonicTime deadline) {
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

io::Task<> ProduceLoad::close() {
  stopped_ = true;
  if (due_timer_ != nullptr) due_timer_->cancel();
  for (const auto& link : links_) co_await link->connection->close();
  co_await scope_.close();
}

}  // namespace pyralog::cli
