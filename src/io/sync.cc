#include "io/sync.h"

namespace pyralog::io {

bool WaitList::Wait::await_ready() noexcept {
  if (abort_ == nullptr || !abort_->aborted()) return false;
  outcome_ = WaitOutcome::kAborted;
  return true;
}

void WaitList::Wait::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  reactor_ = &Reactor::current();
  previous_ = list_.tail_;
  while (previous_ != nullptr && previous_->threshold_ > threshold_) previous_ = previous_->previous_;
  next_ = previous_ != nullptr ? previous_->next_ : list_.head_;
  (previous_ != nullptr ? previous_->next_ : list_.head_) = this;
  (next_ != nullptr ? next_->previous_ : list_.tail_) = this;
  if (abort_ != nullptr) {
    abort_next_ = std::exchange(abort_->head_, this);
    if (abort_next_ != nullptr) abort_next_->abort_previous_ = this;
  }
  if (deadline_.has_value()) {
    timer_.emplace(*reactor_, [this] { finish(WaitOutcome::kTimedOut); });
    timer_->arm(*deadline_);
  }
}

void WaitList::Wait::finish(WaitOutcome outcome) {
  outcome_ = outcome;
  (previous_ != nullptr ? previous_->next_ : list_.head_) = next_;
  (next_ != nullptr ? next_->previous_ : list_.tail_) = previous_;
  if (abort_ != nullptr) {
    (abort_previous_ != nullptr ? abort_previous_->abort_next_ : abort_->head_) = abort_next_;
    if (abort_next_ != nullptr) abort_next_->abort_previous_ = abort_previous_;
  }
  if (timer_.has_value()) timer_->cancel();
  reactor_->post(handle_);
}

Task<WaitOutcome> sleep_for(Duration delay, AbortSource& abort) {
  WaitList never;
  co_return co_await never.wait_until(Reactor::current().now() + delay, abort);
}

Task<WaitOutcome> Semaphore::acquire(std::uint64_t units, AbortSource& abort) {
  if (try_acquire(units)) co_return WaitOutcome::kWoken;
  Pending pending{.units = units, .granted = false, .waiting = {}};
  pending_.push_back(&pending);
  const WaitOutcome outcome = co_await pending.waiting.wait(abort);
  // A grant and an abort may fall into one turn: what was granted is kept.
  if (pending.granted) co_return WaitOutcome::kWoken;
  std::erase(pending_, &pending);
  grant();
  co_return outcome;
}

void Semaphore::release(std::uint64_t units) {
  available_ += units;
  grant();
}

void Semaphore::grant() {
  while (!pending_.empty() && pending_.front()->units <= available_) {
    Pending* first = pending_.front();
    pending_.pop_front();
    available_ -= first->units;
    first->granted = true;
    first->waiting.notify_all();
  }
}

}  // namespace pyralog::io
