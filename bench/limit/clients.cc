#include "clients.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace limit {

using namespace pyralog;
using namespace pyralog::protocol;

namespace {

constexpr std::size_t kChunkBytes = 256u << 10;
constexpr std::size_t kFreeMax = 256;

std::vector<Chunk*>& free_chunks() {
  static std::vector<Chunk*> chunks;
  return chunks;
}

void release(Chunk* chunk) noexcept {
  if (free_chunks().size() < kFreeMax) {
    free_chunks().push_back(chunk);
    return;
  }
  std::free(chunk->data());
  delete chunk;
}

}  // namespace

Slice receive_memory(std::size_t bytes) {
  if (bytes > kChunkBytes) return Slice::allocate(bytes);
  Chunk* chunk = nullptr;
  if (!free_chunks().empty()) {
    chunk = free_chunks().back();
    free_chunks().pop_back();
    chunk->reset_references();
  } else {
    auto* data = static_cast<std::byte*>(std::aligned_alloc(Chunk::kAlignment, kChunkBytes));
    chunk = new Chunk(data, kChunkBytes, &release, nullptr);
  }
  return Slice::adopt(chunk, 0, kChunkBytes);
}

Client::~Client() { ::close(socket_); }

bool Client::receive(const Facts& facts, std::vector<Offset>& ends, std::vector<Slice>& batches, std::size_t batches_max) {
  has_more_ = false;
  while (batches.size() < batches_max) {
    auto frame = frames_.next();
    if (!frame.ok()) return false;
    if (frame->has_value()) {
      if (!handle(std::move(**frame), facts, ends, batches)) return false;
      continue;
    }
    if (!readable_) return true;
    const MutableBytes into = frames_.prepare();
    const ssize_t got = ::recv(socket_, into.data(), into.size(), 0);
    if (got == 0) return false;
    if (got < 0) {
      readable_ = false;
      return errno == EAGAIN;
    }
    frames_.commit(static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < into.size()) readable_ = false;
  }
  has_more_ = true;
  return true;
}

bool Client::handle(Slice frame, const Facts& facts, std::vector<Offset>& ends, std::vector<Slice>& batches) {
  const auto request = parse_request(frame.view());
  if (!request.ok()) return false;
  const bool produces = request->header.api_key == ApiKey::kProduce;
  auto made = produces ? accept_produce(*request, frame, ends, batches) : answer(*request, facts, ends);
  if (!made.ok()) {
    std::fprintf(stderr, "limit: refused: %s\n", made.error().to_string().c_str());
    return false;
  }
  Slice bytes = flatten(*made);
  if (produces) {
    answers_.push_back(std::move(bytes));
    ++waiting_;
    return true;
  }
  out_.insert(out_.end(), bytes.data(), bytes.data() + bytes.size());
  return send_all();
}

bool Client::send_due() {
  for (; due_ > 0; --due_, --waiting_) {
    const Slice& first = answers_.front();
    out_.insert(out_.end(), first.data(), first.data() + first.size());
    answers_.pop_front();
  }
  return out_.empty() || send_all();
}

// Answers are small and their readers quick: a full socket ends the connection.
bool Client::send_all() {
  const ssize_t sent = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
  const bool all = sent == static_cast<ssize_t>(out_.size());
  out_.clear();
  return all;
}

}  // namespace limit
