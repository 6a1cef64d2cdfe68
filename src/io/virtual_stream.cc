#include "io/virtual_stream.h"

#include <algorithm>
#include <cstring>

#include "core/checksum.h"
#include "io/disk.h"
#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

constexpr std::uint64_t kTraceDeliver = 33;
constexpr std::uint64_t kTraceReset = 34;
constexpr std::size_t kFilePieceBytesMax = 64u << 10;  // one try_send_file reads this much at most

}  // namespace

void VirtualNetwork::send(const Stream& stream, unsigned from, VirtualSegment segment) {
  VirtualStream::Side& sender = stream->sides[from];
  const NodeId to = stream->sides[1 - from].node;
  const MonotonicTime arrival = world_.now() + delay(sender.node, to, segment.bytes.size());
  sender.last_arrival = std::max(sender.last_arrival, arrival);
  auto action = [this, stream, from, segment = std::move(segment)]() mutable { arrive(stream, from, std::move(segment)); };
  world_.schedule(sender.last_arrival - world_.now(), std::move(action));
}

void VirtualNetwork::arrive(const Stream& stream, unsigned from, VirtualSegment segment) {
  VirtualStream::Side& sender = stream->sides[from];
  if (sender.holding || is_cut(sender.node, stream->sides[1 - from].node)) {
    ++counters_.segments_held_by_cuts;
    sender.holding = true;
    sender.held.push_back(std::move(segment));
    return;
  }
  deliver(stream, from, std::move(segment));
}

void VirtualNetwork::deliver(const Stream& stream, unsigned from, VirtualSegment segment) {
  VirtualStream::Side& receiver = stream->sides[1 - from];
  if (receiver.reset) return;
  if (receiver.silent && !has_power(receiver.node)) return;
  if (receiver.closed) {
    if (!segment.bytes.empty()) send_reset(stream, from);
    return;
  }
  ++counters_.segments_delivered;
  world_.trace(kTraceDeliver, stream->id << 1 | from, segment.is_end ? 1 : crc32c(segment.bytes));
  if (receiver.read_position > 0) {
    receiver.received.erase(receiver.received.begin(),
                            receiver.received.begin() + static_cast<std::ptrdiff_t>(receiver.read_position));
    receiver.read_position = 0;
  }
  receiver.received.insert(receiver.received.end(), segment.bytes.begin(), segment.bytes.end());
  receiver.peer_ended |= segment.is_end;
  OutsideWait::wake(receiver.reactor, receiver.reader);
  if (segment.is_end) receiver.reactor->end_waits(receiver.ended);
}

void VirtualNetwork::give_credit(const Stream& stream, unsigned to, std::size_t bytes) {
  VirtualStream::Side& sender = stream->sides[to];
  const NodeId reader = stream->sides[1 - to].node;
  world_.schedule(delay(reader, sender.node, 0), [this, stream, to, bytes, reader] {
    VirtualStream::Side& credited = stream->sides[to];
    if (is_cut(reader, credited.node)) {
      credited.held_credit_bytes += bytes;
      return;
    }
    credited.outstanding_bytes -= std::min(bytes, credited.outstanding_bytes);
    OutsideWait::wake(credited.reactor, credited.writer);
  });
}

void VirtualNetwork::release_held(const Stream& stream, NodeId from, NodeId to) {
  for (unsigned side = 0; side < 2; ++side) {
    VirtualStream::Side& sender = stream->sides[side];
    VirtualStream::Side& other = stream->sides[1 - side];
    if (sender.node == from && other.node == to && sender.holding) {
      world_.schedule(retransmission(), [this, stream, side] {
        VirtualStream::Side& held_up = stream->sides[side];
        if (is_cut(held_up.node, stream->sides[1 - side].node)) return;  // cut again; the next healing tries again
        held_up.holding = false;
        for (VirtualSegment& segment : std::exchange(held_up.held, {})) deliver(stream, side, std::move(segment));
      });
    }
    if (other.node == from && sender.node == to && sender.held_credit_bytes > 0) {
      give_credit(stream, side, std::exchange(sender.held_credit_bytes, 0));
    }
  }
}

void VirtualNetwork::send_reset(const Stream& stream, unsigned to) {
  VirtualStream::Side& side = stream->sides[to];
  const NodeId from = stream->sides[1 - to].node;
  world_.schedule(delay(from, side.node, 0), [this, stream, to, from] {
    if (!is_cut(from, stream->sides[to].node)) take_reset(*stream, to);
  });
}

void VirtualNetwork::take_reset(VirtualStream& stream, unsigned at) {
  VirtualStream::Side& side = stream.sides[at];
  if (side.reset || side.closed) return;
  ++counters_.resets;
  world_.trace(kTraceReset, stream.id << 1 | at);
  side.reset = true;
  OutsideWait::wake(side.reactor, side.reader);
  OutsideWait::wake(side.reactor, side.writer);
  side.reactor->end_waits(side.ended);
}

