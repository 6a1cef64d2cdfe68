#include "server/data_watch.h"

namespace pyralog::server {

void WatchList::notify() noexcept {
  for (Link* link = head_; link != nullptr; link = link->next) {
    link->waiter->has_news_ = true;
    link->waiter->woken_.notify_all();
  }
}

DataWaiter::~DataWaiter() {
  for (WatchList::Link& link : links_) {
    (link.previous != nullptr ? link.previous->next : link.list->head_) = link.next;
    if (link.next != nullptr) link.next->previous = link.previous;
  }
}

void DataWaiter::watch(WatchList& list) {
  PYRALOG_ASSERT(links_.size() < links_.capacity(), "more partitions than announced");
  WatchList::Link& link = links_.emplace_back(WatchList::Link{.waiter = this, .list = &list});
  link.next = list.head_;
  if (link.next != nullptr) link.next->previous = &link;
  list.head_ = &link;
}

io::Task<io::WaitOutcome> DataWaiter::wait_until(MonotonicTime deadline, io::AbortSource& abort) {
  if (has_news_) co_return io::WaitOutcome::kWoken;
  co_return co_await woken_.wait_until(deadline, abort);
}

}  // namespace pyralog::server
