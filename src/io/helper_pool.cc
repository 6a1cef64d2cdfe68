#include "io/helper_pool.h"

#include <pthread.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace pyralog::io {

HelperPool::HelperPool(std::string name, std::size_t threads_max) : name_(std::move(name)), threads_max_(threads_max) {
  CPU_ZERO(&processors_);
  sched_getaffinity(0, sizeof processors_, &processors_);
}

HelperPool::~HelperPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void HelperPool::submit(RemoteWork* work) noexcept {
  std::unique_lock lock(mutex_);
  if (idle_ <= queued_ && threads_.size() < threads_max_ && !start_thread() && threads_.empty()) {
    lock.unlock();
    work->run(work);  // the system refuses even one thread: late is better than never
    return;
  }
  work->next = nullptr;
  (last_ != nullptr ? last_->next : first_) = work;
  last_ = work;
  ++queued_;
  lock.unlock();
  wanted_.notify_one();
}

bool HelperPool::start_thread() noexcept {
  // A helper takes no signals: they belong to whoever waits for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    threads_.emplace_back([this] { serve(); });
    pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
  } catch (const std::system_error&) {
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

void HelperPool::serve() {
  sched_setaffinity(0, sizeof processors_, &processors_);
  std::unique_lock lock(mutex_);
  for (;;) {
    while (first_ == nullptr) {
      if (stopping_) return;
      ++idle_;
      wanted_.wait(lock);
      --idle_;
    }
    RemoteWork* work = first_;
    first_ = work->next;
    if (first_ == nullptr) last_ = nullptr;
    --queued_;
    lock.unlock();
    work->run(work);  // `work` may be gone after it
    lock.lock();
  }
}

HelperPools::HelperPools() {
  static constexpr std::array<const char*, kLanes> kNames = {"helper-files", "helper-sync", "helper-names",
                                                             "helper-compute"};
  for (std::size_t i = 0; i < kLanes; ++i) pools_[i] = std::make_unique<HelperPool>(kNames[i], kThreadsPerLane);
}

}  // namespace pyralog::io
