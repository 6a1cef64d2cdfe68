#include "server/shard.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/remote_call.h"
#include "server/controller.h"
#include "server/group_service.h"
#include "server/node.h"
#include "storage/planted.h"

namespace pyralog::server {
namespace {

constexpr std::uint32_t kProducerIdBlock = 1000;
constexpr Duration kMemoryReliefInterval = std::chrono::seconds(1);
constexpr Duration kAcceptRetryDelay = std::chrono::milliseconds(50);

}  // namespace

Shard::Shard(Node& node, io::Reactor& reactor)
    : node_(node), reactor_(reactor), groups_(std::make_unique<GroupService>(*this)) {}
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
  request_memory_ = std::make_unique<RequestMemory>(limits.request_memory_bytes_max);
  sessions_ = std::make_unique<FetchSessions>(FetchSessions::Limits{}, id(),
                                              static_cast<std::uint32_t>(node_.shard_count()), reactor_.random().fork());
  files_ = std::make_unique<storage::FileCache>(limits.segment_files_open_max);
  PYRALOG_CO_ASSIGN(store_, co_await storage::ShardStore::open(std::move(options), *files_));
  store_->set_on_damage([](const storage::SegmentDamage& damage) {
    spdlog::error("storage: {} is damaged at byte {}: {}; readers of the records there get an error or the damage, others "
                  "are not affected; `pyralog log check` tells more",
                  damage.path, damage.position, damage.what);
  });
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

void Shard::add_listener(std::unique_ptr<io::Listener> listener, const ListenerInfo& info) {
  acceptors_.push_back(std::make_unique<Acceptor>(std::move(listener), info, limits().connections_per_second_max));
}

void Shard::start_serving() {
  memory_timer_.emplace(reactor_, [this] { relieve_memory(); });
  for (auto& acceptor : acceptors_) scope_.spawn(accept_loop(*acceptor));
  scope_.spawn(housekeeping_loop());
  scope_.spawn(compaction_loop());
  serving_ = true;
  groups_->refresh();
}

io::Task<> Shard::accept_loop(Acceptor& acceptor) {
  while (!scope_.closing()) {
    auto socket = co_await acceptor.listener->accept();
    if (socket.ok()) {
      if (const Duration wait = acceptor.rate.take(reactor_.now()); wait > Duration::zero()) {
        ++metrics_.connections_delayed;
        co_await io::sleep_for(wait, scope_.abort());
      }
      scope_.spawn(run_connection(std::move(*socket), acceptor));
      continue;
    }
    if (socket.error() == ErrorCode::kClosed) co_return;
    spdlog::warn("kafka: accepting on {}: {}", acceptor.listener->local().to_string(), socket.error().to_string());
    co_await io::sleep_for(kAcceptRetryDelay, scope_.abort());
  }
}

bool Shard::admit(Acceptor& acceptor, const std::string& address) {
  if (acceptor.open >= limits().connections_max) return false;
  const auto [count, fresh] = connections_by_address_.try_emplace(address, 0);
  if (count->second >= limits().connections_per_address_max) return false;
  ++count->second;
  ++acceptor.open;
  return true;
}

io::Task<RequestMemory::Charge> Shard::wait_for_memory(std::size_t frame_bytes, std::size_t units, io::AbortSource& abort) {
  ++metrics_.budget_waits;
  if (!memory_timer_->armed()) memory_timer_->arm_after(kMemoryReliefInterval);
  co_return co_await request_memory_->acquire(frame_bytes, units, abort);
}

void Shard::relieve_memory() {
  if (!request_memory_->contended()) return;
  for (KafkaConnection* connection : connections_) connection->give_up_slow_frame();
  memory_timer_->arm_after(kMemoryReliefInterval);
}

void Shard::warn_of_client(const io::Endpoint& peer, std::string_view what) {
  if (!client_warnings_.try_take(reactor_.now())) {
    ++client_warnings_left_out_;
    return;
  }
  const auto left_out = std::exchange(client_warnings_left_out_, 0);
  spdlog::warn("kafka: {}: {}{}", peer.to_string(), what,
               left_out > 0 ? fmt::format(" ({} such lines were left out before)", left_out) : "");
}

io::Task<> Shard::run_connection(std::unique_ptr<io::Connection> socket, Acceptor& acceptor) {
  const std::string address = socket->peer().host;
  if (!admit(acceptor, address)) {
    ++metrics_.connections_refused;
    warn_of_client(socket->peer(),
                   "refused: too many connections (kafka.connections_max, kafka.connections_per_address_max)");
    socket->close();
    co_return;
  }
  ++metrics_.connections_accepted;
  ++metrics_.connections_open;
  KafkaConnection connection(*this, acceptor.info, std::move(socket));
  const auto place = connections_.insert(connections_.end(), &connection);
  co_await connection.run();
  connections_.erase(place);
  --metrics_.connections_open;
  --acceptor.open;
  if (--connections_by_address_[address] == 0) connections_by_address_.erase(address);
}

io::Task<> Shard::stop_serving() {
  for (auto& acceptor : acceptors_) acceptor->listener->close();
  // First, since requests of this and other shards wait for its answers.
  co_await groups_->close();
  for (KafkaConnection* connection : connections_) connection->close();
  co_await scope_.close();
  acceptors_.clear();
  memory_timer_.reset();
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
  if (storage::planted(storage::Bug::kProducerIdsOverlap)) producer_id_next_ = ProducerId(0);
  co_return Result<>();
}

}  // namespace pyralog::server
