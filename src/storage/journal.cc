#include "storage/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "storage/planted.h"

namespace pyralog::storage {

std::string JournalNames::journal_file(std::uint64_t number) const {
  return fmt::format("{}/{}-{:06}.journal", directory, generation, number);
}

std::string JournalNames::checkpoint_file(unsigned which) const {
  return fmt::format("{}/{}-{}.checkpoint", directory, generation, which == 0 ? 'a' : 'b');
}

std::optional<std::uint64_t> JournalNames::journal_number(const std::string& name) const {
  const std::string prefix = fmt::format("{}-", generation);
  constexpr std::string_view kSuffix = ".journal";
  if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = name.data() + name.size() - kSuffix.size();
  const auto [stopped, error] = std::from_chars(name.data() + prefix.size(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

Journal::Journal(io::Reactor& reactor, const StoreOptions& options)
    : reactor_(reactor),
      geometry_(options.geometry),
      disk_uuid_(options.disk_uuid),
      shard_(options.shard),
      names_{fmt::format("{}/journal/{}", options.data_directory, options.shard.value), options.generation} {}

void Journal::adopt(std::vector<JournalFile> files, std::optional<std::size_t> current, RoundSequence synced) {
  for (JournalFile& file : files) {
    next_number_ = std::max(next_number_, file.number + 1);
    files_.push_back(std::make_unique<JournalFile>(std::move(file)));
  }
  if (current.has_value()) current_ = files_[*current].get();
  if (current_ != nullptr && current_->end == rounds_begin()) {
    // Its first round is to be written again, and the mark of it.
    for (const auto& file : files_) {
      if (!file->is_free() && file.get() != current_ && file->last == synced) before_ = file.get();
    }
  }
  synced_ = synced;
  // What was there before counts as written just now: the checkpoint that recovery ends with lets go of it.
  milestones_.push_back({RoundSequence(0), 0});
  for (const auto& file : files_) {
    if (!file->is_free()) bytes_written_ += file->end;
  }
}

JournalFile* Journal::find_free(std::uint64_t length) noexcept {
  JournalFile* best = nullptr;
  for (const auto& file : files_) {
    const bool fits = file->is_free() && rounds_end(*file) >= rounds_begin() + length;
    if (fits && (best == nullptr || file->capacity > best->capacity)) best = file.get();
  }
  return best;
}

std::size_t Journal::file_count() const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(files_, [this](const auto& file) { return is_full_size(*file); }));
}

bool Journal::wants_file() const noexcept {
  return std::ranges::none_of(files_, [this](const auto& file) { return file->is_free() && is_full_size(*file); });
}

io::Task<Result<>> Journal::add_file() {
  if (adding_) {
    while (adding_) co_await added_.wait();
    if (!wants_file()) co_return Result<>();
  }
  adding_ = true;
  auto made = std::make_unique<JournalFile>();
  made->number = next_number_++;
  made->capacity = geometry_.journal_file_bytes;
  if (files_.empty()) made->capacity = std::min(made->capacity, geometry_.journal_first_file_bytes);
  Result<> result;
  io::OpenOptions options{.existence = io::Existence::kMayCreate, .caching = io::Caching::kDirect};
  auto opened = co_await reactor_.disk().open(names_.journal_file(made->number), options);
  if (opened.ok()) {
    made->file = std::move(*opened);
    result = co_await made->file->fill_with_zeros(made->capacity);
    if (result.ok()) result = co_await reactor_.disk().sync_directory(names_.directory);
  } else {
    result = std::move(opened).error();
  }
  adding_ = false;
  added_.notify_all();
  if (result.ok()) files_.push_back(std::move(made));
  co_return result;
}

io::Task<Result<>> Journal::next_file(RoundSequence first, std::uint64_t length) {
  JournalFile* next = find_free(length);
  while (next == nullptr) {
    PYRALOG_CO_TRY(co_await add_file());
    next = find_free(length);
  }
  // A new salt, so that nothing that earlier uses left in the file, nor what a client sent, can pass for a round.
  next->salt = reactor_.random().next();
  next->first = first;
  next->last = RoundSequence(first.value - 1);
  next->end = rounds_begin();
  before_ = current_;
  current_ = next;
  co_return Result<>();
}

std::vector<ByteView> Journal::file_header_pieces(const JournalFile& file) {
  header_blocks_ = Slice::allocate(rounds_begin());
  std::memset(header_blocks_.mutable_data(), 0, rounds_begin());
  const JournalFileHeader header{.disk = disk_uuid_,
                                 .shard = shard_,
                                 .generation = names_.generation,
                                 .salt = file.salt,
                                 .first = file.first,
                                 .block_bytes = static_cast<std::uint32_t>(geometry_.block_bytes)};
  for (std::size_t copy = 0; copy < journal_format::kFileHeaderCopies; ++copy) {
    if (copy > 0 && planted(Bug::kOneHeaderCopy)) break;
    header.encode(header_blocks_.mutable_view().subspan(copy * geometry_.block_bytes));
  }
  return {header_blocks_.view().first(rounds_begin())};
}

io::Task<Result<>> Journal::make_room(std::uint64_t length, RoundSequence sequence) {
  if (current_ != nullptr && length + current_->end <= rounds_end(*current_)) co_return Result<>();
  co_return co_await next_file(sequence, length);
}

io::Task<Result<>> Journal::mark_successor() {
  if (before_ == nullptr || current_->last < current_->first) co_return Result<>();
  JournalFile& before = *std::exchange(before_, nullptr);
  // A file of an earlier release may have a round where the mark belongs.
  if (before.end > rounds_end(before) || planted(Bug::kNoSuccessorMark)) co_return Result<>();
  Slice block = Slice::allocate(geometry_.block_bytes);
  std::memset(block.mutable_data(), 0, block.size());
  const SuccessorMark mark{.salt = before.salt, .number = current_->number, .first = current_->first};
  mark.encode(block.mutable_view());
  std::vector<ByteView> pieces{block.view()};
  co_return co_await before.file->write_and_sync(rounds_end(before), std::move(pieces));
}

io::Task<Result<>> Journal::write(Round& round) {
  PYRALOG_CO_TRY(co_await make_room(round.length(), round.sequence()));
  JournalFile& file = *current_;
  std::uint64_t position = file.end;
  std::vector<ByteView> pieces;
  if (position == rounds_begin()) {
    // The first round carries the file's header. After a recovery that cut here the header may be damaged, or what follows
    // it may be left over from before the cut: so it is written again, under a new salt.
    file.salt = planted(Bug::kSaltReused) ? 1 : reactor_.random().next();
    file.first = round.sequence();
    pieces = file_header_pieces(file);
    position = 0;
  }
  for (const ByteView piece : round.encode(file.salt, file.end)) pieces.push_back(piece);
  if (milestones_.empty() ||
      bytes_written_ - milestones_.back().bytes >= geometry_.journal_file_bytes / kMilestonesPerFile) {
    milestones_.push_back({round.sequence(), bytes_written_});
  }
  const Result<> written = co_await file.file->write_and_sync(position, std::move(pieces));
  if (!written.ok() && planted(Bug::kFailedSyncRetried)) {
    PYRALOG_CO_TRY(co_await file.file->sync());
  } else {
    PYRALOG_CO_TRY(written);
  }
  bytes_written_ += file.end - position + round.length();
  file.end += round.length();
  file.last = round.sequence();
  synced_ = round.sequence();
  co_return Result<>();
}

void Journal::recycle(RoundSequence redo_from) {
  for (const auto& file : files_) {
    if (file->is_free() || file.get() == current_ || file->last >= redo_from) continue;
    // The file that takes over from this one must be durably known first: recovery starts at the header of one of them.
    if (file->last >= synced_) continue;
    file->first = RoundSequence(0);
    file->end = 0;
  }
  const auto later = std::find_if(milestones_.begin(), milestones_.end(),
                                  [&](const Milestone& milestone) { return milestone.sequence > redo_from; });
  if (later - milestones_.begin() > 1) milestones_.erase(milestones_.begin(), later - 1);
}

std::uint64_t Journal::bytes_since(RoundSequence from) const noexcept {
  if (from > synced_) return 0;
  const auto later = std::upper_bound(milestones_.begin(), milestones_.end(), from,
                                      [](RoundSequence sought, const Milestone& at) { return sought < at.sequence; });
  return bytes_written_ - (later == milestones_.begin() ? 0 : (later - 1)->bytes);
}

}  // namespace pyralog::storage
