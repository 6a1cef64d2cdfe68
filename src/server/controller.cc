#include "server/controller.h"

#include <spdlog/spdlog.h>

#include "io/remote_call.h"
#include "server/node.h"

namespace pyralog::server {

Controller::Controller(Node& node, std::unique_ptr<MetadataLog> log, cluster::ImagePtr image)
    : node_(node), log_(std::move(log)), image_(std::move(image)) {}

io::Task<Result<cluster::ImagePtr>> Controller::propose(cluster::Command command) {
  io::Reactor& home = node_.shard(ShardId(0)).reactor();
  auto propose_home = [this, c = std::move(command)]() mutable { return propose_here(std::move(c)); };
  co_return co_await io::call_on(home, std::move(propose_home));
}

io::Task<Result<cluster::ImagePtr>> Controller::propose_here(cluster::Command command) {
  if (co_await one_at_a_time_.acquire(1, closing_) != io::WaitOutcome::kWoken) co_return ErrorCode::kClosed;
  auto result = co_await propose_next(command);
  one_at_a_time_.release(1);
  co_return result;
}

io::Task<Result<cluster::ImagePtr>> Controller::propose_next(const cluster::Command& command) {
  const cluster::MetadataIndex index(image_->applied_index().value + 1);
  PYRALOG_CO_ASSIGN(cluster::ImagePtr next, image_->apply(index, command));
  PYRALOG_CO_TRY(co_await log_->append(command));
  image_ = next;
  PYRALOG_CO_TRY(co_await node_.publish(next, command));
  // A snapshot only shortens the next start; the commands it would replace are still there.
  if (auto stored = co_await log_->maybe_snapshot(*image_); !stored.ok()) {
    spdlog::error("metadata: snapshot failed: {}", stored.error().to_string());
  }
  co_return next;
}

io::Task<Result<>> Controller::close() {
  closing_.abort();
  io::AbortSource never;
  co_await one_at_a_time_.acquire(1, never);
  co_return co_await log_->close();
}

}  // namespace pyralog::server
