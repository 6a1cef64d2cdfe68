#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "answers.h"
#include "protocol/kafka/frame_reader.h"

namespace limit {

/// Memory that is used again as soon as nobody refers to it, so that receiving touches no fresh pages.
pyralog::Slice receive_memory(std::size_t bytes);

/// One load's connection.
class Client {
 public:
  explicit Client(int socket) : socket_(socket), frames_(pyralog::limits::kFrameBytesMax, &receive_memory) {}
  ~Client();
  Client(const Client&) = delete;

  int socket() const noexcept { return socket_; }

  /// Takes what has arrived; batches go to `batches`, up to `batches_max`. False when the client has left or talks nonsense.
  bool receive(const Facts& facts, std::vector<pyralog::Offset>& ends, std::vector<pyralog::Slice>& batches,
               std::size_t batches_max);
  /// More may be there to be received.
  bool readable() const noexcept { return readable_ || has_more_; }
  void set_readable() noexcept { readable_ = true; }

  /// The answers that wait become due when the round of their batches is durable.
  void seal() noexcept { due_ = waiting_; }
  /// Sends what is due.
  bool send_due();

 private:
  bool handle(pyralog::Slice frame, const Facts& facts, std::vector<pyralog::Offset>& ends,
              std::vector<pyralog::Slice>& batches);
  bool send_all();

  int socket_;
  bool readable_ = false;
  bool has_more_ = false;  // frames that did not fit into the last round
  pyralog::protocol::FrameReader frames_;
  std::deque<pyralog::Slice> answers_;  // to Produce, in order
  std::size_t waiting_ = 0;             // of them, how many there are
  std::size_t due_ = 0;                 // of them, how many belong to the round under way
  std::vector<std::byte> out_;
};

}  // namespace limit
