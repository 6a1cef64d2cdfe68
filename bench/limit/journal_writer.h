#pragma once

#include <liburing.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/slice.h"

namespace limit {

/// Writes rounds to a recycled, pre-zeroed file past the page cache, each durable by itself; one is under way at a time.
/// With `writes_twice`, each byte also goes to a plain file, as a log that keeps segments must do at some time: in large
/// pieces, past the page cache too, some of them under way while rounds go on.
class JournalWriter {
 public:
  /// One piece of memory each, a header and the padding: what one system call takes.
  static constexpr std::size_t kBatchesPerRoundMax = 1000;

  JournalWriter(const std::string& directory, bool writes_twice);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;

  int descriptor() const noexcept { return ring_.ring_fd; }
  bool busy() const noexcept { return busy_; }
  std::uint64_t rounds() const noexcept { return rounds_; }

  /// Starts one round. The batches' memory stays with the writer until `finished` has returned true.
  void start(std::vector<pyralog::Slice> batches);
  /// True once, when the round has become durable.
  bool finished();

 private:
  struct SegmentBuffer {
    std::byte* bytes = nullptr;
    std::size_t used = 0;
    bool writing = false;
  };

  void open_segment();
  /// Copies the round's batches to where they are written from; false: the buffers are under way.
  bool fill_segment();
  void write_segment(SegmentBuffer& buffer);

  io_uring ring_{};
  int journal_ = -1;
  int segment_ = -1;
  std::string segment_path_;
  std::uint64_t position_ = 0;
  std::uint64_t segment_position_ = 0;
  std::uint64_t unsynced_bytes_ = 0;
  std::uint64_t rounds_ = 0;
  bool syncing_ = false;
  bool busy_ = false;
  bool durable_ = false;
  std::array<SegmentBuffer, 4> buffers_;
  std::size_t filling_ = 0;
  std::size_t placed_batches_ = 0;  // of the round, in the segment's buffers
  std::size_t placed_bytes_ = 0;    // of the batch after these
  std::size_t round_bytes_ = 0;
  std::vector<pyralog::Slice> batches_;
  std::vector<iovec> pieces_;
};

}  // namespace limit
