#include "io/stop_signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

#include "io/system_error.h"

namespace pyralog::io {
namespace {

sigset_t stop_set() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void StopSignals::block() noexcept {
  const sigset_t set = stop_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<std::unique_ptr<StopSignals>> StopSignals::create(RealReactor& reactor) {
  const sigset_t set = stop_set();
  Descriptor descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!descriptor) return system_error(errno, "signalfd", "");
  std::unique_ptr<StopSignals> signals(new StopSignals(reactor, std::move(descriptor)));
  PYRALOG_TRY(reactor.watch(signals->descriptor_.get(), *signals, EPOLLIN));
  return signals;
}

StopSignals::~StopSignals() { close(); }

void StopSignals::on_events(std::uint32_t) noexcept { ready_.set(reactor_); }

Task<int> StopSignals::next() {
  for (;;) {
    if (!descriptor_) co_return 0;
    signalfd_siginfo info{};
    if (::read(descriptor_.get(), &info, sizeof info) == sizeof info) co_return static_cast<int>(info.ssi_signo);
    ready_.clear();
    co_await ready_;
  }
}

void StopSignals::close() {
  if (!descriptor_) return;
  reactor_.unwatch(descriptor_.get());
  descriptor_.reset();
  ready_.set(reactor_);
}

}  // namespace pyralog::io
