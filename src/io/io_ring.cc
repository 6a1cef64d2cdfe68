#include "io/io_ring.h"

#include <cerrno>

#include "core/assert.h"
#include "io/system_error.h"

namespace pyralog::io {
namespace {

// The kernel's completion queue holds twice as many entries, so it never overflows.
constexpr unsigned kEntries = IoRing::kRequestsMax;

bool supports_what_we_use(io_uring& ring) {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return false;
  const bool all = io_uring_opcode_supported(probe, IORING_OP_READ) != 0 &&
                   io_uring_opcode_supported(probe, IORING_OP_WRITEV) != 0 &&
                   io_uring_opcode_supported(probe, IORING_OP_FSYNC) != 0;
  io_uring_free_probe(probe);
  return all;
}

}  // namespace

Result<std::unique_ptr<IoRing>> IoRing::create(Reactor& reactor) {
  std::unique_ptr<IoRing> ring(new IoRing(reactor));
  // Completions need not interrupt a running shard: it looks at the ring before it sleeps.
  int error = io_uring_queue_init(kEntries, &ring->ring_, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CLAMP);
  if (error == -EINVAL) error = io_uring_queue_init(kEntries, &ring->ring_, 0);  // kernels before 5.19
  if (error != 0) {
    ring->ring_.ring_fd = -1;
    return Error(ErrorCode::kUnavailable, "io_uring: " + system_text(-error));
  }
  if (!supports_what_we_use(ring->ring_)) {
    return Error(ErrorCode::kUnavailable, "io_uring: this kernel's version lacks needed operations");
  }
  return ring;
}

IoRing::~IoRing() {
  PYRALOG_ASSERT(under_way_ == 0, "file operations outlive their shard");
  if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
}

Task<> IoRing::reserve(unsigned count) {
  while (under_way_ + count > kRequestsMax) co_await places_.wait();
  under_way_ += count;
}

template <class Prepare>
void IoRing::collect(Wait& wait, Prepare prepare) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  PYRALOG_ASSERT(entry != nullptr, "more requests than places in the ring");
  Request& request = wait.requests[wait.left++];
  request.wait = &wait;
  prepare(entry);
  io_uring_sqe_set_data(entry, &request);
  ++collected_;
}

Task<int> IoRing::read(int fd, std::uint64_t position, iovec into) {
  co_await reserve(1);
  Wait wait;
  collect(wait, [&](io_uring_sqe* entry) {
    io_uring_prep_read(entry, fd, into.iov_base, static_cast<unsigned>(into.iov_len), position);
  });
  co_await wait;
  co_return wait.requests[0].result;
}

Task<int> IoRing::sync(int fd) {
  co_await reserve(1);
  Wait wait;
  collect(wait, [&](io_uring_sqe* entry) { io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC); });
  co_await wait;
  co_return wait.requests[0].result;
}

Task<int> IoRing::write(int fd, std::uint64_t position, const iovec* pieces, unsigned count, Durability durability) {
  co_await reserve(1);
  Wait wait;
  collect(wait, [&](io_uring_sqe* entry) {
    io_uring_prep_writev(entry, fd, pieces, count, position);
    if (durability == Durability::kDurable) entry->rw_flags = RWF_DSYNC;
  });
  co_await wait;
  co_return wait.requests[0].result;
}

Task<IoRing::WriteAndSync> IoRing::write_and_sync(int fd, std::uint64_t position, const iovec* pieces, unsigned count) {
  co_await reserve(2);
  Wait wait;
  collect(wait, [&](io_uring_sqe* entry) {
    io_uring_prep_writev(entry, fd, pieces, count, position);
    entry->flags |= IOSQE_IO_LINK;
  });
  collect(wait, [&](io_uring_sqe* entry) { io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC); });
  co_await wait;
  co_return WriteAndSync{.write = wait.requests[0].result, .sync = wait.requests[1].result};
}

bool IoRing::submit() {
  while (collected_ > 0) {
    const int taken = io_uring_submit(&ring_);
    if (taken == -EINTR) continue;
    if (taken == -EAGAIN || taken == -EBUSY) return false;  // short of memory, or completions have to be read first
    PYRALOG_ASSERT(taken >= 0, "io_uring refuses a request");
    collected_ -= static_cast<unsigned>(taken);
  }
  return true;
}

bool IoRing::reap() {
  if (under_way_ == 0) return false;
  bool any = false;
  io_uring_cqe* ready[64];
  for (;;) {
    const unsigned count = io_uring_peek_batch_cqe(&ring_, ready, 64);
    if (count == 0) break;
    any = true;
    for (unsigned i = 0; i < count; ++i) {
      auto* request = static_cast<Request*>(io_uring_cqe_get_data(ready[i]));
      request->result = ready[i]->res;
      Wait* wait = request->wait;
      if (--wait->left == 0) reactor_.post(wait->handle);
    }
    io_uring_cq_advance(&ring_, count);
    under_way_ -= count;
  }
  if (any) places_.notify_all();
  return any;
}

}  // namespace pyralog::io
