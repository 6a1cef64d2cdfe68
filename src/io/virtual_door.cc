#include "io/virtual_file.h"
#include "io/virtual_world.h"

namespace pyralog::io {

/// Unlocks a directory, unless the owner's death did.
class VirtualLock final : public DirectoryLock {
 public:
  VirtualLock(VirtualReactor& reactor, VirtualDisk& disk, std::string path)
      : reactor_(reactor), disk_(disk), path_(std::move(path)) {}
  ~VirtualLock() override {
    if (reactor_.alive()) disk_.locked_.erase(path_);
  }

 private:
  VirtualReactor& reactor_;
  VirtualDisk& disk_;
  std::string path_;
};

std::unique_ptr<Disk> VirtualDisk::door(VirtualReactor& reactor) { return std::make_unique<VirtualDoor>(reactor, *this); }

Task<Result<>> VirtualDoor::change(DiskOperation::Effect effect) {
  DiskOperation operation(reactor_, disk_, disk_.options_.name, effect);
  co_return co_await operation;
}

Task<Result<std::unique_ptr<File>>> VirtualDoor::open(std::string path, OpenOptions options) {
  path = normal_path(path);
  Result<std::shared_ptr<VirtualInode>> inode = ErrorCode::kIo;
  DiskOperation::Effect effect = [&] { inode = disk_.open_name(path, options); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  if (!inode.ok()) co_return std::move(inode).error();
  const Caching caching = disk_.options_.grants_direct ? options.caching : Caching::kCached;
  co_return std::make_unique<VirtualFile>(reactor_, disk_, std::move(*inode), path, options.access, caching);
}

Task<Result<>> VirtualDoor::rename(std::string from, std::string to) {
  Result<> result;
  DiskOperation::Effect effect = [&] { result = disk_.rename(from, to); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  co_return result;
}

Task<Result<>> VirtualDoor::remove(std::string path) {
  Result<> result;
  DiskOperation::Effect effect = [&] { result = disk_.remove(path, false); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  co_return result;
}

Task<Result<>> VirtualDoor::remove_directory(std::string path) {
  Result<> result;
  DiskOperation::Effect effect = [&] { result = disk_.remove(path, true); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  co_return result;
}

Task<Result<>> VirtualDoor::make_directories(std::string path) {
  Result<> result;
  DiskOperation::Effect effect = [&] { result = disk_.make_directories(path); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  co_return result;
}

Task<Result<>> VirtualDoor::sync_directory(std::string path) {
  const std::uint64_t change_end = disk_.change_sequence_;
  Result<> result;
  DiskOperation::Effect effect = [&] { result = disk_.sync_names(path, change_end); };
  DiskOperation operation(reactor_, disk_, disk_.options_.sync, effect);
  PYRALOG_CO_TRY(co_await operation);
  co_return result;
}

Task<Result<std::vector<DirectoryEntry>>> VirtualDoor::list(std::string path) {
  Result<std::vector<DirectoryEntry>> entries = ErrorCode::kIo;
  DiskOperation::Effect effect = [&] { entries = disk_.list(path); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  co_return entries;
}

Task<Result<bool>> VirtualDoor::exists(std::string path) {
  bool found = false;
  DiskOperation::Effect effect = [&] { found = disk_.has(path); };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  co_return found;
}

Task<Result<DiskSpace>> VirtualDoor::space(std::string path) {
  bool found = false;
  DiskSpace space;
  DiskOperation::Effect effect = [&] {
    found = disk_.has(path);
    const std::uint64_t total = disk_.options_.capacity_bytes;
    space = DiskSpace{.total_bytes = total, .free_bytes = total - std::min(total, disk_.used_bytes_)};
  };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  if (!found) co_return Error(ErrorCode::kNotFound, path);
  co_return space;
}

Task<Result<std::unique_ptr<DirectoryLock>>> VirtualDoor::lock_directory(std::string path) {
  path = normal_path(path);
  bool found = false, locked = false;
  DiskOperation::Effect effect = [&] {
    found = disk_.has(path);
    locked = found && disk_.locked_.insert(path).second;
  };
  PYRALOG_CO_TRY(co_await change(std::move(effect)));
  if (!found) co_return Error(ErrorCode::kNotFound, path);
  if (!locked) co_return Error(ErrorCode::kLocked, path);
  co_return std::make_unique<VirtualLock>(reactor_, disk_, path);
}

}  // namespace pyralog::io
