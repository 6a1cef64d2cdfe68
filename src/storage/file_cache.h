#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/ids.h"
#include "core/result.h"
#include "io/disk.h"
#include "io/task.h"
#include "storage/file_names.h"

namespace pyralog::storage {

/// An open file that others may use too; it stays open at least as long as somebody holds this.
using SharedFile = std::shared_ptr<io::File>;

struct FileKey {
  Incarnation partition;
  Offset offset;
  FileKind kind = FileKind::kLog;
  Edition edition = 0;
  friend bool operator==(const FileKey&, const FileKey&) = default;
};

/// The open files of one shard's partitions, cached and open for reading and writing. Beyond its bound, the longest
/// unused one is closed. Files in use do not count as unused, so the bound is exceeded while more are in use: opening a log
/// never fails for it (the process keeps three quarters of its descriptors out of these caches).
class FileCache {
 public:
  explicit FileCache(std::size_t descriptors_max) : descriptors_max_(descriptors_max) {}
  FileCache(const FileCache&) = delete;

  /// The bound of one shard's cache: min(limits::kDescriptorsCachedMax, process_limit / 4), divided among the shards.
  static std::size_t descriptors_max_for(std::uint64_t process_limit, std::size_t shard_count) noexcept;

  /// The file, if it is open. Counts as a use.
  SharedFile find(const FileKey& key);

  /// The file, opened if it is not: `path` is file_path of the partition's directory and `key`. Errors: those of Disk::open.
  io::Task<Result<SharedFile>> open(FileKey key, std::string path, io::Existence existence = io::Existence::kMustExist);

  /// Drops the file, which is about to be removed or replaced: later calls open it anew. Those who hold it keep the old one.
  void forget(const FileKey& key);
  void forget_partition(Incarnation partition);
  void clear();

  std::size_t size() const noexcept { return entries_.size(); }
  std::uint64_t opened_count() const noexcept { return opened_count_; }

 private:
  struct Entry {
    FileKey key;
    SharedFile file;
  };
  using Entries = std::list<Entry>;  // most recently used first
  struct KeyHash {
    std::size_t operator()(const FileKey& key) const noexcept;
  };
  void shrink();

  Entries entries_;
  std::unordered_map<FileKey, Entries::iterator, KeyHash> by_key_;
  std::size_t descriptors_max_;
  std::uint64_t opened_count_ = 0;
  std::uint64_t forgotten_count_ = 0;
};

}  // namespace pyralog::storage
