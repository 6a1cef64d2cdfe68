#pragma once

#include <list>
#include <string_view>
#include <variant>
#include <vector>

#include "core/slice.h"
#include "core/time.h"
#include "io/task.h"
#include "protocol/kafka/codec.h"
#include "storage/log_read.h"

namespace pyralog::server {

class KafkaConnection;
class Shard;

/// A piece of an answer: bytes in memory, or a range of a segment file that goes to the socket without a copy.
using OutPiece = std::variant<Slice, storage::FileRange>;

inline std::size_t piece_bytes(const OutPiece& piece) noexcept {
  const Slice* slice = std::get_if<Slice>(&piece);
  return slice != nullptr ? slice->size() : std::get<storage::FileRange>(piece).bytes;
}

/// The memory that a piece keeps until it is sent.
inline std::size_t memory_bytes(const OutPiece& piece) noexcept {
  return std::holds_alternative<Slice>(piece) ? piece_bytes(piece) : 0;
}

/// What a handler gives back: the pieces of one frame, its length prefix included; none for acks=0.
struct Answer {
  std::vector<OutPiece> pieces;
};

/// One request on its way through its handler, which may keep references into it while it runs. Answers are built in
/// `arena`; what they send from elsewhere is kept in `pieces` and `files` until the frame is encoded.
struct Request {
  Request(Shard& on, KafkaConnection& from, Slice bytes, MonotonicTime at)
      : shard(on), connection(from), frame(std::move(bytes)), received(at) {}
  Request(const Request&) = delete;

  Shard& shard;  ///< the connection's
  KafkaConnection& connection;
  Slice frame;  ///< without its length prefix; decoded views point into it
  MonotonicTime received;
  protocol::ReceivedRequest head;
  protocol::Arena arena;
  std::list<std::vector<protocol::Piece>> pieces;  ///< they stay where they are; a deque takes memory even while empty
  std::vector<storage::FileRange> files;  ///< by the id of an ExternalRange
  bool silent = false;                    ///< set by the handler: the client expects no answer

  protocol::ApiVersion version() const noexcept { return head.header.api_version; }
  std::string_view client_id() const noexcept { return head.header.client_id.value_or(std::string_view()); }
};

}  // namespace pyralog::server
