#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/slice.h"
#include "io/disk.h"
#include "io/reactor.h"
#include "storage/checkpoint.h"
#include "storage/journal.h"
#include "storage/replay.h"

namespace pyralog::storage {

/// Reads a file front to back in large pieces, past the page cache where the file was opened so.
class FileWindow {
 public:
  FileWindow(io::File& file, std::uint64_t alignment, std::uint64_t file_bytes)
      : file_(file), alignment_(alignment), window_bytes_(std::min(kWindowBytes, align_up(file_bytes, alignment))) {}

  enum class Ahead : std::uint8_t { kWindow, kNothing };

  /// [position, position + bytes), or less at the file's end. Valid until the next call. What follows is read along with it,
  /// unless the caller is going to skip it.
  io::Task<Result<ByteView>> get(std::uint64_t position, std::uint64_t bytes, Ahead ahead = Ahead::kWindow);
  /// The memory behind the newest `get`, to keep it.
  const Slice& memory() const noexcept { return buffer_; }

 private:
  static constexpr std::uint64_t kWindowBytes = 4u << 20;

  io::File& file_;
  std::uint64_t alignment_;
  std::uint64_t window_bytes_;
  Slice buffer_;
  std::uint64_t begin_ = 0;
  std::uint64_t got_ = 0;
};

/// The journal half of a start (storage.md §3, steps 1 and 3 to 6): finds the chain of rounds, tells a torn tail from
/// corruption, and replays. Changes nothing but that it syncs.
class JournalRecovery {
 public:
  JournalRecovery(io::Reactor& reactor, const StoreOptions& options, const JournalNames& names)
      : reactor_(reactor), options_(options), names_(names) {}
  JournalRecovery(const JournalRecovery&) = delete;

  /// Opens, syncs and names all journal files. Before `run`.
  io::Task<Result<>> open_files();
  bool any_file() const noexcept { return !files_.empty() || !unfinished_.empty(); }

  /// Applies the rounds that `replay` (made from `checkpoint`) needs.
  io::Task<Result<>> run(const Checkpoint& checkpoint, Replay& replay);

  /// After `run`: the sequence that the next round takes, and the files for the writer.
  RoundSequence next_sequence() const noexcept { return next_; }
  std::vector<JournalFile> take_files() { return std::move(files_); }
  std::optional<std::size_t> current_file() const noexcept { return current_; }
  /// Files whose creation was cut short; they hold nothing.
  const std::vector<std::string>& unfinished_files() const noexcept { return unfinished_; }

  /// A round that `run` found, for its payloads. Called with growing sequences: what came before is let go of.
  io::Task<Result<Slice>> read_round(const RoundPlace& place);

 private:
  /// A round read whole, its descriptors valid.
  struct Found {
    RoundPlace place;
    std::vector<Descriptor> descriptors;
    Slice bytes;
  };

  RoundBounds bounds() const noexcept;
  std::uint64_t rounds_begin() const noexcept;
  Error corrupt(const std::string& what) const;
  io::Task<Result<>> open_file(std::string name, std::uint64_t number);
  io::Task<Result<std::optional<JournalFileHeader>>> read_header(FileWindow& window, const std::string& path);
  void enter_file_of(RoundSequence expected);
  io::Task<Result<>> walk_to(RoundSequence redo_from);
  io::Task<Result<std::optional<RoundHeader>>> header_here(FileWindow::Ahead ahead = FileWindow::Ahead::kWindow);
  io::Task<Result<std::optional<Found>>> round_here();
  Result<> apply(Replay& replay, Found& found);
  io::Task<Result<bool>> bodies_hold(const Found& round, const Replay& replay);
  io::Task<Result<bool>> body_holds(const Descriptor& body, std::string path);
  io::Task<Result<>> prove_torn_tail(const Checkpoint& checkpoint);
  io::Task<Result<>> ask_mark(std::size_t file);
  io::Task<Result<>> find_later_round(std::size_t file, std::uint64_t from);
  void settle_files();

  io::Reactor& reactor_;
  const StoreOptions& options_;
  const JournalNames& names_;
  std::vector<JournalFile> files_;
  std::vector<std::unique_ptr<FileWindow>> windows_;
  std::vector<std::string> unfinished_;
  std::map<RoundSequence, std::size_t> by_first_;
  std::vector<std::size_t> chain_;            // files in the order in which the chain goes through them
  std::vector<std::uint64_t> chain_end_;      // where the chain leaves each
  std::optional<std::size_t> current_;
  std::uint64_t position_ = 0;
  RoundSequence next_;
  // The newest rounds that were applied, so that their payloads need not be read a second time; as much as may be dirty.
  std::deque<std::pair<RoundSequence, Slice>> applied_;
  std::uint64_t applied_bytes_ = 0;
};

}  // namespace pyralog::storage
