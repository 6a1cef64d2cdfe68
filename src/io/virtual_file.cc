#include "io/virtual_file.h"

#include <algorithm>

#include "core/checksum.h"
#include "core/limits.h"
#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

constexpr std::uint64_t kTraceWrite = 16;
constexpr std::uint64_t kTraceSync = 17;
constexpr std::uint64_t kTraceRead = 18;

std::uint32_t checksum(std::span<const ByteView> pieces) noexcept {
  std::uint32_t crc = 0;
  for (ByteView piece : pieces) crc = crc32c(piece, crc);
  return crc;
}

/// Counts an operation as under way while it lives.
class UnderWay {
 public:
  explicit UnderWay(std::uint32_t& count) : count_(count) { ++count_; }
  UnderWay(const UnderWay&) = delete;
  ~UnderWay() { --count_; }

 private:
  std::uint32_t& count_;
};

Error dead() { return Error(ErrorCode::kIo, "the node has crashed"); }

}  // namespace

void DiskOperation::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  reactor_.wait_begins();
  if (!reactor_.alive()) return refuse();
  const std::uint64_t id = disk_.operation_sequence_++;
  disk_.operations_.emplace(id, this);
  disk_.world_.schedule(disk_.latency(latency_), [disk = &disk_, id] { disk->finish(id); });
  disk_.note_step();
}

void DiskOperation::refuse() {
  refused_ = true;
  reactor_.complete(handle_);
}

Result<> DiskOperation::await_resume() const { return refused_ ? Result<>(dead()) : Result<>(); }

VirtualFile::~VirtualFile() {
  PYRALOG_ASSERT(under_way_ == 0 || !reactor_.alive(), "a file is closed with operations under way");
}

Result<> VirtualFile::check_writable() const {
  if (access_ == Access::kRead) return Error(ErrorCode::kInvalidArgument, path_ + ": not opened for writing");
  return {};
}

Result<> VirtualFile::check_aligned(std::uint64_t position, std::span<const ByteView> pieces) const {
  if (caching_ == Caching::kCached) return {};
  const std::uint64_t sector = disk_.options_.sector_bytes;
  bool aligned = position % sector == 0;
  for (ByteView piece : pieces) {
    aligned &= piece.size() % sector == 0 && reinterpret_cast<std::uintptr_t>(piece.data()) % sector == 0;
  }
  if (!aligned) return Error(ErrorCode::kInvalidArgument, path_ + ": direct access that is not aligned to a sector");
  return {};
}

Result<> VirtualFile::enter_in_line() {
  if (reactor_.alive()) disk_.note_step();
  if (!reactor_.alive()) return dead();
  return {};
}

Result<> VirtualFile::write_now(std::uint64_t position, std::span<const ByteView> pieces) {
  std::size_t total = 0;
  for (ByteView piece : pieces) total += piece.size();
  PYRALOG_ASSERT(caching_ == Caching::kCached, "write_now on a direct file");
  PYRALOG_ASSERT(total <= limits::kWriteBytesMax, "write_now of more than kWriteBytesMax");
  PYRALOG_TRY(check_writable());
  PYRALOG_TRY(enter_in_line());
  disk_.world_.trace(kTraceWrite, inode_->id ^ position << 20, checksum(pieces));
  Result<> written = disk_.write(*inode_, path_, position, pieces);
  if (written.ok()) reactor_.counters().disk.bytes_written += total;
  return written;
}

Task<Result<>> VirtualFile::write_and_sync(std::uint64_t position, std::vector<ByteView> pieces) {
  const UnderWay under_way(under_way_);
  PYRALOG_CO_TRY(check_writable());
  PYRALOG_CO_TRY(check_aligned(position, pieces));
  const MonotonicTime start = reactor_.now();
  disk_.world_.trace(kTraceWrite, inode_->id ^ position << 20, checksum(pieces));
  Result<> written;
  // The bytes as they are at the end: a sector may hold what others still fill beside a batch, which is nobody's business,
  // and a change of the batch itself shows when its checksum is next looked at.
  DiskOperation::Effect write = [&] { written = disk_.write(*inode_, path_, position, pieces); };
  DiskOperation::Effect torn = [&] { disk_.write_in_part(*inode_, position, pieces); };
  DiskOperation writing(reactor_, disk_, disk_.options_.write, write, &torn);
  PYRALOG_CO_TRY(co_await writing);
  PYRALOG_CO_TRY(std::move(written));
  for (ByteView piece : pieces) reactor_.counters().disk.bytes_written += piece.size();
  co_return co_await sync_since(start);
}

