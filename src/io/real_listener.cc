#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "io/real_connection.h"
#include "io/real_network.h"
#include "io/system_error.h"

namespace pyralog::io {
namespace {

// Lets the rest of the shard run now and then while connections pour in.
constexpr unsigned kAcceptedInARowMax = 16;

/// The endpoints on which shards of this process listen. With SO_REUSEPORT alone, a second server of the same user would
/// silently share the port; so the first socket of an endpoint is bound without it, which fails if anybody else has the
/// port, and lets its siblings in only once it listens.
class ListeningEndpoints {
 public:
  static ListeningEndpoints& instance() {
    static ListeningEndpoints endpoints;
    return endpoints;
  }

  Result<> bind_and_listen(int fd, SocketAddress& address, ShardId shard) {
    const std::lock_guard lock(mutex_);
    const Endpoint wanted = address.to_endpoint();
    bool first = true;
    for (const Entry& entry : entries_) {
      if (wanted.port == 0 || !(entry.endpoint == wanted)) continue;
      if (entry.shard == shard) return in_use(wanted, "this shard listens on it already");
      first = false;
    }
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, first ? SO_REUSEADDR : SO_REUSEPORT, &on, sizeof on);
    if (!first) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd, address.get(), address.size()) != 0 || ::listen(fd, RealListener::kBacklog) != 0) {
      if (errno == EADDRINUSE) return in_use(wanted, "another process listens on it");
      const ErrorCode code = errno == EACCES ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable;
      return Error(code, "listening on " + wanted.to_string() + ": " + system_text(errno));
    }
    if (first) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    address = SocketAddress::local_of(fd);
    entries_.push_back({address.to_endpoint(), shard});
    return {};
  }

  void forget(const SocketAddress& address, ShardId shard) {
    const std::lock_guard lock(mutex_);
    const Endpoint endpoint = address.to_endpoint();
    std::erase_if(entries_, [&](const Entry& entry) { return entry.shard == shard && entry.endpoint == endpoint; });
  }

 private:
  struct Entry {
    Endpoint endpoint;
    ShardId shard;
  };

  static Error in_use(const Endpoint& endpoint, const char* why) {
    const std::string port = std::to_string(endpoint.port);
    return Error(ErrorCode::kAddressInUse, "port " + port + " (" + endpoint.to_string() + "): " + why);
  }

  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace

Result<std::unique_ptr<RealListener>> RealListener::create(RealReactor& reactor, SocketAddress address) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) {
    if (errno != EAFNOSUPPORT) return system_error(errno, "socket", "");
    return Error(ErrorCode::kUnavailable, address.to_endpoint().to_string() + ": " + system_text(errno));
  }
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Linux: what it accepts inherits it, and the next
  const int send_buffer_bytes = reactor.options().send_buffer_bytes;
  if (send_buffer_bytes > 0) setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
  PYRALOG_TRY(ListeningEndpoints::instance().bind_and_listen(socket.get(), address, reactor.shard()));
  std::unique_ptr<RealListener> listener(new RealListener(reactor, std::move(socket), address));
  PYRALOG_TRY(reactor.watch(listener->socket_.get(), *listener, EPOLLIN));
  return listener;
}

RealListener::RealListener(RealReactor& reactor, Descriptor socket, SocketAddress address)
    : reactor_(reactor),
      socket_(std::move(socket)),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      address_(address) {}

RealListener::~RealListener() { close(); }

void RealListener::on_events(std::uint32_t) noexcept { ready_.set(reactor_); }

void RealListener::close() {
  if (!socket_) return;
  reactor_.unwatch(socket_.get());
  ListeningEndpoints::instance().forget(address_, reactor_.shard());
  socket_.reset();
  spare_.reset();
  ready_.set(reactor_);
}

Task<Result<std::unique_ptr<Connection>>> RealListener::accept() {
  for (;;) {
    if (!socket_) co_return ErrorCode::kClosed;
    if (!ready_.ready()) {
      accepted_in_a_row_ = 0;
      co_await ready_;
      continue;
    }
    if (++accepted_in_a_row_ > kAcceptedInARowMax) {
      accepted_in_a_row_ = 0;
      co_await reactor_.yield();
      continue;
    }
    SocketAddress peer;
    socklen_t size = SocketAddress::kSizeMax;
    Descriptor accepted(::accept4(socket_.get(), peer.get(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
      if (!may_keep(accepted.get())) co_return refuse_for_descriptors(std::move(accepted));
      auto connection = RealConnection::adopt(reactor_, std::move(accepted), peer);
      if (!connection.ok()) co_return std::move(connection).error();
      ++reactor_.counters().network.accepted;
      co_return std::unique_ptr<Connection>(std::move(*connection));
    }
    switch (errno) {
      case EAGAIN: ready_.clear(); break;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: drop_one(); co_return Error(ErrorCode::kLimitExceeded, "accept: " + system_text(errno));
      case EBADF:
      case EINVAL:
      case ENOTSOCK: co_return Error(ErrorCode::kIo, "accept: " + system_text(errno));
      default: break;  // what befell that one connection; the next may be sound
    }
  }
}

// Numbers are given out lowest first, so a high one means that few are left.
bool RealListener::may_keep(int fd) const noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;
  const rlim_t reserved = std::min<rlim_t>(kDescriptorsReserved, limit.rlim_cur / 4);
  return static_cast<rlim_t>(fd) < limit.rlim_cur - reserved;
}

Error RealListener::refuse_for_descriptors(Descriptor accepted) {
  accepted.reset();
  ++reactor_.counters().network.refused_for_descriptors;
  return Error(ErrorCode::kLimitExceeded, "few file descriptors are left; raise the limit (ulimit -n)");
}

// A connection that cannot be had is told so by an end, instead of waiting for ever.
void RealListener::drop_one() noexcept {
  const int saved = errno;
  spare_.reset();
  {
    const Descriptor dropped(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (dropped) ++reactor_.counters().network.refused_for_descriptors;
  }
  spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  errno = saved;
}

}  // namespace pyralog::io
