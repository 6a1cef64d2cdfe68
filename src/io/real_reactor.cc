#include "io/real_reactor.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "io/io_ring.h"
#include "io/real_disk.h"
#include "io/real_network.h"
#include "io/system_error.h"

namespace pyralog::io {
namespace {

// Turns between two looks at the system while work is ready all the time: a look costs one system call.
constexpr unsigned kTurnsPerPassMax = 8;
constexpr int kEventsPerLookMax = 256;
// A sleeping thread may be woken this much late to save wake-ups; the system's default is 50 µs.
constexpr unsigned long kTimerSlackNs = 1000;
constexpr Duration kResubmitDelay = std::chrono::milliseconds(1);
constexpr Duration kTrimInterval = std::chrono::seconds(1);

Duration read_clock(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// How a shard's thread is set while its loop runs.
class ThreadSetting {
 public:
  explicit ThreadSetting(std::optional<unsigned> cpu) : pinned_(cpu.has_value()) {
    slack_ns_ = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
    if (!pinned_) return;
    CPU_ZERO(&before_);
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(*cpu, &set);
    sched_setaffinity(0, sizeof set, &set);  // a wish: a container may not own that processor
  }
  ~ThreadSetting() {
    if (slack_ns_ > 0) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack_ns_), 0, 0, 0);
    if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
  }
  ThreadSetting(const ThreadSetting&) = delete;

 private:
  int slack_ns_ = 0;
  bool pinned_;
  cpu_set_t before_;
};

}  // namespace

Result<std::unique_ptr<RealReactor>> RealReactor::create(ReactorOptions options, std::shared_ptr<HelperPools> helpers) {
  std::unique_ptr<RealReactor> reactor(new RealReactor(options, std::move(helpers)));
  PYRALOG_TRY(reactor->open());
  return reactor;
}

RealReactor::RealReactor(ReactorOptions options, std::shared_ptr<HelperPools> helpers)
    : Reactor(options.shard, options.seed), options_(options), helpers_(std::move(helpers)) {}

RealReactor::~RealReactor() = default;

Result<> RealReactor::open() {
  // A peer that goes away shows as an error of a write, not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return system_error(errno, "epoll_create1", "");
  wake_event_ = Descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_event_) return system_error(errno, "eventfd", "");
  // Edge-triggered, so that nobody has to read it: each write is a new edge.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_event_.get(), &event) != 0) {
    return system_error(errno, "epoll_ctl", "");
  }
  if (options_.backend == DiskBackend::kAuto) {
    auto ring = IoRing::create(*this);
    if (ring.ok()) {
      ring_ = std::move(*ring);
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ring_->descriptor(), &event) != 0) {
        return system_error(errno, "epoll_ctl", "");
      }
    } else {
      ring_refusal_ = ring.error().detail();
    }
  }
  disk_ = std::make_unique<RealDisk>(*this);
  network_ = std::make_unique<RealNetwork>(*this);
  return {};
}

MonotonicTime RealReactor::now() const noexcept { return MonotonicTime(read_clock(CLOCK_MONOTONIC)); }

WallTime RealReactor::wall_now() const noexcept {
  return WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(read_clock(CLOCK_REALTIME)).count()};
}

Disk& RealReactor::disk() noexcept { return *disk_; }
Network& RealReactor::network() noexcept { return *network_; }

Result<> RealReactor::watch(int fd, EventSource& source, std::uint32_t events) {
  epoll_event event{.events = events | EPOLLET, .data = {.ptr = &source}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  const bool short_of_it = errno == ENOSPC || errno == ENOMEM;  // the system's limit on watches
  return Error(short_of_it ? ErrorCode::kLimitExceeded : ErrorCode::kIo, "epoll_ctl: " + system_text(errno));
}

void RealReactor::unwatch(int fd) noexcept { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void RealReactor::run() {
  const Enter enter(*this);
  const ThreadSetting setting(options_.cpu);
  pass_start_ = now();
  while (!stopping_.load(std::memory_order_acquire)) {
    run_turns();
    look_at_system();
  }
  stopping_.store(false, std::memory_order_relaxed);
}

void RealReactor::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void RealReactor::run_turns() {
  for (unsigned turn = 0; turn < kTurnsPerPassMax; ++turn) {
    const bool ran = run_turn();
    if (ran) ++counters().loop.turns;
    if (ring_ != nullptr) {
      ring_->reap();
      submitted_all_ = ring_->submit();
    }
    if (idle() || stopping_.load(std::memory_order_relaxed)) return;
  }
}

// A sender pushes its work, then exchanges sleeping_; the loop exchanges sleeping_, then looks at the queue. Whoever
// comes second sees what the first did, so work is never left behind a sleeping loop, and a loop that is awake costs its
// senders no system call.
void RealReactor::wake() noexcept {
  if (!sleeping_.exchange(false, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_event_.get(), &one, sizeof one);
}

std::optional<Duration> RealReactor::sleep_limit(MonotonicTime now) {
  if (!idle()) return Duration(0);
  std::optional<Duration> limit;
  const auto within = [&limit](Duration bound) { limit = std::max(Duration(0), std::min(limit.value_or(bound), bound)); };
  if (has_timer()) within(next_deadline() - now);
  if (!submitted_all_) within(kResubmitDelay);
  if (chunks().free_bytes() > 0) {
    if (now >= trim_time_) {
      chunks().trim();
      trim_time_ = now + kTrimInterval;
    }
    within(trim_time_ - now);
  }
  return limit;
}

void RealReactor::look_at_system() {
  const MonotonicTime before = now();
  std::optional<Duration> timeout = sleep_limit(before);
  const bool sleeps = timeout != Duration(0);
  if (sleeps) {
    sleeping_.exchange(true, std::memory_order_acq_rel);
    if (!idle() || stopping_.load(std::memory_order_acquire)) timeout = Duration(0);
  }

  LoopCounters& loop = counters().loop;
  loop.busy += before - pass_start_;
  loop.longest_pass = std::max(loop.longest_pass, before - pass_start_);
  ++loop.passes;

  epoll_event events[kEventsPerLookMax];
  const int count = wait_for_events(events, timeout);
  if (sleeps) sleeping_.exchange(false, std::memory_order_acq_rel);
  pass_start_ = now();
  loop.waiting += pass_start_ - before;
  for (int i = 0; i < count; ++i) {
    ++loop.events;
    if (events[i].data.ptr != nullptr) static_cast<EventSource*>(events[i].data.ptr)->on_events(events[i].events);
  }
  if (ring_ != nullptr) ring_->reap();
}

int RealReactor::wait_for_events(epoll_event* events, std::optional<Duration> timeout) {
  if (precise_wait_) {
    timespec limit{};
    if (timeout.has_value()) {
      limit.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(*timeout).count();
      limit.tv_nsec = (*timeout % std::chrono::seconds(1)).count();
    }
    const timespec* bound = timeout.has_value() ? &limit : nullptr;
    const int count = epoll_pwait2(epoll_.get(), events, kEventsPerLookMax, bound, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    precise_wait_ = false;  // kernels before 5.11: whole milliseconds, rounded up
  }
  int timeout_ms = -1;
  if (timeout.has_value()) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
    timeout_ms = static_cast<int>(std::min<std::int64_t>(rounded, 1'000'000));
  }
  return epoll_wait(epoll_.get(), events, kEventsPerLookMax, timeout_ms);
}

}  // namespace pyralog::io
