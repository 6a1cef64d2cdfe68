#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/disk.h"
#include "io/virtual_disk.h"
#include "io/virtual_reactor.h"

namespace pyralog::io {

/// One operation that takes virtual time; lives in the frame that awaits it. Its effect happens at its end. A crash
/// before that leaves `torn`'s effect. Fails with kIo when the process is dead.
class DiskOperation {
 public:
  using Effect = std::move_only_function<void()>;

  DiskOperation(VirtualReactor& reactor, VirtualDisk& disk, LatencyRange latency, Effect& effect, Effect* torn = nullptr)
      : reactor_(reactor), disk_(disk), latency_(latency), effect_(effect), torn_(torn) {}
  DiskOperation(const DiskOperation&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  Result<> await_resume() const;

 private:
  friend class VirtualDisk;
  void refuse();

  VirtualReactor& reactor_;
  VirtualDisk& disk_;
  LatencyRange latency_;
  Effect& effect_;
  Effect* torn_;
  std::coroutine_handle<> handle_;
  bool refused_ = false;
};

/// `Disk` for one virtual shard.
class VirtualDoor final : public Disk {
 public:
  VirtualDoor(VirtualReactor& reactor, VirtualDisk& disk) : reactor_(reactor), disk_(disk) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenOptions options) override;
  Task<Result<>> rename(std::string from, std::string to) override;
  Task<Result<>> remove(std::string path) override;
  Task<Result<>> remove_directory(std::string path) override;
  Task<Result<>> make_directories(std::string path) override;
  Task<Result<>> sync_directory(std::string path) override;
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path) override;
  Task<Result<bool>> exists(std::string path) override;
  Task<Result<DiskSpace>> space(std::string path) override;
  Task<Result<std::unique_ptr<DirectoryLock>>> lock_directory(std::string path) override;

 private:
  Task<Result<>> change(DiskOperation::Effect effect);

  VirtualReactor& reactor_;
  VirtualDisk& disk_;
};

class VirtualFile final : public File {
 public:
  VirtualFile(VirtualReactor& reactor, VirtualDisk& disk, std::shared_ptr<VirtualInode> inode, std::string path,
              Access access, Caching caching)
      : reactor_(reactor),
        disk_(disk),
        inode_(std::move(inode)),
        path_(std::move(path)),
        access_(access),
        caching_(caching) {}
  ~VirtualFile() override;

  Result<> write_now(std::uint64_t position, std::span<const ByteView> pieces) override;
  Task<Result<>> write_and_sync(std::uint64_t position, std::vector<ByteView> pieces) override;
  Task<Result<>> sync() override;
  Task<Result<std::size_t>> read(std::uint64_t position, MutableBytes into) override;
  Result<std::size_t> read_now(std::uint64_t position, MutableBytes into) override;
  Task<Result<>> make_resident(std::uint64_t position, std::uint64_t bytes) override;
  Result<std::uint64_t> size() override;
  Task<Result<>> truncate(std::uint64_t size) override;
  Task<Result<>> fill_with_zeros(std::uint64_t size) override;
  bool is_direct() const noexcept override { return caching_ == Caching::kDirect; }

 private:
  Result<> check_writable() const;
  Result<> check_aligned(std::uint64_t position, std::span<const ByteView> pieces) const;
  Result<> enter_in_line();
  Task<Result<>> sync_since(MonotonicTime start);
  Result<std::size_t> read_bytes(std::uint64_t position, MutableBytes into);

  VirtualReactor& reactor_;
  VirtualDisk& disk_;
  std::shared_ptr<VirtualInode> inode_;
  std::string path_;
  Access access_;
  Caching caching_;
  std::uint32_t under_way_ = 0;
};

}  // namespace pyralog::io
