#include "storage/file_cache.h"

#include <algorithm>

#include "core/limits.h"
#include "io/reactor.h"

namespace pyralog::storage {

std::size_t FileCache::KeyHash::operator()(const FileKey& key) const noexcept {
  std::uint64_t z = key.partition.value * 0x9E3779B97F4A7C15ull;
  z ^= (static_cast<std::uint64_t>(key.offset.value) << 2) + static_cast<std::uint64_t>(key.kind);
  z += std::uint64_t{key.edition} << 48;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  return z ^ (z >> 27);
}

std::size_t FileCache::descriptors_max_for(std::uint64_t process_limit, std::size_t shard_count) noexcept {
  const std::uint64_t all = std::min<std::uint64_t>(limits::kDescriptorsCachedMax, process_limit / 4);
  return std::max<std::size_t>(static_cast<std::size_t>(all) / std::max<std::size_t>(shard_count, 1), 1);
}

SharedFile FileCache::find(const FileKey& key) {
  const auto at = by_key_.find(key);
  if (at == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, at->second);
  return at->second->file;
}

io::Task<Result<SharedFile>> FileCache::open(FileKey key, std::string path, io::Existence existence) {
  if (SharedFile file = find(key)) co_return file;
  const std::uint64_t forgotten_before = forgotten_count_;
  io::OpenOptions options{.access = io::Access::kReadWrite, .existence = existence, .caching = io::Caching::kCached};
  PYRALOG_CO_ASSIGN(std::unique_ptr<io::File> opened, co_await io::Reactor::current().disk().open(std::move(path), options));
  ++opened_count_;
  if (SharedFile file = find(key)) co_return file;  // somebody else was quicker
  SharedFile file = std::move(opened);
  // What was forgotten meanwhile may be this very file, on its way out: it is not for later callers.
  if (forgotten_count_ != forgotten_before) co_return file;
  entries_.push_front({key, file});
  by_key_.emplace(key, entries_.begin());
  shrink();
  co_return file;
}

void FileCache::forget(const FileKey& key) {
  ++forgotten_count_;
  const auto at = by_key_.find(key);
  if (at == by_key_.end()) return;
  entries_.erase(at->second);
  by_key_.erase(at);
}

void FileCache::forget_partition(Incarnation partition) {
  ++forgotten_count_;
  for (auto at = entries_.begin(); at != entries_.end();) {
    if (at->key.partition != partition) {
      ++at;
      continue;
    }
    by_key_.erase(at->key);
    at = entries_.erase(at);
  }
}

void FileCache::clear() {
  ++forgotten_count_;
  by_key_.clear();
  entries_.clear();
}

void FileCache::shrink() {
  for (auto at = entries_.end(); entries_.size() > descriptors_max_ && at != entries_.begin();) {
    --at;
    if (at->file.use_count() > 1) continue;
    by_key_.erase(at->key);
    at = entries_.erase(at);
  }
}

}  // namespace pyralog::storage
