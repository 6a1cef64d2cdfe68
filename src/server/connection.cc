#include "server/connection.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/answer_memory.h"
#include "server/request_dispatch.h"
#include "server/send_range.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

// What one write gathers at most; more waits for the next one, so that a slow reader's answers stay few in memory.
constexpr std::size_t kWriteBytesMax = 1u << 20;
// Room for pieces that an idle connection keeps.
constexpr std::size_t kPiecesKeptMax = 8;

// How long a large frame may take to arrive, and stand still, while others wait for its memory.
constexpr Duration kFrameArrivalMax = std::chrono::seconds(10);
constexpr Duration kFrameStallMax = std::chrono::seconds(1);

// What tells a frame's memory: its length and its API.
constexpr std::size_t kFrameHeadBytes = sizeof(std::int32_t) + sizeof(std::int16_t);

// Activity is noted by a timer that looks back, not by one that is set again for each request.
Duration idle_check_interval(Duration idle_max) { return idle_max / 4 + std::chrono::milliseconds(1); }

}  // namespace

KafkaConnection::KafkaConnection(Shard& shard, const ListenerInfo& listener, std::unique_ptr<io::Connection> socket)
    : shard_(shard),
      listener_(listener),
      socket_(std::move(socket)),
      members_(shard),
      frames_(shard.limits().frame_bytes_max, &allocate_received),
      idle_timer_(shard.reactor(), [this] { check_idle(); }),
      last_activity_(shard.reactor().now()) {}

KafkaConnection::~KafkaConnection() = default;

io::Task<> KafkaConnection::run() {
  idle_timer_.arm_after(idle_check_interval(shard_.limits().connection_idle_max));
  scope_.spawn(write_loop());
  co_await read_loop();
  reading_ended_ = true;
  frames_ = protocol::FrameReader();
  arriving_.release();
  answer_ready_.notify_all();
  // What was asked before the client stopped sending is still answered.
  while (unfinished_ > 0) co_await room_.wait();
  co_await scope_.close();
  idle_timer_.cancel();
  socket_->close();
  if (!closing_.aborted()) co_await members_.lose_connection();
}

void KafkaConnection::close() noexcept {
  closing_.abort();
  socket_->close();
}

void KafkaConnection::check_idle() {
  const Duration idle_max = shard_.limits().connection_idle_max;
  // Answers that nobody reads are silence too; requests at work are not.
  if (unfinished_ == 0 && shard_.reactor().now() - last_activity_ >= idle_max) return close();
  idle_timer_.arm_after(idle_check_interval(idle_max));
}

io::Task<> KafkaConnection::read_loop() {
  for (;;) {
    auto frame = frames_.next();
    if (!frame.ok()) {
      ++shard_.metrics().frames_malformed;
      shard_.warn_of_client(socket_->peer(), "closing: frame refused: " + frame.error().to_string());
      co_return;
    }
    if (frame->has_value()) {
      if (!co_await accept_frame(std::move(**frame))) co_return;
      continue;
    }
    auto more = co_await read_more();
    if (!more.ok()) co_return;
  }
}

io::Task<Result<>> KafkaConnection::read_more() {
  for (;;) {
    const bool is_large = frames_.frame_bytes() > RequestMemory::kSmallFrameBytes;
    if (is_large && !arriving_ && frames_.pending_bytes() >= kFrameHeadBytes) PYRALOG_CO_TRY(co_await charge_arriving());
    // Journal or dirty memory at their bounds: what is not read here fills the client's window, and so slows it down.
    if (!shard_.store().accepting()) {
      co_await shard_.store().wait_accepting(closing_);
      arriving_since_ = shard_.reactor().now();
    }
    auto got = socket_->try_read(frames_.prepare());
    if (!got.ok()) co_return std::move(got).error();
    if (got->has_value()) {
      if (**got == 0) co_return ErrorCode::kConnectionClosed;
      frames_.commit(**got);
      last_activity_ = shard_.reactor().now();
      co_return Result<>();
    }
    frames_.release_if_empty();
    co_await socket_->readable();
  }
}

/// Reserves the memory of a large frame before it is received.
io::Task<Result<>> KafkaConnection::charge_arriving() {
  const ByteView frame = frames_.pending().subspan(sizeof(std::int32_t));
  PYRALOG_CO_TRY(co_await charge(arriving_, frame, frames_.frame_bytes()));
  arriving_since_ = shard_.reactor().now();
  co_return Result<>();
}

io::Task<Result<>> KafkaConnection::charge(RequestMemory::Charge& into, ByteView frame, std::size_t bytes) {
  const auto units = RequestMemory::units_for(frame, bytes);
  if (!units.ok()) {
    ++shard_.metrics().frames_malformed;
    shard_.warn_of_client(socket_->peer(), "closing: frame refused: " + units.error().to_string());
    co_return units.error();
  }
  into = shard_.request_memory().try_acquire(bytes, *units);
  if (!into) into = co_await shard_.wait_for_memory(bytes, *units, closing_);
  if (!into) co_return ErrorCode::kAborted;
  co_return Result<>();
}

