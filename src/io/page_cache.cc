#include "io/page_cache.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/bytes.h"
#include "io/system_error.h"

namespace pyralog::io {
namespace {

constexpr std::uint64_t kProbeBytes = 64u << 10;
constexpr std::size_t kLoadBytes = 256u << 10;
constexpr long kCachestatCall = 451;  // the same number on every architecture; newer than Debian 12's headers

struct CachestatRange {
  std::uint64_t position;
  std::uint64_t bytes;
};
struct Cachestat {
  std::uint64_t cached_pages;
  std::uint64_t others[4];
};

bool probe(int fd, std::uint64_t position, std::uint64_t end) noexcept {
  for (std::uint64_t at = position; at < end; at = align_down(at, kProbeBytes) + kProbeBytes) {
    std::byte byte{};
    const iovec piece{.iov_base = &byte, .iov_len = 1};
    if (::preadv2(fd, &piece, 1, static_cast<off_t>(at), RWF_NOWAIT) != 1) return false;
  }
  return true;
}

}  // namespace

bool is_resident(int fd, std::uint64_t position, std::uint64_t end) noexcept {
  if (position >= end) return true;
  CachestatRange range{.position = position, .bytes = end - position};
  Cachestat found{};
  if (::syscall(kCachestatCall, fd, &range, &found, 0) != 0) return probe(fd, position, end);
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t pages = (align_up(end, page_bytes) - align_down(position, page_bytes)) / page_bytes;
  return found.cached_pages >= pages;
}

Result<> load_range(int fd, const std::string& path, std::uint64_t position, std::uint64_t end) {
  // The device gets the whole range to work on; the reading then waits for it piece by piece.
  ::posix_fadvise(fd, static_cast<off_t>(position), static_cast<off_t>(end - position), POSIX_FADV_WILLNEED);
  const auto scratch = std::make_unique_for_overwrite<std::byte[]>(kLoadBytes);
  while (position < end) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kLoadBytes, end - position));
    const ssize_t got = ::pread(fd, scratch.get(), want, static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "read", path);
    if (got == 0) break;
    position += static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace pyralog::io
