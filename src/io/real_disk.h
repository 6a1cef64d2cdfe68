#pragma once

#include <memory>
#include <string>

#include "io/descriptor.h"
#include "io/disk.h"
#include "io/real_reactor.h"

namespace pyralog::io {

/// The machine's file system. Names are handled on helper threads.
class RealDisk final : public Disk {
 public:
  explicit RealDisk(RealReactor& reactor) : reactor_(reactor) {}

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
  RealReactor& reactor_;
};

/// Holds the directory's file `lock`, which contains the process id for whoever is refused.
class RealDirectoryLock final : public DirectoryLock {
 public:
  static constexpr const char* kFileName = "lock";

  static Result<std::unique_ptr<DirectoryLock>> acquire(const std::string& directory);
  ~RealDirectoryLock() override;

 private:
  explicit RealDirectoryLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

}  // namespace pyralog::io