Task<Result<>> VirtualFile::sync() { return sync_since(reactor_.now()); }

Task<Result<>> VirtualFile::sync_since(MonotonicTime start) {
  const UnderWay under_way(under_way_);
  disk_.world_.trace(kTraceSync, inode_->id);
  const std::uint64_t change_end = disk_.change_sequence_;
  Result<> synced;
  DiskOperation::Effect effect = [&] { synced = disk_.sync(*inode_, path_, change_end); };
  DiskOperation syncing(reactor_, disk_, disk_.options_.sync, effect);
  PYRALOG_CO_TRY(co_await syncing);
  reactor_.counters().disk.sync_latency.record(reactor_.now() - start);
  if (!synced.ok()) ++reactor_.counters().disk.sync_failures;
  co_return synced;
}

Result<std::size_t> VirtualFile::read_bytes(std::uint64_t position, MutableBytes into) {
  disk_.world_.trace(kTraceRead, inode_->id ^ position << 20, into.size());
  if (disk_.take_fault(path_, &VirtualDisk::PlannedFaults::reads)) {
    ++disk_.faults_.reads_failed;
    return Error(ErrorCode::kIo, path_ + ": read failed");
  }
  const std::uint64_t size = inode_->cache.size();
  if (position >= size) return std::size_t{0};
  into = into.first(std::min<std::uint64_t>(into.size(), size - position));
  if (caching_ == Caching::kDirect) {
    disk_.read_device(*inode_, position, into);
  } else {
    inode_->cache.read(position, into);
  }
  reactor_.counters().disk.bytes_read += into.size();
  return into.size();
}

Task<Result<std::size_t>> VirtualFile::read(std::uint64_t position, MutableBytes into) {
  const UnderWay under_way(under_way_);
  const ByteView target = into;
  PYRALOG_CO_TRY(check_aligned(position, std::span(&target, 1)));
  Result<std::size_t> bytes = std::size_t{0};
  DiskOperation::Effect effect = [&] { bytes = read_bytes(position, into); };
  DiskOperation::Effect torn = [] {};
  DiskOperation reading(reactor_, disk_, disk_.options_.read, effect, &torn);
  PYRALOG_CO_TRY(co_await reading);
  co_return bytes;
}

Result<std::size_t> VirtualFile::read_now(std::uint64_t position, MutableBytes into) {
  const ByteView target = into;
  PYRALOG_TRY(check_aligned(position, std::span(&target, 1)));
  PYRALOG_TRY(enter_in_line());
  return read_bytes(position, into);
}

Task<Result<>> VirtualFile::make_resident(std::uint64_t position, std::uint64_t bytes) {
  const UnderWay under_way(under_way_);
  Result<> result;
  DiskOperation::Effect effect = [&] {
    disk_.world_.trace(kTraceRead, inode_->id ^ position << 20, bytes);
    if (!disk_.take_fault(path_, &VirtualDisk::PlannedFaults::reads)) return;
    ++disk_.faults_.reads_failed;
    result = Error(ErrorCode::kIo, path_ + ": read failed");
  };
  DiskOperation::Effect torn = [] {};
  // Unlike all else, for whichever shard sends the file.
  auto& here = static_cast<VirtualReactor&>(Reactor::current());
  DiskOperation reading(here, disk_, disk_.options_.read, effect, &torn);
  PYRALOG_CO_TRY(co_await reading);
  co_return result;
}

Result<std::uint64_t> VirtualFile::size() {
  PYRALOG_TRY(enter_in_line());
  return inode_->cache.size();
}

Task<Result<>> VirtualFile::truncate(std::uint64_t size) {
  const UnderWay under_way(under_way_);
  PYRALOG_CO_TRY(check_writable());
  DiskOperation::Effect effect = [&] { disk_.truncate(*inode_, size); };
  DiskOperation truncating(reactor_, disk_, disk_.options_.name, effect);
  co_return co_await truncating;
}

Task<Result<>> VirtualFile::fill_with_zeros(std::uint64_t size) {
  const UnderWay under_way(under_way_);
  PYRALOG_CO_TRY(check_writable());
  Result<> written;
  DiskOperation::Effect effect = [&] { written = disk_.write_zeros(*inode_, path_, size); };
  DiskOperation writing(reactor_, disk_, disk_.options_.write, effect);
  PYRALOG_CO_TRY(co_await writing);
  PYRALOG_CO_TRY(std::move(written));
  co_return co_await sync();
}

}  // namespace pyralog::io
