#include "sim/record_producer.h"

namespace pyralog::sim {
namespace {

constexpr record::Codec kCodecs[] = {record::Codec::kNone, record::Codec::kGzip, record::Codec::kSnappy, record::Codec::kLz4,
                                     record::Codec::kZstd};

}  // namespace

io::Task<> RecordProducer::run() {
  const auto work = [this](client::ClusterClient& cluster) { return use(cluster); };
  co_await keep_using(stage_, random_, impatient_options(), work);
}

io::Task<> RecordProducer::use(client::ClusterClient& cluster) {
  const auto log = stage_.pick_log(random_);
  // By name: a log that may be deleted could be another one by the time the records arrive.
  if (!log.has_value() || stage_.history.log(*log).may_be_deleted) co_return;
  client::ProducerOptions options{.codec = kCodecs[random_.below(std::size(kCodecs))],
                                  .idempotent = random_.chance(2, 3),
                                  .batch_bytes_max = random_.between(200, 20'000),
                                  .linger = std::chrono::microseconds(random_.below(10'000)),
                                  .delivery_timeout = std::chrono::seconds(20)};
  if (!options.idempotent) options.acks = random_.chance(1, 2) ? client::Acks::kAll : client::Acks::kLeader;
  const std::uint32_t life = stage_.server.life();
  auto producer = co_await client::Producer::open(cluster, stage_.history.log(*log).name, options);
  if (!producer.ok()) co_return;
  std::vector<std::size_t> sendings;
  const std::string_view sender = options.idempotent ? "Producer, idempotent" : "Producer, not idempotent";
  const Result<> written = co_await write(**producer, *log, sender, sendings);
  if (written.ok()) {
    for (const std::size_t sending : sendings) stage_.history.acknowledge(sending, std::nullopt, stage_.now(), life);
  } else {
    stage_.note("records of " + stage_.history.log(*log).name + ": " + written.error().to_string());
  }
  co_await (*producer)->close();
}

io::Task<Result<>> RecordProducer::write(client::Producer& producer, std::size_t log, std::string_view sender,
                                           std::vector<std::size_t>& sendings) {
  const std::uint32_t session = stage_.history.new_session();
  for (std::uint64_t left = random_.between(1, 80); left > 0; --left) {
    const ValueId value = stage_.history.take_values(1);
    Sending sending{.log = log, .partition = stage_.pick_partition(random_, log), .first = value};
    sending.sender = sender;
    sending.session = session;
    sending.invoked = stage_.now();
    client::ProducerRecord record;
    record.value = make_value(value, random_.between(kValueBytesMin, stage_.plan.value_bytes_max));
    if (random_.chance(1, 3)) record.key = std::to_string(value.value % 10);
    record.partition = sending.partition;
    sendings.push_back(stage_.history.send(sending));
    PYRALOG_CO_TRY(co_await producer.append(std::move(record)));
    if (random_.chance(1, 5)) co_await pause_for(random_, stage_.plan.pause_max);
  }
  co_return co_await producer.flush();
}

}  // namespace pyralog::sim
