#include "storage/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/checksum.h"
#include "storage/file_names.h"
#include "storage/planted.h"

namespace pyralog::storage {

io::Task<Result<ByteView>> FileWindow::get(std::uint64_t position, std::uint64_t bytes, Ahead ahead) {
  if (position < begin_ || position + bytes > begin_ + got_) {
    const std::uint64_t begin = align_down(position, alignment_);
    const std::uint64_t needed = align_up(position + bytes, alignment_) - begin;
    const std::uint64_t wanted = ahead == Ahead::kWindow ? std::max(needed, window_bytes_) : needed;
    Slice next = Slice::allocate(wanted);
    // A round that begins in this window and ends in the next is not read twice.
    std::uint64_t carried = 0;
    const std::uint64_t end = begin_ + align_down(got_, alignment_);
    if (begin >= begin_ && begin < end) {
      carried = std::min(end - begin, wanted);
      std::memcpy(next.mutable_data(), buffer_.data() + (begin - begin_), carried);
    }
    PYRALOG_CO_ASSIGN(const std::size_t read, co_await file_.read(begin + carried, next.mutable_view().subspan(carried)));
    buffer_ = std::move(next);
    begin_ = begin;
    got_ = carried + read;
  }
  const std::uint64_t skip = position - begin_;
  if (got_ <= skip) co_return ByteView();
  co_return buffer_.view().subspan(skip, std::min(bytes, got_ - skip));
}

RoundBounds JournalRecovery::bounds() const noexcept {
  const StoreGeometry& geometry = options_.geometry;
  return {geometry.block_bytes, geometry.round_bytes_max, geometry.journal_file_bytes};
}

std::uint64_t JournalRecovery::rounds_begin() const noexcept {
  return journal_format::kFileHeaderCopies * options_.geometry.block_bytes;
}

Error JournalRecovery::corrupt(const std::string& what) const {
  return Error(ErrorCode::kCorrupt, fmt::format("{}: {}", names_.directory, what));
}

io::Task<Result<>> JournalRecovery::open_files() {
  PYRALOG_CO_ASSIGN(const auto entries, co_await reactor_.disk().list(names_.directory));
  for (const io::DirectoryEntry& entry : entries) {
    const auto number = names_.journal_number(entry.name);
    if (number.has_value()) PYRALOG_CO_TRY(co_await open_file(entry.name, *number));
  }
  co_return Result<>();
}

io::Task<Result<>> JournalRecovery::open_file(std::string name, std::uint64_t number) {
  const std::string path = names_.directory + "/" + name;
  io::OpenOptions open_options{.caching = io::Caching::kDirect};
  if (planted(Bug::kReadThroughCache)) open_options.caching = io::Caching::kCached;
  JournalFile opened;
  opened.number = number;
  PYRALOG_CO_ASSIGN(opened.file, co_await reactor_.disk().open(path, open_options));
  // What the page cache alone has must be on the disk before anything is concluded from it.
  if (!planted(Bug::kJournalNotSyncedFirst)) PYRALOG_CO_TRY(co_await opened.file->sync());
  PYRALOG_CO_ASSIGN(const std::uint64_t size, opened.file->size());
  auto window = std::make_unique<FileWindow>(*opened.file, options_.geometry.block_bytes, size);
  PYRALOG_CO_ASSIGN(const auto header, co_await read_header(*window, path));
  if (!header.has_value() && size < options_.geometry.journal_file_bytes) {
    unfinished_.push_back(path);
    co_return Result<>();
  }
  if (header.has_value()) {
    opened.salt = header->salt;
    opened.first = header->first;
    by_first_[header->first] = files_.size();
  }
  opened.end = rounds_begin();
  opened.capacity = std::min(align_down(size, options_.geometry.block_bytes), options_.geometry.journal_file_bytes);
  files_.push_back(std::move(opened));
  windows_.push_back(std::move(window));
  co_return Result<>();
}

io::Task<Result<std::optional<JournalFileHeader>>> JournalRecovery::read_header(FileWindow& window,
                                                                                const std::string& path) {
  const std::uint64_t block = options_.geometry.block_bytes;
  PYRALOG_CO_ASSIGN(const ByteView blocks, co_await window.get(0, rounds_begin(), FileWindow::Ahead::kNothing));
  std::optional<JournalFileHeader> best;
  for (std::size_t copy = 0; copy < journal_format::kFileHeaderCopies; ++copy) {
    if (blocks.size() < (copy + 1) * block) break;
    auto header = JournalFileHeader::decode(blocks.subspan(copy * block, block));
    if (!header.ok() && header.error() == ErrorCode::kUnsupportedVersion) co_return header.error().with_context(path);
    if (!header.ok()) continue;
    if (header->disk != options_.disk_uuid || header->shard != options_.shard || header->generation != names_.generation ||
        header->block_bytes != block) {
      co_return Error(ErrorCode::kForeign, path + " belongs to another disk or shard");
    }
    if (!best.has_value() || header->first > best->first) best = *header;
  }
  co_return best;
}

void JournalRecovery::enter_file_of(RoundSequence expected) {
  // The rest of the file before it may hold a round that an earlier recovery cut: the newer file wins.
  const auto named = by_first_.find(expected);
  if (named == by_first_.end() || (current_.has_value() && *current_ == named->second)) return;
  if (current_.has_value()) chain_end_.back() = position_;
  current_ = named->second;
  position_ = rounds_begin();
  chain_.push_back(*current_);
  chain_end_.push_back(position_);
}

io::Task<Result<std::optional<RoundHeader>>> JournalRecovery::header_here(FileWindow::Ahead ahead) {
  if (!current_.has_value()) co_return std::optional<RoundHeader>();
  const JournalFile& file = files_[*current_];
  FileWindow& window = *windows_[*current_];
  PYRALOG_CO_ASSIGN(const ByteView bytes, co_await window.get(position_, journal_format::kRoundHeaderBytes, ahead));
  const auto header = peek_round(bytes, file.salt, position_, bounds());
  if (!header.ok() || header->sequence != next_) co_return std::optional<RoundHeader>();
  co_return std::optional<RoundHeader>(*header);
}

io::Task<Result<>> JournalRecovery::walk_to(RoundSequence redo_from) {
  auto start = by_first_.upper_bound(redo_from);
  if (start == by_first_.begin()) {
    // Nothing was ever written, or the first file's header was torn with its first round.
    next_ = redo_from;
    if (redo_from.value == 1) co_return Result<>();
    co_return corrupt(fmt::format("no file has round {}, which is needed", redo_from.value));
  }
  next_ = std::prev(start)->first;
  // Of large rounds only the headers are read.
  constexpr std::uint64_t kSkippedBytesMin = 64u << 10;
  auto ahead = FileWindow::Ahead::kWindow;
  while (next_ < redo_from) {
    enter_file_of(next_);
    PYRALOG_CO_ASSIGN(const auto header, co_await header_here(ahead));
    if (!header.has_value()) {
      co_return corrupt(fmt::format("round {} is damaged, and rounds from {} on are needed", next_.value, redo_from.value));
    }
    position_ += header->length;
    next_.value += 1;
    ahead = header->length >= kSkippedBytesMin ? FileWindow::Ahead::kNothing : FileWindow::Ahead::kWindow;
  }
  co_return Result<>();
}

io::Task<Result<std::optional<JournalRecovery::Found>>> JournalRecovery::round_here() {
  if (!planted(Bug::kRestBeforeSuccessor)) enter_file_of(next_);
  PYRALOG_CO_ASSIGN(auto header, co_await header_here());
  if (planted(Bug::kRestBeforeSuccessor) && !header.has_value()) {
    enter_file_of(next_);
    PYRALOG_CO_ASSIGN(header, co_await header_here());
  }
  if (!header.has_value()) co_return std::optional<Found>();
  FileWindow& window = *windows_[*current_];
  PYRALOG_CO_ASSIGN(const ByteView bytes, co_await window.get(position_, header->length));
  if (bytes.size() < header->length) co_return std::optional<Found>();
  auto descriptors = decode_descriptors(*header, bytes);
  if (!descriptors.ok() || !verify_payloads(*descriptors, bytes).ok()) co_return std::optional<Found>();
  Found found;
  found.place = {next_, *current_, position_, header->length};
  found.descriptors = std::move(*descriptors);
  const Slice& memory = window.memory();
  found.bytes = memory.part(static_cast<std::size_t>(bytes.data() - memory.data()), bytes.size());
  co_return std::optional<Found>(std::move(found));
}

io::Task<Result<>> JournalRecovery::run(const Checkpoint& checkpoint, Replay& replay) {
  PYRALOG_CO_TRY(co_await walk_to(checkpoint.redo_from));
  const auto has_body = [](const Descriptor& descriptor) { return descriptor.kind == RoundKind::kBody; };
  std::optional<Found> unproven;  // has bodies, which only the next valid round proves
  for (;;) {
    PYRALOG_CO_ASSIGN(auto found, co_await round_here());
    if (!found.has_value()) break;
    if (unproven.has_value() && planted(Bug::kSupersededBodyVerified)) {
      PYRALOG_CO_ASSIGN(const bool hold, co_await bodies_hold(*unproven, replay));
      if (!hold) co_return corrupt("a body is damaged");
    }
    if (unproven.has_value()) PYRALOG_CO_TRY(apply(replay, *unproven));
    unproven.reset();
    next_.value += 1;
    position_ += found->place.length;
    if (std::any_of(found->descriptors.begin(), found->descriptors.end(), has_body)) {
      unproven = std::move(found);
    } else {
      PYRALOG_CO_TRY(apply(replay, *found));
    }
  }
  if (unproven.has_value()) {
    PYRALOG_CO_ASSIGN(const bool hold, co_await bodies_hold(*unproven, replay));
    if (hold) {
      PYRALOG_CO_TRY(apply(replay, *unproven));
    } else if (unproven->place.sequence <= checkpoint.shown) {
      co_return corrupt(fmt::format("a body of round {} is damaged in its segment", unproven->place.sequence.value));
    } else {
      next_ = unproven->place.sequence;
      position_ = unproven->place.position;
    }
  }
  PYRALOG_CO_TRY(co_await prove_torn_tail(checkpoint));
  settle_files();
  co_return Result<>();
}

Result<> JournalRecovery::apply(Replay& replay, Found& found) {
  PYRALOG_TRY(replay.apply(found.place, found.descriptors, found.bytes.view()));
  applied_bytes_ += found.bytes.size();
  applied_.emplace_back(found.place.sequence, std::move(found.bytes));
  while (applied_bytes_ > 2 * options_.geometry.dirty_bytes_max) {
    applied_bytes_ -= applied_.front().second.size();
    applied_.pop_front();
  }
  return {};
}

io::Task<Result<bool>> JournalRecovery::bodies_hold(const Found& round, const Replay& replay) {
  if (planted(Bug::kBodyNotVerified)) co_return true;
  for (const Descriptor& body : round.descriptors) {
    if (body.kind != RoundKind::kBody || replay.body_is_clean(body)) continue;
    const auto directory = replay.directory_of(body.incarnation);
    if (!directory.has_value()) co_return false;
    std::string path =
        file_path(options_.data_directory + "/" + *directory, body.at.segment, FileKind::kLog);
    PYRALOG_CO_ASSIGN(const bool holds, co_await body_holds(body, std::move(path)));
    if (!holds) co_return false;
  }
  co_return true;
}

io::Task<Result<bool>> JournalRecovery::body_holds(const Descriptor& body, std::string path) {
  const io::OpenOptions open_options{.caching = io::Caching::kDirect};
  auto opened = co_await reactor_.disk().open(path, open_options);
  if (!opened.ok() && opened.error() == ErrorCode::kNotFound) co_return false;
  if (!opened.ok()) co_return std::move(opened).error();
  io::File& file = **opened;
  PYRALOG_CO_TRY(co_await file.sync());
  constexpr std::uint64_t kPieceBytes = 1u << 20;
  const std::uint64_t block =
      planted(Bug::kBodySharesOldBlock) ? options_.geometry.sector_bytes : options_.geometry.block_bytes;
  if (body.at.position % block != 0 || body.length % block != 0) co_return false;
  Slice buffer = Slice::allocate(std::min<std::uint64_t>(align_up(body.length, block), kPieceBytes));
  std::uint32_t crc = 0;
  for (std::uint64_t done = 0; done < body.length;) {
    const std::uint64_t piece = std::min<std::uint64_t>(body.length - done, kPieceBytes);
    const MutableBytes into = buffer.mutable_view().first(piece);
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await file.read(body.at.position + done, into));
    if (got < piece) co_return false;
    crc = crc32c(buffer.view().first(piece), crc);
    done += piece;
  }
  co_return crc == body.payload_crc;
}

