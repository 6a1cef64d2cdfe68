#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/bytes.h"
#include "core/result.h"
#include "io/sync.h"

namespace pyralog::server {

/// What the requests of a shard may take: a frame from when its length is known, and what it is decoded into, until it is
/// answered. Connections that need more wait, unread. Large frames, which may take long to arrive, have a half of their own,
/// so that they never hold up the small ones.
class RequestMemory {
 public:
  /// What a connection may receive without asking: one buffer.
  static constexpr std::size_t kSmallFrameBytes = 64u << 10;
  explicit RequestMemory(std::size_t bytes_max)
      : half_(std::max<std::size_t>(bytes_max / 2, 1)), small_(half_), large_(half_) {}

  /// A share that is held. Given back by its destructor.
  class Charge {
   public:
    Charge() = default;
    Charge(io::Semaphore& from, std::size_t units) : from_(&from), units_(units) {}
    Charge(Charge&& other) noexcept : from_(std::exchange(other.from_, nullptr)), units_(other.units_) {}
    Charge& operator=(Charge&& other) noexcept {
      release();
      from_ = std::exchange(other.from_, nullptr);
      units_ = other.units_;
      return *this;
    }
    ~Charge() { release(); }
    explicit operator bool() const noexcept { return from_ != nullptr; }
    void release() noexcept {
      if (from_ != nullptr) std::exchange(from_, nullptr)->release(units_);
    }

   private:
    io::Semaphore* from_ = nullptr;
    std::size_t units_ = 0;
  };

  /// What a frame of `bytes` takes, by its beginning, two bytes or more. kTooLarge: more than a request of its API may have.
  static Result<std::size_t> units_for(ByteView frame, std::size_t bytes);

  /// False: somebody waits, or there is not enough.
  Charge try_acquire(std::size_t frame_bytes, std::size_t units) noexcept {
    io::Semaphore& part = part_for(frame_bytes);
    const std::size_t most = std::min(units, half_);
    return part.try_acquire(most) ? Charge(part, most) : Charge();
  }
  /// Waits; empty if aborted.
  io::Task<Charge> acquire(std::size_t frame_bytes, std::size_t units, io::AbortSource& abort);

  /// True if a large frame waits for another's memory.
  bool contended() const noexcept { return large_.contended(); }

 private:
  io::Semaphore& part_for(std::size_t frame_bytes) noexcept {
    return frame_bytes > kSmallFrameBytes ? large_ : small_;
  }

  std::size_t half_;
  io::Semaphore small_;
  io::Semaphore large_;
};

}  // namespace pyralog::server