RequestMemory::Charge KafkaConnection::try_charge(ByteView frame) {
  const auto units = RequestMemory::units_for(frame, frame.size());
  return units.ok() ? shard_.request_memory().try_acquire(frame.size(), *units) : RequestMemory::Charge();
}

void KafkaConnection::give_up_slow_frame() {
  const MonotonicTime now = shard_.reactor().now();
  const bool stands = now - std::max(last_activity_, arriving_since_) >= kFrameStallMax;
  if (!arriving_ || (!stands && now - arriving_since_ < kFrameArrivalMax)) return;
  ++shard_.metrics().frames_given_up;
  shard_.warn_of_client(socket_->peer(), "closing: its request arrives too slowly, and others need the memory");
  close();
}

io::Task<bool> KafkaConnection::accept_frame(Slice frame) {
  const MonotonicTime received = shard_.reactor().now();
  const auto& limits = shard_.limits();
  while (pending_.size() >= limits.requests_pipelined_max || pending_bytes_ >= limits.pipelined_bytes_max ||
         unsent_bytes_ >= limits::kUnsentAnswerBytesMax) {
    if (co_await room_.wait(closing_) == io::WaitOutcome::kAborted) co_return false;
  }
  const bool concurrent = may_run_beside_others(frame.view());
  if (!concurrent) {
    while (unfinished_ > 0) co_await room_.wait();
  }
  RequestMemory::Charge memory = std::move(arriving_);
  if (!memory) memory = try_charge(frame.view());
  if (!memory && !(co_await charge(memory, frame.view(), frame.size())).ok()) co_return false;
  Pending& pending = pending_.emplace_back();
  pending.request_bytes = frame.size();
  pending.memory = std::move(memory);
  pending_bytes_ += frame.size();
  ++unfinished_;
  if (concurrent) {
    scope_.spawn(serve(pending, std::move(frame), received));
  } else {
    co_await serve(pending, std::move(frame), received);
  }
  co_return !reading_ended_;
}

io::Task<> KafkaConnection::serve(Pending& pending, Slice frame, MonotonicTime received) {
  ++shard_.metrics().requests_in_flight;
  Request request(shard_, *this, std::move(frame), received);
  Result<Answer> answer = co_await dispatch(request);
  --shard_.metrics().requests_in_flight;
  if (answer.ok()) {
    pending.pieces = std::move(answer->pieces);
  } else {
    // The stream cannot go on in step: end it, so that the client sees an error rather than a wrong answer.
    shard_.warn_of_client(socket_->peer(), fmt::format("closing: request {} v{} refused: {}",
                                                       static_cast<int>(request.head.header.api_key),
                                                       request.version().value, answer.error().to_string()));
    reading_ended_ = true;
    socket_->close();
  }
  finish(pending);
}

void KafkaConnection::finish(Pending& pending) {
  pending.done = true;
  pending.memory.release();
  for (const OutPiece& piece : pending.pieces) unsent_bytes_ += memory_bytes(piece);
  --unfinished_;
  if (&pending == &pending_.front()) answer_ready_.notify_one();
  if (unfinished_ == 0) room_.notify_all();
}

io::Task<> KafkaConnection::write_loop() {
  std::vector<OutPiece> batch;
  for (;;) {
    while (pending_.empty() || !pending_.front().done) {
      if (reading_ended_ && pending_.empty()) co_return;
      co_await answer_ready_.wait();
    }
    std::size_t bytes = 0;
    std::size_t bytes_in_memory = 0;
    while (!pending_.empty() && pending_.front().done && bytes < kWriteBytesMax) {
      Pending& first = pending_.front();
      for (OutPiece& piece : first.pieces) {
        bytes += piece_bytes(piece);
        bytes_in_memory += memory_bytes(piece);
        batch.push_back(std::move(piece));
      }
      pending_bytes_ -= first.request_bytes;
      pending_.pop_front();
    }
    room_.notify_all();
    if (!batch.empty() && !(co_await write_pieces(batch)).ok()) socket_->close();
    batch.clear();
    if (batch.capacity() > kPiecesKeptMax) batch.shrink_to_fit();
    unsent_bytes_ -= bytes_in_memory;
    room_.notify_all();
    last_activity_ = shard_.reactor().now();
  }
}

io::Task<Result<>> KafkaConnection::write_pieces(std::vector<OutPiece>& pieces) {
  std::vector<ByteView> views;
  for (std::size_t i = 0; i < pieces.size();) {
    if (auto* range = std::get_if<storage::FileRange>(&pieces[i])) {
      PYRALOG_CO_TRY(co_await send_range(*socket_, std::move(*range)));
      ++i;
      continue;
    }
    views.clear();
    for (; i < pieces.size() && std::holds_alternative<Slice>(pieces[i]); ++i) {
      views.push_back(std::get<Slice>(pieces[i]).view());
    }
    PYRALOG_CO_TRY(co_await io::write_all(*socket_, std::move(views)));
  }
  co_return Result<>();
}

}  // namespace pyralog::server