void VirtualNetwork::close(const Stream& stream, unsigned at) {
  VirtualStream::Side& side = stream->sides[at];
  if (std::exchange(side.closed, true)) return;
  OutsideWait::wake(side.reactor, side.reader);
  OutsideWait::wake(side.reactor, side.writer);
  side.reactor->end_waits(side.ended);
  if (side.reset) return;
  if (side.unread_bytes() > 0) {
    send_reset(stream, 1 - at);
  } else if (!side.write_ended) {
    send(stream, at, VirtualSegment{.bytes = {}, .is_end = true});
  }
}

void VirtualNetwork::leave(const Stream& stream, unsigned at, CrashMode mode) {
  VirtualStream::Side& side = stream->sides[at];
  if (side.closed || side.reactor->alive()) return;  // an earlier life's, or the end of a stream within this node
  if (mode == CrashMode::kKill && random_.chance(1, 2)) return close(stream, at);
  side.closed = true;
  side.silent = mode != CrashMode::kKill;
  OutsideWait::wake(side.reactor, side.reader);
  OutsideWait::wake(side.reactor, side.writer);
  if (mode == CrashMode::kKill && !side.reset) send_reset(stream, 1 - at);
}

VirtualConnection::~VirtualConnection() {
  PYRALOG_ASSERT(dead() || (side().reader == nullptr && side().writer == nullptr),
                 "a connection is destroyed while a coroutine waits for it");
  close();
}

Result<> VirtualConnection::check_open() const {
  if (side().closed || dead()) return ErrorCode::kClosed;
  return {};
}

Result<std::optional<std::size_t>> VirtualConnection::try_read(MutableBytes into) {
  PYRALOG_TRY(check_open());
  VirtualStream::Side& own = side();
  const std::size_t there = std::min(into.size(), own.unread_bytes());
  if (there > 0) {
    const std::size_t bytes = network_.part_of(there);
    std::memcpy(into.data(), own.received.data() + own.read_position, bytes);
    own.read_position += bytes;
    own.reactor->counters().network.bytes_in += bytes;
    network_.give_credit(stream_, 1 - side_, bytes);
    return std::optional<std::size_t>(bytes);
  }
  if (own.reset) return ErrorCode::kConnectionClosed;
  if (own.peer_ended && own.unread_bytes() == 0) return std::optional<std::size_t>(0);
  return std::optional<std::size_t>();
}

Result<std::size_t> VirtualConnection::room() {
  PYRALOG_TRY(check_open());
  VirtualStream::Side& own = side();
  if (own.reset) return ErrorCode::kConnectionClosed;
  if (own.write_ended) return ErrorCode::kClosed;
  const std::size_t window = network_.options_.window_bytes;
  return window - std::min(window, own.outstanding_bytes);
}

void VirtualConnection::send(std::vector<std::byte> bytes) {
  side().outstanding_bytes += bytes.size();
  side().reactor->counters().network.bytes_out += bytes.size();
  network_.send(stream_, side_, VirtualSegment{.bytes = std::move(bytes), .is_end = false});
}

Result<std::size_t> VirtualConnection::try_write(std::span<const ByteView> pieces) {
  PYRALOG_ASSIGN(const std::size_t free_bytes, room());
  std::size_t wanted = 0;
  for (ByteView piece : pieces) wanted += piece.size();
  const std::size_t taken = network_.part_of(std::min(free_bytes, wanted));
  if (taken == 0) return std::size_t{0};
  std::vector<std::byte> bytes;
  bytes.reserve(taken);
  for (ByteView piece : pieces) {
    const ByteView part = piece.first(std::min(piece.size(), taken - bytes.size()));
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  send(std::move(bytes));
  return taken;
}

Result<std::size_t> VirtualConnection::try_send_file(File& file, std::uint64_t position, std::size_t bytes) {
  PYRALOG_ASSIGN(const std::size_t free_bytes, room());
  const std::size_t wanted = network_.part_of(std::min({free_bytes, bytes, kFilePieceBytesMax}));
  if (wanted == 0) return std::size_t{0};
  std::vector<std::byte> content(wanted);
  PYRALOG_ASSIGN(const std::size_t got, file.read_now(position, content));
  if (got == 0) return ErrorCode::kTruncated;
  content.resize(got);
  send(std::move(content));
  return got;
}

Task<> VirtualConnection::readable() {
  VirtualStream::Side& own = side();
  if (own.closed || own.reset || own.peer_ended || own.unread_bytes() > 0) co_return;
  const OutsideWait wait{*own.reactor, own.reader};
  co_await wait;
}

Task<> VirtualConnection::writable() {
  VirtualStream::Side& own = side();
  if (own.closed || own.reset || own.write_ended) co_return;
  if (own.outstanding_bytes < network_.options_.window_bytes) co_return;
  const OutsideWait wait{*own.reactor, own.writer};
  co_await wait;
}

void VirtualConnection::shutdown_write() {
  VirtualStream::Side& own = side();
  if (dead() || own.closed || own.reset || std::exchange(own.write_ended, true)) return;
  network_.send(stream_, side_, VirtualSegment{.bytes = {}, .is_end = true});
  OutsideWait::wake(own.reactor, own.writer);
}

void VirtualConnection::close() {
  if (!dead()) network_.close(stream_, side_);
}

}  // namespace pyralog::io
