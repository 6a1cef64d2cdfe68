#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/result.h"
#include "io/disk.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "storage/journal_format.h"
#include "storage/round.h"
#include "storage/shard_store.h"

namespace pyralog::storage {

/// Where the journal and the checkpoints of a shard lie, and what their files are called.
struct JournalNames {
  std::string directory;  ///< DATA/journal/<shard>
  std::uint64_t generation = 0;

  std::string journal_file(std::uint64_t number) const;
  std::string checkpoint_file(unsigned which) const;  ///< which: 0 or 1
  /// The number in a journal file's name, of this generation; nothing for other names.
  std::optional<std::uint64_t> journal_number(const std::string& name) const;
};

/// One file of the journal. Free while `first` is none.
struct JournalFile {
  std::uint64_t number = 0;
  std::unique_ptr<io::File> file;
  std::uint64_t salt = 0;
  RoundSequence first;     ///< of the rounds in it
  RoundSequence last;      ///< newest; below `first`: only the header is known to be there
  std::uint64_t end = 0;   ///< where the next round goes
  std::uint64_t capacity = 0;  ///< bytes that were zeroed; rounds go no further

  bool is_free() const noexcept { return first.value == 0; }
};

/// The files of a shard's journal, as a writer sees them: one round after the other, each durable before the next
/// (storage.md §2). Files are pre-zeroed and used again under a new salt. The first one is small, so that a new shard is
/// quickly ready, and is not used again once there are others. When the first round of a file is durable, a mark in the one
/// before it says so: without it, the loss of the newest file would look like a torn tail.
class Journal {
 public:
  Journal(io::Reactor& reactor, const StoreOptions& options);
  Journal(const Journal&) = delete;

  const JournalNames& names() const noexcept { return names_; }
  std::uint64_t rounds_begin() const noexcept { return journal_format::kFileHeaderCopies * geometry_.block_bytes; }
  RoundBounds bounds() const noexcept {
    return {geometry_.block_bytes, geometry_.round_bytes_max, geometry_.journal_file_bytes};
  }

  /// Takes over the files that recovery found; `current` (an index into them, or none) is where the chain ends, at its `end`.
  /// Whether rounds of the other files are still needed is not asked here: `recycle` frees them.
  void adopt(std::vector<JournalFile> files, std::optional<std::size_t> current, RoundSequence synced);

  /// Makes sure that a round of `length` has a place. kNoSpace: nothing happened, try again later.
  io::Task<Result<>> make_room(std::uint64_t length, RoundSequence sequence);
  /// Writes a sealed round behind the previous one and syncs it. Only one call at a time. Errors end the journal.
  io::Task<Result<>> write(Round& round);

  /// After each round, when its bodies are durable too: if it was the first of its file, leaves the mark in the file before.
  io::Task<Result<>> mark_successor();

  /// A checkpoint with this `redo_from` is durable: files wholly below it become free.
  void recycle(RoundSequence redo_from);

  /// Whether no file is ready for when the current one is full.
  bool wants_file() const noexcept;
  /// Makes and zeroes a file, and makes its name durable.
  io::Task<Result<>> add_file();
  /// Of full size.
  std::size_t file_count() const noexcept;

  /// Bytes of rounds since and including `from`, headers and unused rests of files included; an upper bound.
  std::uint64_t bytes_since(RoundSequence from) const noexcept;
  std::uint64_t bytes_written() const noexcept { return bytes_written_; }

 private:
  /// Where the round `sequence` began, counted in bytes since the start of the process.
  struct Milestone {
    RoundSequence sequence;
    std::uint64_t bytes = 0;
  };
  static constexpr std::uint64_t kMilestonesPerFile = 64;

  io::Task<Result<>> next_file(RoundSequence first, std::uint64_t length);
  bool is_full_size(const JournalFile& file) const noexcept { return file.capacity == geometry_.journal_file_bytes; }
  /// Where the rounds of a file end at the latest: its last block is for the mark.
  std::uint64_t rounds_end(const JournalFile& file) const noexcept {
    return file.capacity - std::min(file.capacity, geometry_.block_bytes);
  }
  std::vector<ByteView> file_header_pieces(const JournalFile& file);
  JournalFile* find_free(std::uint64_t length) noexcept;

  io::Reactor& reactor_;
  StoreGeometry geometry_;
  Uuid disk_uuid_;
  ShardId shard_;
  JournalNames names_;
  std::vector<std::unique_ptr<JournalFile>> files_;
  JournalFile* current_ = nullptr;
  JournalFile* before_ = nullptr;  ///< took the rounds before those of `current_`, and has no mark of it yet
  RoundSequence synced_;
  Slice header_blocks_;
  std::vector<Milestone> milestones_;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t next_number_ = 1;
  bool adding_ = false;
  io::WaitList added_;
};

}  // namespace pyralog::storage
