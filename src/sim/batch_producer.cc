#include "sim/batch_producer.h"

#include "protocol/kafka/init_producer_id.h"

namespace pyralog::sim {

using namespace protocol;

namespace {

constexpr Duration kRequestTimeout = std::chrono::seconds(5);
constexpr std::int32_t kServerTimeoutMs = 3000;
constexpr std::size_t kPartsMax = 3;
constexpr std::size_t kBatchBytesMax = 60'000;  // half of the smallest round, header and all
constexpr record::Codec kCodecs[] = {record::Codec::kNone, record::Codec::kNone, record::Codec::kGzip,
                                     record::Codec::kSnappy, record::Codec::kLz4, record::Codec::kZstd};

}  // namespace

BatchProducer::BatchProducer(Stage& stage, std::uint64_t seed)
    : stage_(stage),
      random_(seed),
      is_idempotent_(random_.chance(1, 2)),
      acks_(is_idempotent_ || random_.chance(1, 2) ? -1 : random_.chance(3, 4) ? 1 : 0),
      under_way_max_(random_.between(1, 6)),
      codec_(kCodecs[random_.below(std::size(kCodecs))]) {}

io::Task<> BatchProducer::run() {
  while (!stage_.stopping || !unresolved_.empty()) {
    client::BrokerConnection::Options options{.connect_timeout = std::chrono::seconds(2), .request_timeout = kRequestTimeout};
    auto connection = co_await client::BrokerConnection::connect(stage_.server.kafka(), std::move(options));
    if (!connection.ok()) {
      co_await pause_for(random_, std::chrono::milliseconds(500));
      continue;
    }
    life_ = stage_.server.life();
    if (!is_idempotent_) session_ = stage_.history.new_session();
    co_await use(**connection);
    while (under_way_ > 0) co_await answered_.wait();
    co_await (*connection)->close();
  }
}

io::Task<> BatchProducer::use(client::BrokerConnection& connection) {
  if (is_idempotent_ && id_ == kNoProducerId) {
    if (Result<> obtained = co_await obtain_id(connection); !obtained.ok()) {
      co_await pause_for(random_, std::chrono::milliseconds(200));
      co_return;
    }
  }
  for (std::uint64_t left = random_.between(1, 60); left > 0 && !connection.failed(); --left) {
    if (stage_.stopping && unresolved_.empty()) co_return;
    while (under_way_ >= under_way_max_) co_await answered_.wait();
    if (is_idempotent_ && id_ == kNoProducerId) co_return;
    std::vector<Part> parts;
    if (!unresolved_.empty()) {
      parts.push_back(std::move(unresolved_.front()));
      unresolved_.erase(unresolved_.begin());
      stage_.coverage.add(Happened::kSentAgain);
    } else if (!stage_.stopping) {
      parts = new_parts();
    }
    if (!parts.empty()) {
      if (auto sent = send(connection, std::move(parts)); !sent.ok()) {
        stage_.history.violate("a produce request cannot be made: " + sent.error().to_string());
      }
    }
    co_await pause_for(random_, stage_.plan.pause_max);
  }
}

io::Task<Result<>> BatchProducer::obtain_id(client::BrokerConnection& connection) {
  const InitProducerIdRequest request{.transactional_id = std::nullopt, .transaction_timeout_ms = 60'000};
  PYRALOG_CO_ASSIGN(const auto reply, (co_await connection.call<InitProducerIdRequest, InitProducerIdResponse>(request)));
  if (reply.message.error_code != KafkaError::kNone) co_return ErrorCode::kUnavailable;
  id_ = reply.message.producer_id;
  epoch_ = reply.message.producer_epoch;
  session_ = stage_.history.new_session();
  stage_.note("producer id " + std::to_string(id_.value));
  stage_.history.took_producer_id(id_);
  co_return Result<>();
}

std::vector<BatchProducer::Part> BatchProducer::new_parts() {
  std::vector<Part> parts;
  std::set<Place> places;
  for (std::uint64_t count = random_.chance(1, 3) ? random_.between(2, kPartsMax) : 1; count > 0; --count) {
    const auto log = stage_.pick_log(random_);
    if (!log.has_value()) break;
    const Place place{*log, stage_.pick_partition(random_, *log)};
    if (is_idempotent_ && busy_.contains(place)) continue;
    places.insert(place);
  }
  for (const Place& place : places) {
    if (auto part = new_part(place)) parts.push_back(std::move(*part));
  }
  return parts;
}

std::optional<BatchProducer::Part> BatchProducer::new_part(Place place) {
  std::int32_t& sequence = sequences_[place];
  record::BatchBuilder builder({.codec = codec_,
                                .producer_id = id_,
                                .producer_epoch = epoch_,
                                .base_sequence = is_idempotent_ ? sequence : record::kNoSequence});
  const bool is_large = random_.chance(1, 20);
  const auto records = static_cast<std::uint32_t>(random_.between(1, stage_.plan.batch_records_max));
  const ValueId first = stage_.history.take_values(records);
  for (std::uint32_t i = 0; i < records; ++i) {
    const std::size_t bytes_max = is_large ? kBatchBytesMax / records : stage_.plan.value_bytes_max;
    const std::string value = make_value(ValueId(first.value + i), random_.between(kValueBytesMin, bytes_max));
    record::RecordInput record{.timestamp = io::Reactor::current().wall_now(), .value = as_bytes(value)};
    if (random_.chance(1, 2)) record.key = as_bytes(value).first(4);
    if (!builder.append(record).ok()) return std::nullopt;
  }
  const auto bytes = builder.finish();
  if (!bytes.ok()) return std::nullopt;
  if (is_idempotent_) sequence = record::sequence_after(sequence, static_cast<std::int32_t>(records));
  Sending sending{.log = place.first, .partition = place.second, .first = first, .count = records};
  sending.sender = is_idempotent_ ? "idempotent" : "not idempotent";
  sending.session = session_;
  sending.invoked = stage_.now();
  return Part{.sending = stage_.history.send(sending), .place = place, .bytes = Slice::copy_of(*bytes)};
}

Result<> BatchProducer::send(client::BrokerConnection& connection, std::vector<Part> parts) {
  PYRALOG_ASSIGN(const ApiVersion version, connection.version_of(kProduceApi));
  std::vector<std::vector<Piece>> pieces(parts.size());
  std::vector<std::vector<ProduceRequest::Partition>> partitions;
  std::vector<ProduceRequest::Topic> topics;
  std::optional<std::size_t> log;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (log != parts[i].place.first) {
      log = parts[i].place.first;
      topics.push_back({.name = stage_.history.log(*log).name, .topic_id = stage_.history.log(*log).id, .partition_data = {}});
      partitions.emplace_back();
    }
    pieces[i].push_back(parts[i].bytes);
    partitions.back().push_back({.index = parts[i].place.second, .records = Records::of(pieces[i])});
    busy_.insert(parts[i].place);
  }
  for (std::size_t i = 0; i < topics.size(); ++i) topics[i].partition_data = partitions[i];
  const ProduceRequest request{
      .transactional_id = std::nullopt, .acks = acks_, .timeout_ms = kServerTimeoutMs, .topic_data = topics};
  PYRALOG_ASSIGN(OutgoingFrame frame, encode_request(request, version, 0, connection.options().client_id));
  if (acks_ == 0) {
    for (const Part& part : parts) busy_.erase(part.place);
    connection.send_unanswered(std::move(frame));
    return {};
  }
  ++under_way_;
  connection.send(std::move(frame), [this, version, sent = std::move(parts)](Result<Slice> answer) mutable {
    --under_way_;
    take_answer(answer, version, std::move(sent));
    answered_.notify_all();
  });
  return {};
}

void BatchProducer::take_answer(const Result<Slice>& frame, ApiVersion version, std::vector<Part> parts) {
  Arena arena;
  std::optional<ProduceResponse> response;
  if (frame.ok()) {
    const auto received = parse_response(frame->view(), kProduceApi, version);
    auto message = received.ok() ? decode<ProduceResponse>(received->body, version, arena) : received.error();
    if (!message.ok()) return stage_.history.violate("a produce answer is malformed: " + message.error().to_string());
    response = std::move(*message);
  }
  for (Part& part : parts) {
    busy_.erase(part.place);
    part.sent_before |= !frame.ok();
    if (!frame.ok()) {
      if (is_idempotent_ && id_ != kNoProducerId) {
        busy_.insert(part.place);
        unresolved_.push_back(std::move(part));
      }
      continue;
    }
    const LogId id = stage_.history.log(part.place.first).id;
    bool is_answered = false;
    for (const auto& topic : response->responses) {
      for (const auto& partition : topic.partition_responses) {
        if (topic.topic_id != id || partition.index != part.place.second) continue;
        is_answered = true;
        settle(std::move(part), partition.error_code, partition.base_offset);
        break;
      }
      if (is_answered) break;
    }
    if (!is_answered) stage_.history.violate("a produce answer leaves a partition out");
  }
}

void BatchProducer::settle(Part part, KafkaError error, Offset base) {
  LogFacts& log = stage_.history.log(part.place.first);
  const auto again = [&] {
    part.sent_before = true;
    if (!is_idempotent_ || id_ == kNoProducerId) return;
    busy_.insert(part.place);
    unresolved_.push_back(std::move(part));
  };
  switch (error) {
    case KafkaError::kNone:
      return stage_.history.acknowledge(part.sending, base, stage_.now(), life_);
    case KafkaError::kDuplicateSequenceNumber:
      return stage_.history.acknowledge(part.sending, std::nullopt, stage_.now(), life_);
    case KafkaError::kRequestTimedOut:
      return again();
    case KafkaError::kUnknownTopicOrPartition:
    case KafkaError::kUnknownTopicId:
      if (log.fate == Fate::kThere) stage_.history.violate("log " + log.name + " is there, and the server does not know it");
      if (!part.sent_before) stage_.history.refuse(part.sending, stage_.now());
      return;
    case KafkaError::kKafkaStorageError:
      stage_.coverage.add(Happened::kProduceRefusedFull);
      if (is_idempotent_) return again();
      return stage_.history.refuse(part.sending, stage_.now());
    case KafkaError::kOutOfOrderSequenceNumber:
    case KafkaError::kUnknownProducerId:
      if (!log.was_cached) stage_.history.violate("log " + log.name + " forgot batches of an idempotent producer");
      return forget_id();
    default:
      stage_.history.violate("a produce request is refused with " + std::string(kafka_error_name(error)));
  }
}

void BatchProducer::forget_id() {
  id_ = kNoProducerId;
  sequences_.clear();
  unresolved_.clear();
  busy_.clear();
}

}  // namespace pyralog::sim
