#include "io/real_runtime.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "io/io_ring.h"

namespace pyralog::io {
namespace {

std::vector<unsigned> usable_processor_numbers() {
  std::vector<unsigned> numbers;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (unsigned i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) numbers.push_back(i);
    }
  }
  return numbers;
}

}  // namespace

unsigned RealRuntime::usable_processors() noexcept {
  const auto count = static_cast<unsigned>(usable_processor_numbers().size());
  return count == 0 ? 1 : count;
}

std::uint64_t RealRuntime::raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return UINT64_MAX;
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  return limit.rlim_cur;
}

Result<std::unique_ptr<RealRuntime>> RealRuntime::create(RuntimeOptions options) {
  PYRALOG_ASSERT(options.shards > 0, "a runtime without shards");
  std::unique_ptr<RealRuntime> runtime(new RealRuntime());
  const std::vector<unsigned> processors = usable_processor_numbers();
  Random seeds(options.seed);
  for (unsigned i = 0; i < options.shards; ++i) {
    ReactorOptions one{.shard = ShardId(i), .seed = seeds.next(), .backend = options.backend};
    one.send_buffer_bytes = options.send_buffer_bytes;
    if (options.pin_threads && !processors.empty()) one.cpu = processors[i % processors.size()];
    PYRALOG_ASSIGN(std::unique_ptr<RealReactor> reactor, RealReactor::create(one, runtime->helpers_));
    runtime->reactors_.push_back(std::move(reactor));
  }
  return runtime;
}

RealRuntime::~RealRuntime() {
  stop();
  helpers_->finish();  // its work refers to the reactors
}

std::string RealRuntime::disk_backend() const {
  const RealReactor& first = *reactors_.front();
  if (first.ring() != nullptr) return "io_uring";
  return first.ring_refusal().empty() ? "posix" : "posix (" + first.ring_refusal() + ")";
}

void RealRuntime::start_threads(unsigned first) {
  PYRALOG_ASSERT(threads_.empty(), "the shards run already");
  for (unsigned i = first; i < shard_count(); ++i) {
    RealReactor* reactor = reactors_[i].get();
    threads_.emplace_back(reactor, std::thread([reactor] { reactor->run(); }));
    pthread_setname_np(threads_.back().second.native_handle(), ("shard-" + std::to_string(i)).c_str());
  }
}

void RealRuntime::stop() {
  while (!threads_.empty()) {
    threads_.back().first->stop();
    threads_.back().second.join();
    threads_.pop_back();
  }
}

}  // namespace pyralog::io
