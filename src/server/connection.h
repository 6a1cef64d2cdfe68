#pragma once

#include <deque>
#include <memory>

#include "io/network.h"
#include "io/sync.h"
#include "io/task_scope.h"
#include "protocol/kafka/frame_reader.h"
#include "server/connection_members.h"
#include "server/request.h"
#include "server/request_memory.h"

namespace pyralog::server {

struct ListenerInfo;

/// One client connection, on the shard that accepted it. Produce requests are started as they arrive and run at the same
/// time; any other request waits until all before it have been answered, and holds back what follows (as Kafka does, where
/// a long poll blocks its connection). Answers leave in the order of the requests, all that are ready in one write.
class KafkaConnection {
 public:
  KafkaConnection(Shard& shard, const ListenerInfo& listener, std::unique_ptr<io::Connection> socket);
  ~KafkaConnection();

  /// Serves until the client leaves, breaks the protocol, or `close` is called. Nothing of it runs on afterwards.
  io::Task<> run();

  /// Ends the connection soon. Requests already with a partition run to their end unseen.
  void close() noexcept;

  /// Ends the connection if a large frame on it has been arriving for too long: others wait for the memory.
  void give_up_slow_frame();

  const ListenerInfo& listener() const noexcept { return listener_; }
  ConnectionMembers& members() noexcept { return members_; }
  io::Connection& socket() noexcept { return *socket_; }
  /// Fires when the client has left, or sends nothing more: requests that wait for data end their waits.
  io::AbortSource& client_left() noexcept { return socket_->ended(); }

 private:
  /// A place in the order of answers.
  struct Pending {
    std::vector<OutPiece> pieces;
    std::size_t request_bytes = 0;
    RequestMemory::Charge memory;
    bool done = false;
  };

  io::Task<> read_loop();
  io::Task<Result<>> read_more();
  io::Task<Result<>> charge_arriving();
  RequestMemory::Charge try_charge(ByteView frame);
  io::Task<Result<>> charge(RequestMemory::Charge& into, ByteView frame, std::size_t bytes);
  io::Task<bool> accept_frame(Slice frame);
  io::Task<> serve(Pending& pending, Slice frame, MonotonicTime received);
  io::Task<Result<Answer>> answer(Request& request);
  void finish(Pending& pending);
  io::Task<> write_loop();
  io::Task<Result<>> write_pieces(std::vector<OutPiece>& pieces);
  void note_activity();
  void check_idle();

  Shard& shard_;
  const ListenerInfo& listener_;
  std::unique_ptr<io::Connection> socket_;
  ConnectionMembers members_;
  protocol::FrameReader frames_;
  std::deque<Pending> pending_;    // grows and shrinks at its ends only, so each stays where it is
  std::size_t pending_bytes_ = 0;  // request bytes of pending_
  std::size_t unfinished_ = 0;     // entries of pending_ that are not done
  std::size_t unsent_bytes_ = 0;   // of answers in memory
  RequestMemory::Charge arriving_;  // of the frame that is being received, if it is a large one
  MonotonicTime arriving_since_;
  io::WaitList answer_ready_;      // the first of pending_ is done, or reading has ended
  io::WaitList room_;              // pending_ became shorter, or unfinished_ became 0
  io::AbortSource closing_;        // ends the waits of the read loop
  io::TaskScope scope_;
  io::Timer idle_timer_;
  MonotonicTime last_activity_;
  bool reading_ended_ = false;
};

}  // namespace pyralog::server