io::Task<Result<>> JournalRecovery::prove_torn_tail(const Checkpoint& checkpoint) {
  if (planted(Bug::kTailTakenForTorn)) co_return Result<>();
  if (next_ <= checkpoint.shown) {
    co_return corrupt(fmt::format("round {} is damaged; it was durable, as the checkpoint knows up to round {}", next_.value,
                                  checkpoint.shown.value));
  }
  if (!by_first_.empty() && by_first_.rbegin()->first > next_) {
    co_return corrupt(fmt::format("round {} is damaged; it was durable, as a later file starts with round {}", next_.value,
                                  by_first_.rbegin()->first.value));
  }
  if (current_.has_value()) PYRALOG_CO_TRY(co_await ask_mark(*current_));
  // A clean stop left nothing behind the round that its checkpoint shows.
  if (checkpoint.clean_stop && next_.value == checkpoint.shown.value + 1) co_return Result<>();
  for (std::size_t file = 0; file < files_.size(); ++file) {
    if (files_[file].is_free()) continue;
    const auto in_chain = std::find(chain_.begin(), chain_.end(), file);
    // A file that was left before the chain begins has only rounds from before it, and at most a cut one with the next number.
    if (in_chain == chain_.end() && !chain_.empty() && files_[file].first < files_[chain_.front()].first) continue;
    std::uint64_t from = rounds_begin();
    if (in_chain != chain_.end()) {
      from = *current_ == file ? position_ : chain_end_[static_cast<std::size_t>(in_chain - chain_.begin())];
    }
    PYRALOG_CO_TRY(co_await find_later_round(file, from));
  }
  co_return Result<>();
}

