#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "io/network.h"
#include "io/sync.h"
#include "io/virtual_network.h"
#include "io/virtual_reactor.h"

namespace pyralog::io {

struct VirtualSegment {
  std::vector<std::byte> bytes;
  bool is_end = false;  // the sender has finished
};

/// Waits until the simulation resumes the handle; returns at once when the process is dead.
struct OutsideWait {
  VirtualReactor& reactor;
  std::coroutine_handle<>& slot;
  bool await_ready() const noexcept { return !reactor.alive(); }
  void await_suspend(std::coroutine_handle<> handle) const {
    PYRALOG_ASSERT(slot == nullptr, "two coroutines wait for the same thing of a connection");
    slot = handle;
    reactor.wait_begins();
  }
  void await_resume() const noexcept {}

  static void wake(VirtualReactor* reactor, std::coroutine_handle<>& slot) {
    if (slot != nullptr) reactor->complete(std::exchange(slot, nullptr));
  }
};

/// A connection between two processes. Side 0 connected, side 1 accepts.
struct VirtualStream {
  struct Side {
    NodeId node;
    VirtualReactor* reactor = nullptr;
    Endpoint local;
    std::vector<std::byte> received;  // from read_position on: not yet read
    std::size_t read_position = 0;
    bool peer_ended = false;
    bool reset = false;
    bool write_ended = false;
    bool closed = false;  // by its owner, or with its process
    bool silent = false;  // its node lost power
    std::coroutine_handle<> reader, writer;
    AbortSource ended;

    // What it sends.
    std::size_t outstanding_bytes = 0;  // taken, and not yet known to be read by the peer
    MonotonicTime last_arrival{};
    bool holding = false;                // behind a cut: later segments queue behind earlier ones
    std::deque<VirtualSegment> held;
    std::size_t held_credit_bytes = 0;   // news of the peer's reading that a cut keeps from it

    std::size_t unread_bytes() const noexcept { return received.size() - read_position; }
  };

  std::uint64_t id = 0;
  Side sides[2];
};

/// One process's end of a stream.
class VirtualConnection final : public Connection {
 public:
  VirtualConnection(VirtualNetwork& network, std::shared_ptr<VirtualStream> stream, unsigned side)
      : network_(network), stream_(std::move(stream)), side_(side) {}
  ~VirtualConnection() override;

  Result<std::optional<std::size_t>> try_read(MutableBytes into) override;
  Result<std::size_t> try_write(std::span<const ByteView> pieces) override;
  Result<std::size_t> try_send_file(File& file, std::uint64_t position, std::size_t bytes) override;
  Task<> readable() override;
  Task<> writable() override;
  AbortSource& ended() noexcept override { return side().ended; }
  void shutdown_write() override;
  void close() override;
  Endpoint peer() const override { return stream_->sides[1 - side_].local; }
  Endpoint local() const override { return side().local; }

 private:
  VirtualStream::Side& side() const { return stream_->sides[side_]; }
  bool dead() const { return !side().reactor->alive(); }
  Result<> check_open() const;
  Result<std::size_t> room();
  void send(std::vector<std::byte> bytes);

  VirtualNetwork& network_;
  std::shared_ptr<VirtualStream> stream_;
  unsigned side_;
};

class VirtualListener final : public Listener {
 public:
  VirtualListener(VirtualNetwork& network, VirtualReactor& reactor, Endpoint local);
  ~VirtualListener() override;

  Task<Result<std::unique_ptr<Connection>>> accept() override;
  Endpoint local() const override { return local_; }
  void close() override;

 private:
  friend class VirtualNetwork;
  void leave();

  VirtualNetwork& network_;
  VirtualReactor& reactor_;
  Endpoint local_;
  std::deque<std::shared_ptr<VirtualStream>> waiting_;
  std::coroutine_handle<> acceptor_;
  bool closed_ = false;
};

/// `Network` for one virtual shard.
class VirtualNetworkDoor final : public Network {
 public:
  VirtualNetworkDoor(VirtualNetwork& network, VirtualReactor& reactor) : network_(network), reactor_(reactor) {}
  Task<Result<std::unique_ptr<Listener>>> listen(Endpoint endpoint) override;
  Task<Result<std::unique_ptr<Connection>>> connect(Endpoint endpoint, std::chrono::nanoseconds timeout) override;

 private:
  VirtualNetwork& network_;
  VirtualReactor& reactor_;
};

/// A connect() under way; lives in its frame.
class ConnectAttempt {
 public:
  ConnectAttempt(VirtualNetwork& network, VirtualReactor& reactor, Endpoint target, Duration timeout)
      : network_(network), reactor_(reactor), target_(std::move(target)), timeout_(timeout) {}
  ConnectAttempt(const ConnectAttempt&) = delete;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  Result<std::shared_ptr<VirtualStream>> await_resume() { return std::move(outcome_); }

 private:
  friend class VirtualNetwork;
  VirtualNetwork& network_;
  VirtualReactor& reactor_;
  Endpoint target_;
  Duration timeout_;
  std::coroutine_handle<> handle_;
  std::uint64_t id_ = 0;
  NodeId target_node_{};
  bool is_answered_ = false;
  Result<std::shared_ptr<VirtualStream>> outcome_ = ErrorCode::kUnavailable;
};

}  // namespace pyralog::io
