#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "io/task.h"

namespace pyralog::io {

enum class Access : std::uint8_t { kRead, kReadWrite };
enum class Existence : std::uint8_t { kMustExist, kMayCreate, kMustCreate };
/// kDirect goes past the page cache (O_DIRECT): positions, lengths and memory are multiples of 512 bytes (memory: 4096 is
/// always enough). Where the file system refuses it, the file is opened kCached and `File::is_direct` says so.
enum class Caching : std::uint8_t { kCached, kDirect };

struct OpenOptions {
  Access access = Access::kReadWrite;
  Existence existence = Existence::kMustExist;
  Caching caching = Caching::kCached;
};

/// An open file of one shard. Positions are bytes from its start. Operations may overlap; their order is the caller's
/// business. Closing (destruction) with operations under way is a bug. After a failed sync the file's contents on disk
/// are unknown: callers stop using it (reliability.md §2).
class File {
 public:
  virtual ~File() = default;

  /// Writes all pieces in a row at `position` into the page cache, in line, on the calling thread: for cached files, at
  /// most limits::kWriteBytesMax at a time. kNoSpace, kIo.
  virtual Result<> write_now(std::uint64_t position, std::span<const ByteView> pieces) = 0;

  /// Writes all pieces at `position` and makes them, and all earlier completed changes through this object, durable. The
  /// pieces stay valid until it returns.
  virtual Task<Result<>> write_and_sync(std::uint64_t position, std::vector<ByteView> pieces) = 0;

  /// Makes completed writes, and the length, durable (fdatasync). kIo: contents unknown from here on.
  virtual Task<Result<>> sync() = 0;

  /// Reads up to `into.size()` bytes at `position`; fewer only at the end of the file. `read` leaves the shard free
  /// while the device works; `read_now` blocks it, and is for start-up, offline tools and what is surely cached.
  virtual Task<Result<std::size_t>> read(std::uint64_t position, MutableBytes into) = 0;
  virtual Result<std::size_t> read_now(std::uint64_t position, MutableBytes into) = 0;

  /// Brings a range into the page cache without stopping the shard, so that sending it in the kernel does not wait for
  /// the device. Cheap where it is there already; pages may leave again. For at most a few MiB at a time. May be awaited on
  /// any shard: the connection that sends the file is often another's.
  virtual Task<Result<>> make_resident(std::uint64_t position, std::uint64_t bytes) {
    (void)position, (void)bytes;
    co_return Result<>();
  }

  virtual Result<std::uint64_t> size() = 0;
  virtual Task<Result<>> truncate(std::uint64_t size) = 0;

  /// Writes zeros over [0, size) and syncs, so that later writes and syncs there change no metadata.
  virtual Task<Result<>> fill_with_zeros(std::uint64_t size) = 0;

  virtual bool is_direct() const noexcept = 0;

  /// The descriptor, for sending a range to a socket in the kernel; -1 on a virtual disk.
  virtual int descriptor() const noexcept { return -1; }
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  std::uint64_t size = 0;  ///< bytes; 0 for directories
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< what this process may still use
};

/// Held while the process owns a directory; released on destruction, and by the system when the process dies.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

/// A node's file system, as one shard uses it. Paths are absolute or relative to the process (virtual: to the disk's root).
/// A created, renamed or removed name is durable only after `sync_directory` of its directory.
class Disk {
 public:
  virtual ~Disk() = default;

  virtual Task<Result<std::unique_ptr<File>>> open(std::string path, OpenOptions options) = 0;
  virtual Task<Result<>> rename(std::string from, std::string to) = 0;
  virtual Task<Result<>> remove(std::string path) = 0;            ///< a file; kNotFound
  virtual Task<Result<>> remove_directory(std::string path) = 0;  ///< an empty one
  virtual Task<Result<>> make_directories(std::string path) = 0;  ///< with its parents; fine if it exists. Not yet durable
  virtual Task<Result<>> sync_directory(std::string path) = 0;
  virtual Task<Result<std::vector<DirectoryEntry>>> list(std::string path) = 0;  ///< sorted by name
  virtual Task<Result<bool>> exists(std::string path) = 0;
  virtual Task<Result<DiskSpace>> space(std::string path) = 0;
  /// kLocked when another process holds it; the detail names that process where it can be known.
  virtual Task<Result<std::unique_ptr<DirectoryLock>>> lock_directory(std::string path) = 0;
};

}  // namespace pyralog::io