/// The chain ends in `file`: so no other file took over from it.
io::Task<Result<>> JournalRecovery::ask_mark(std::size_t file) {
  const std::uint64_t block = options_.geometry.block_bytes;
  if (files_[file].capacity < block) co_return Result<>();
  PYRALOG_CO_ASSIGN(const ByteView bytes, co_await windows_[file]->get(files_[file].capacity - block, block));
  const auto mark = SuccessorMark::decode(bytes, files_[file].salt);
  if (!mark.has_value() || mark->first < next_) co_return Result<>();
  if (mark->first > next_) {
    co_return corrupt(fmt::format("round {} is damaged; it was durable, as round {} was, too", next_.value,
                                  mark->first.value));
  }
  co_return Error(ErrorCode::kCorrupt,
                  fmt::format("{} is missing, or damaged at its start: round {} was durable there; restore the directory's "
                              "files as they were",
                              names_.journal_file(mark->number), next_.value));
}

io::Task<Result<>> JournalRecovery::find_later_round(std::size_t file, std::uint64_t from) {
  const std::uint64_t block = options_.geometry.block_bytes;
  FileWindow& window = *windows_[file];
  for (std::uint64_t position = from; position + block <= options_.geometry.journal_file_bytes; position += block) {
    PYRALOG_CO_ASSIGN(ByteView bytes, co_await window.get(position, journal_format::kRoundHeaderBytes));
    if (bytes.empty()) break;
    const auto header = peek_round(bytes, files_[file].salt, position, bounds());
    if (!header.ok() || header->sequence <= next_) continue;
    PYRALOG_CO_ASSIGN(bytes, co_await window.get(position, header->payload_place_min()));
    if (!decode_descriptors(*header, bytes).ok()) continue;
    co_return corrupt(fmt::format("round {} is damaged; it was durable, as round {} exists", next_.value,
                                  header->sequence.value));
  }
  co_return Result<>();
}

