#include "storage/segment_files.h"

#include <algorithm>
#include <filesystem>

#include "storage/file_names.h"
#include "storage/planted.h"

namespace pyralog::storage {

std::string SegmentFiles::path(const PartitionFiles& partition, Offset base) const {
  const Segment* segment = partition.find_segment(base);
  const Edition edition = segment == nullptr ? 0 : segment->edition;
  return file_path(context_.options.data_directory + "/" + partition.directory(), base, FileKind::kLog, edition);
}

io::Task<Result<>> SegmentFiles::make_directory(std::string directory) {
  const std::string& root = context_.options.data_directory;
  if (durable_directories_.contains(root + "/" + directory)) co_return Result<>();
  PYRALOG_CO_TRY(co_await context_.reactor.disk().make_directories(root + "/" + directory));
  // From the top: each level's name lies in the one above.
  std::string above = root;
  for (const auto& level : std::filesystem::path(directory)) {
    const std::string next = above + "/" + level.string();
    if (!durable_directories_.contains(next)) {
      PYRALOG_CO_TRY(co_await sync_names(above));
      durable_directories_.insert(next);
    }
    above = next;
  }
  co_return Result<>();
}

io::Task<Result<>> SegmentFiles::make_file(PartitionFiles& partition, Offset base) {
  const std::string directory = partition.directory();
  PYRALOG_CO_TRY(co_await make_directory(directory));
  const io::OpenOptions options{.existence = io::Existence::kMayCreate};
  // Closed again at once: thousands may be made side by side.
  PYRALOG_CO_TRY(co_await context_.reactor.disk().open(path(partition, base), options));
  if (!planted(Bug::kNoDirectorySync)) {
    PYRALOG_CO_TRY(co_await sync_names(context_.options.data_directory + "/" + directory));
  }
  Segment* made = context_.ledger(partition).segment(base);
  if (made == nullptr) co_return ErrorCode::kNotFound;
  made->named = true;
  co_return Result<>();
}

io::Task<Result<SharedFile>> SegmentFiles::open(PartitionFiles& partition, Offset base) {
  const Segment* segment = partition.find_segment(base);
  if (segment == nullptr) co_return ErrorCode::kNotFound;
  const FileKey key{partition.incarnation(), base, FileKind::kLog, segment->edition};
  if (!segment->named) PYRALOG_CO_TRY(co_await make_file(partition, base));
  if (SharedFile file = context_.files.find(key)) co_return file;
  co_return co_await context_.files.open(key, path(partition, base));
}

Result<> SegmentFiles::write(io::File& file, const PartitionLedger::DirtyRun& run) const {
  const std::uint64_t write_max = context_.geometry().write_bytes_max;
  std::vector<ByteView> pieces;
  std::uint64_t begin = 0, end = 0;
  for (const StoredPart& part : run.parts) {
    std::uint64_t done = 0;
    while (done < part.bytes) {
      if (!pieces.empty() && (end != part.position + done || end - begin == write_max)) {
        PYRALOG_TRY(file.write_now(begin, pieces));
        pieces.clear();
      }
      if (pieces.empty()) begin = end = part.position + done;
      const std::uint64_t bytes = std::min(part.bytes - done, write_max - (end - begin));
      pieces.push_back(part.slice.view().subspan(done, bytes));
      end += bytes;
      done += bytes;
    }
  }
  return pieces.empty() ? Result<>() : file.write_now(begin, pieces);
}

io::Task<Result<>> SegmentFiles::sync_names(std::string path) {
  Result<> synced = co_await syncs_.sync(std::move(path));
  // Nobody can tell now which names are durable, and the next sync may say that all is well: as for a file, the store ends.
  if (!synced.ok() && synced.error() != ErrorCode::kNotFound) context_.fail(synced.error());
  co_return synced;
}

io::Task<Result<>> SegmentFiles::sync_directory(const PartitionFiles& partition) {
  auto synced = co_await sync_names(context_.options.data_directory + "/" + partition.directory());
  // Without a directory there are no names.
  if (!synced.ok() && synced.error() == ErrorCode::kNotFound) co_return Result<>();
  co_return synced;
}

io::Task<Result<>> SegmentFiles::remove(const PartitionFiles& partition, std::vector<SegmentName> segments) {
  const std::string directory = context_.options.data_directory + "/" + partition.directory();
  const Incarnation incarnation = partition.incarnation();
  constexpr FileKind kKinds[] = {FileKind::kTimeIndex, FileKind::kIndex, FileKind::kLog, FileKind::kCompacting};
  for (const auto& [base, edition] : segments) {
    for (const FileKind kind : kKinds) {
      if (kind == FileKind::kCompacting && edition == 0) continue;
      context_.files.forget({incarnation, base, kind, edition});
      const Result<> removed = co_await context_.reactor.disk().remove(file_path(directory, base, kind, edition));
      if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) co_return removed;
    }
  }
  co_return Result<>();
}

io::Task<Result<>> SegmentFiles::remove_directory(std::string directory) {
  io::Disk& disk = context_.reactor.disk();
  const std::string& root = context_.options.data_directory;
  const std::string path = root + "/" + directory;
  durable_directories_.erase(path);
  auto entries = co_await disk.list(path);
  if (!entries.ok() && entries.error() != ErrorCode::kNotFound) co_return std::move(entries).error();
  for (const io::DirectoryEntry& entry : entries.ok() ? *entries : std::vector<io::DirectoryEntry>()) {
    if (entry.is_directory) continue;
    const Result<> removed = co_await disk.remove(path + "/" + entry.name);
    if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) co_return removed;
  }
  const Result<> removed = co_await disk.remove_directory(path);
  if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) co_return removed;
  std::string above = path.substr(0, path.rfind('/'));
  if (above.find('/', root.size() + 1) != std::string::npos) {
    durable_directories_.erase(above);
    // Refused while other partitions of the log are there.
    (void)co_await disk.remove_directory(above);
  }
  // What is durably not in the nearest directory that is left is gone with all below it.
  Result<> synced = co_await sync_names(above);
  while (!synced.ok() && synced.error() == ErrorCode::kNotFound && above.size() > root.size()) {
    above.resize(above.rfind('/'));
    synced = co_await sync_names(above);
  }
  co_return synced;
}

}  // namespace pyralog::storage
