#include "io/real_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "io/blocking.h"
#include "io/real_file.h"
#include "io/system_error.h"

namespace pyralog::io {
namespace {

constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kFileMode = 0640;

Result<> make_path(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return system_error(errno, "make directory", part);
    if (end == std::string::npos) break;
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return system_error(errno, "make directory", path);
  if (!S_ISDIR(status.st_mode)) return system_error(ENOTDIR, "make directory", path);
  return {};
}

Result<std::vector<DirectoryEntry>> list_path(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return system_error(errno, "list", path);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(directory.get());
    if (found == nullptr) break;
    DirectoryEntry entry{.name = found->d_name};
    if (entry.name == "." || entry.name == "..") continue;
    struct stat status{};
    if (::fstatat(::dirfd(directory.get()), found->d_name, &status, 0) != 0) {
      if (errno == ENOENT) continue;  // removed meanwhile
      return system_error(errno, "list", path + "/" + entry.name);
    }
    entry.is_directory = S_ISDIR(status.st_mode);
    entry.size = entry.is_directory ? 0 : static_cast<std::uint64_t>(status.st_size);
    entries.push_back(std::move(entry));
  }
  if (errno != 0) return system_error(errno, "list", path);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Result<> sync_path(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return system_error(errno, "sync directory", path);
  if (::fsync(directory.get()) != 0) return Error(ErrorCode::kIo, "sync directory " + path + ": " + system_text(errno));
  return {};
}

Result<bool> path_exists(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return system_error(errno, "look up", path);
}

Result<DiskSpace> path_space(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return system_error(errno, "free space of", path);
  return DiskSpace{.total_bytes = std::uint64_t{status.f_blocks} * status.f_frsize,
                   .free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize};
}

}  // namespace

Task<Result<std::unique_ptr<File>>> RealDisk::open(std::string path, OpenOptions options) {
  auto work = [path = std::move(path), options] { return RealFile::open_path(path, options); };
  PYRALOG_CO_ASSIGN(RealFile::Opened opened, co_await run_blocking(std::move(work), Lane::kFiles));
  co_return std::unique_ptr<File>(std::make_unique<RealFile>(reactor_, std::move(opened)));
}

Task<Result<>> RealDisk::rename(std::string from, std::string to) {
  auto work = [from = std::move(from), to = std::move(to)]() -> Result<> {
    if (::rename(from.c_str(), to.c_str()) != 0) return system_error(errno, "rename", from + " to " + to);
    return {};
  };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<>> RealDisk::remove(std::string path) {
  auto work = [path = std::move(path)]() -> Result<> {
    if (::unlink(path.c_str()) != 0) return system_error(errno, "remove", path);
    return {};
  };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<>> RealDisk::remove_directory(std::string path) {
  auto work = [path = std::move(path)]() -> Result<> {
    if (::rmdir(path.c_str()) != 0) return system_error(errno, "remove directory", path);
    return {};
  };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<>> RealDisk::make_directories(std::string path) {
  auto work = [path = std::move(path)] { return make_path(path); };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<>> RealDisk::sync_directory(std::string path) {
  auto work = [path = std::move(path)] { return sync_path(path); };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<std::vector<DirectoryEntry>>> RealDisk::list(std::string path) {
  auto work = [path = std::move(path)] { return list_path(path); };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<bool>> RealDisk::exists(std::string path) {
  auto work = [path = std::move(path)] { return path_exists(path); };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<DiskSpace>> RealDisk::space(std::string path) {
  auto work = [path = std::move(path)] { return path_space(path); };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Task<Result<std::unique_ptr<DirectoryLock>>> RealDisk::lock_directory(std::string path) {
  auto work = [path = std::move(path)] { return RealDirectoryLock::acquire(path); };
  co_return co_await run_blocking(std::move(work), Lane::kFiles);
}

Result<std::unique_ptr<DirectoryLock>> RealDirectoryLock::acquire(const std::string& directory) {
  const std::string path = directory + "/" + kFileName;
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!file) return system_error(errno, "lock", path);
  char text[32] = "";
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error(errno, "lock", path);
    const ssize_t got = ::pread(file.get(), text, sizeof text - 1, 0);
    const long pid = got > 0 ? std::strtol(text, nullptr, 10) : 0;
    const std::string holder = pid > 0 ? "process " + std::to_string(pid) : std::string("another process");
    return Error(ErrorCode::kLocked, directory + " is in use by " + holder + "; stop it or choose another directory");
  }
  const int size = std::snprintf(text, sizeof text, "%ld\n", static_cast<long>(::getpid()));
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), text, static_cast<std::size_t>(size), 0) != size) {
    return system_error(errno, "lock", path);
  }
  return std::unique_ptr<DirectoryLock>(new RealDirectoryLock(std::move(file)));
}

RealDirectoryLock::~RealDirectoryLock() {
  // The file stays: removing it would let two processes hold locks on two files of one name. Its text is only a hint.
  [[maybe_unused]] const int ignored = ::ftruncate(file_.get(), 0);
}

}  // namespace pyralog::io