void JournalRecovery::settle_files() {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    JournalFile& file = files_[i];
    const auto at = std::find(chain_.begin(), chain_.end(), i);
    if (at == chain_.end()) {
      file.first = file.last = RoundSequence(0);
      continue;
    }
    const auto place = static_cast<std::size_t>(at - chain_.begin());
    file.end = *current_ == i ? position_ : chain_end_[place];
    // Rounds follow one another, so a file's last one comes right before the next file's first.
    const RoundSequence next_first = place + 1 < chain_.size() ? files_[chain_[place + 1]].first : next_;
    file.last = RoundSequence(next_first.value - 1);
  }
}

io::Task<Result<Slice>> JournalRecovery::read_round(const RoundPlace& place) {
  while (!applied_.empty() && applied_.front().first < place.sequence) applied_.pop_front();
  if (!applied_.empty() && applied_.front().first == place.sequence) co_return applied_.front().second;
  FileWindow& window = *windows_[place.file];
  PYRALOG_CO_ASSIGN(const ByteView bytes, co_await window.get(place.position, place.length));
  if (bytes.size() < place.length) co_return corrupt("a journal file became shorter");
  const Slice& memory = window.memory();
  co_return memory.part(static_cast<std::size_t>(bytes.data() - memory.data()), bytes.size());
}

}  // namespace pyralog::storage
