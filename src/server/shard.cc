#include "server/shard.h"

#include <spdlog/spdlog.h>

#include "io/remote_call.h"
#include "server/controller.h"
#include "server/node.h"

namespace pyralog::server {
namespace {

constexpr std::uint32_t kProducerIdBlock = 1000;
constexpr Duration kAcceptRetryDelay = std::chrono::milliseconds(50);

}  // namespace

Shard::Shard(Node& node, io::Reactor& reactor) : node_(node), reactor_(reactor) {}
Shard::~Shard() = default;

const NodeInfo& Shard::info() const noexcept { return node_.info(); }

cluster::NodeLayers Shard::layers() const {
  cluster::NodeLayers layers;
  if (image_ != nullptr) {
    layers.dynamic_node = &image_->node_settings(info().id);
    layers.dynamic_default = &image_->default_node_settings();
  }
  layers.static_node = &info().static_settings;
  return layers;
}

cluster::Settings Shard::node_settings() const {
  cluster::Settings merged = info().static_settings;
  if (image_ == nullptr) return merged;
  for (const auto& setting : image_->default_node_settings()) merged.set(setting.name, setting.value);
  for (const auto& setting : image_->node_settings(info().id)) merged.set(setting.name, setting.value);
  return merged;
}

Partition* Shard::find(Incarnation incarnation) noexcept {
  const auto found = partitions_.find(incarnation);
  return found == partitions_.end() ? nullptr : found->second.get();
}

bool Shard::owns(const cluster::PartitionMetadata& partition) const noexcept {
  return shard_of(partition.incarnation, node_.shard_count()) == reactor_.shard();
}

io::Task<Result<>> Shard::open_store(storage::StoreOptions options) {
  const RequestLimits& limits = info().limits;
  request_memory_ = std::make_unique<io::Semaphore>(limits.request_memory_bytes_max);
  sessions_ = std::make_unique<FetchSessions>(FetchSessions::Limits{}, id(),
                                              static_cast<std::uint32_t>(node_.shard_count()), reactor_.random().fork());
  files_ = std::make_unique<storage::FileCache>(limits.segment_files_open_max);
  PYRALOG_CO_ASSIGN(store_, co_await storage::ShardStore::open(std::move(options), *files_));
  logs_.reset(new storage::LogShard{.store = *store_, .files = *files_, .decompressor = decompressor_});
  scope_.spawn(watch_store());
  co_return Result<>();
}

io::Task<> Shard::watch_store() {
  co_await store_->wait_failed(scope_.abort());
  if (!store_->failure().has_value()) co_return;
  store_failed_.abort();
  auto report = [](Node& node, Error error) -> io::Task<> {
    node.report_failure(error);
    co_return;
  };
  auto at_home = [this, report, error = *store_->failure()]() { return report(node_, error); };
  co_await io::call_on(node_.shard(ShardId(0)).reactor(), std::move(at_home));
}

void Shard::serve(std::unique_ptr<io::Listener> listener, const ListenerInfo& info) {
  io::Listener& accepting = *listeners_.emplace_back(std::move(listener));
  scope_.spawn(accept_loop(accepting, info));
}

io::Task<> Shard::accept_loop(io::Listener& listener, const ListenerInfo& info) {
  while (!scope_.closing()) {
    auto socket = co_await listener.accept();
    if (socket.ok()) {
      scope_.spawn(run_connection(std::move(*socket), info));
      continue;
    }
    if (socket.error() == ErrorCode::kClosed) co_return;
    spdlog::warn("kafka: accepting on {}: {}", listener.local().to_string(), socket.error().to_string());
    co_await io::sleep_for(kAcceptRetryDelay, scope_.abort());
  }
}

bool Shard::admit(const std::string& address) {
  const RequestLimits& limits = info().limits;
  if (connections_.size() >= limits.connections_max) return false;
  std::size_t& count = connections_by_address_[address];
  if (count >= limits.connections_per_address_max) return false;
  ++count;
  return true;
}

io::Task<> Shard::run_connection(std::unique_ptr<io::Connection> socket, const ListenerInfo& info) {
  const std::string address = socket->peer().host;
  if (!admit(address)) {
    ++metrics_.connections_refused;
    spdlog::warn("kafka: {} refused: too many connections (kafka.connections.max, kafka.connections.per.address.max)",
                 socket->peer().to_string());
    socket->close();
    co_return;
  }
  ++metrics_.connections_accepted;
  ++metrics_.connections_open;
  KafkaConnection connection(*this, info, std::move(socket));
  connections_.insert(&connection);
  co_await connection.run();
  connections_.erase(&connection);
  --metrics_.connections_open;
  if (--connections_by_address_[address] == 0) connections_by_address_.erase(address);
}

void Shard::start_housekeeping() { scope_.spawn(housekeeping_loop()); }

io::Task<> Shard::stop_serving() {
  for (auto& listener : listeners_) listener->close();
  for (KafkaConnection* connection : connections_) connection->close();
  co_await scope_.close();
  listeners_.clear();
}

io::Task<Result<>> Shard::close_store() {
  for (auto& [incarnation, partition] : partitions_) co_await partition->data->close();
  partitions_.clear();
  if (store_ == nullptr) co_return Result<>();
  auto closed = co_await store_->close();
  files_->clear();
  store_.reset();
  co_return closed;
}

io::Task<Result<ProducerId>> Shard::next_producer_id() {
  if (co_await producer_id_lock_.acquire(1, scope_.abort()) != io::WaitOutcome::kWoken) co_return ErrorCode::kClosed;
  Result<> ready;
  if (producer_id_next_ == producer_id_end_) ready = co_await take_producer_ids();
  producer_id_lock_.release(1);
  if (!ready.ok()) co_return std::move(ready).error();
  const ProducerId id = producer_id_next_;
  producer_id_next_.value += 1;
  co_return id;
}

io::Task<Result<>> Shard::take_producer_ids() {
  cluster::AllocateProducerIds command{.node = info().id, .count = kProducerIdBlock};
  PYRALOG_CO_ASSIGN(const cluster::ImagePtr image, co_await node_.controller().propose(command));
  producer_id_end_ = image->next_producer_id();
  producer_id_next_ = ProducerId(producer_id_end_.value - kProducerIdBlock);
  co_return Result<>();
}

}  // namespace pyralog::server
