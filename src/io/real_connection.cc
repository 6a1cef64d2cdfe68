#include "io/real_connection.h"

#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "io/disk.h"
#include "io/system_error.h"

namespace pyralog::io {
namespace {

constexpr std::size_t kCopyBytes = 64u << 10;

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

ssize_t send_vectors(int socket, iovec* vectors, std::size_t count) noexcept {
  if (count == 1) return ::send(socket, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

Error connection_error(int error) {
  // What ends a connection is ordinary business and frequent: no text is made for it.
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case ECONNABORTED:
    case ENOTCONN: return ErrorCode::kConnectionClosed;
    default: return Error(ErrorCode::kConnectionClosed, system_text(error));
  }
}

}  // namespace

RealConnection::RealConnection(RealReactor& reactor, Descriptor socket, SocketAddress peer, bool connected)
    : reactor_(reactor), socket_(std::move(socket)), peer_(peer), read_(false), write_(connected) {}

RealConnection::~RealConnection() { close(); }

Result<std::unique_ptr<RealConnection>> RealConnection::adopt(RealReactor& reactor, Descriptor socket, SocketAddress peer) {
  std::unique_ptr<RealConnection> connection(new RealConnection(reactor, std::move(socket), peer, true));
  PYRALOG_TRY(connection->watch());
  return connection;
}

Result<std::unique_ptr<RealConnection>> RealConnection::start_connect(RealReactor& reactor, SocketAddress peer) {
  Descriptor socket(::socket(peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_error(errno, "socket", "");
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.get(), peer.get(), peer.size()) != 0 && errno != EINPROGRESS && errno != EINTR) {
    return Error(ErrorCode::kUnavailable, peer.to_endpoint().to_string() + ": " + system_text(errno));
  }
  std::unique_ptr<RealConnection> connection(new RealConnection(reactor, std::move(socket), peer, false));
  PYRALOG_TRY(connection->watch());
  return connection;
}

Result<> RealConnection::watch() {
  Result<> watched = reactor_.watch(socket_.get(), *this, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  if (!watched.ok()) socket_.reset();
  return watched;
}

int RealConnection::connect_result() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void RealConnection::on_events(std::uint32_t events) noexcept {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ending_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) read_.set(reactor_);
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) write_.set(reactor_);
  if (ending_) ended_.abort();
}

Result<std::optional<std::size_t>> RealConnection::try_read(MutableBytes into) {
  PYRALOG_ASSERT(!into.empty(), "a read of no bytes cannot tell an end from nothing");
  if (!socket_) return ErrorCode::kClosed;
  if (!read_.ready()) return std::optional<std::size_t>();
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (got >= 0) {
      // Fewer than asked for: that was all, and what comes later is a new edge.
      if (got > 0 && static_cast<std::size_t>(got) < into.size() && !ending_) read_.clear();
      reactor_.counters().network.bytes_in += static_cast<std::uint64_t>(got);
      return std::optional<std::size_t>(static_cast<std::size_t>(got));
    }
    if (errno == EINTR) continue;
    if (!would_block(errno)) return connection_error(errno);
    read_.clear();
    return std::optional<std::size_t>();
  }
}

Result<std::size_t> RealConnection::try_write(std::span<const ByteView> pieces) {
  if (!socket_) return ErrorCode::kClosed;
  std::array<iovec, IOV_MAX> vectors;  // NOLINT: only what is used is filled
  std::size_t taken = 0;
  while (!pieces.empty() && write_.ready()) {
    std::size_t count = 0;
    std::size_t asked = 0;
    for (; count < vectors.size() && count < pieces.size(); ++count) {
      vectors[count] = {const_cast<std::byte*>(pieces[count].data()), pieces[count].size()};
      asked += pieces[count].size();
    }
    const ssize_t sent = send_vectors(socket_.get(), vectors.data(), count);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (would_block(errno)) {
        write_.clear();
      } else if (taken == 0) {
        return connection_error(errno);
      }
      break;  // an error after progress shows again at the next call
    }
    taken += static_cast<std::size_t>(sent);
    if (static_cast<std::size_t>(sent) < asked) {
      write_.clear();
      break;
    }
    pieces = pieces.subspan(count);
  }
  reactor_.counters().network.bytes_out += taken;
  return taken;
}

Result<std::size_t> RealConnection::try_send_file(File& file, std::uint64_t position, std::size_t bytes) {
  if (!socket_) return ErrorCode::kClosed;
  if (!write_.ready() || bytes == 0) return std::size_t{0};
  if (file.descriptor() < 0) return copy_file(file, position, bytes);
  for (;;) {
    off_t from = static_cast<off_t>(position);
    const ssize_t sent = ::sendfile(socket_.get(), file.descriptor(), &from, bytes);
    if (sent > 0) {
      reactor_.counters().network.bytes_out += static_cast<std::uint64_t>(sent);
      // A short count may also mean a shorter file or the system's bound on one call, so it says nothing of the socket.
      return static_cast<std::size_t>(sent);
    }
    if (sent == 0) return Error(ErrorCode::kTruncated, "the file ends before byte " + std::to_string(position));
    if (errno == EINTR) continue;
    if (would_block(errno)) {
      write_.clear();
      return std::size_t{0};
    }
    if (errno == EINVAL || errno == ENOSYS) return copy_file(file, position, bytes);
    if (errno == EIO) return system_error(errno, "sendfile", "");
    return connection_error(errno);
  }
}

// For files that the kernel cannot send from.
Result<std::size_t> RealConnection::copy_file(File& file, std::uint64_t position, std::size_t bytes) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kCopyBytes);
  PYRALOG_ASSIGN(const std::size_t got, file.read_now(position, MutableBytes(buffer.get(), std::min(bytes, kCopyBytes))));
  if (got == 0) return Error(ErrorCode::kTruncated, "the file ends before byte " + std::to_string(position));
  const ByteView piece(buffer.get(), got);
  return try_write({&piece, 1});
}

Task<> RealConnection::readable() { co_await read_; }
Task<> RealConnection::writable() { co_await write_; }

void RealConnection::shutdown_write() {
  if (socket_) ::shutdown(socket_.get(), SHUT_WR);
}

void RealConnection::close() {
  if (!socket_) return;
  reactor_.unwatch(socket_.get());
  socket_.reset();
  read_.set(reactor_);
  write_.set(reactor_);
  ended_.abort();
}

}  // namespace pyralog::io
