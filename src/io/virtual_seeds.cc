#include "io/virtual_seeds.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "core/assert.h"

namespace pyralog::io {
namespace {

/// The child's part: a byte into `report` after each good seed. Does not return.
[[noreturn]] void run_batch(std::uint64_t first, std::uint64_t end, std::chrono::seconds each, int report,
                            const std::function<bool(std::uint64_t)>& body) {
  for (std::uint64_t seed = first; seed < end; ++seed) {
    ::alarm(static_cast<unsigned>(each.count()));
    const bool ok = body(seed);
    ::alarm(0);
    std::fflush(nullptr);
    const char done = 1;
    if (!ok || ::write(report, &done, 1) != 1) ::_exit(1);
  }
  ::_exit(0);
}

/// Reads the child's report to its end: the number of good seeds.
std::uint64_t count_reported(int report) {
  std::uint64_t good = 0;
  char buffer[256];
  for (;;) {
    const ssize_t got = ::read(report, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return good;
    good += static_cast<std::uint64_t>(got);
  }
}

}  // namespace

std::vector<std::uint64_t> failing_seeds(SeedRange range, const std::function<bool(std::uint64_t)>& body) {
  std::vector<std::uint64_t> failing;
  if (const char* only = std::getenv("PYRALOG_SEED")) {
    const std::uint64_t seed = std::strtoull(only, nullptr, 10);
    if (!body(seed)) failing.push_back(seed);
    return failing;
  }
  const std::uint64_t end = range.first + range.count;
  for (std::uint64_t next = range.first; next < end;) {
    const std::uint64_t batch_end = std::min(end, next + std::max<std::uint64_t>(1, range.per_child));
    int pipe_ends[2];
    PYRALOG_ASSERT(::pipe(pipe_ends) == 0, "no pipe for a child process");
    std::fflush(nullptr);  // else the child would print it again
    const pid_t child = ::fork();
    PYRALOG_ASSERT(child >= 0, "no child process");
    if (child == 0) {
      ::close(pipe_ends[0]);
      run_batch(next, batch_end, range.each, pipe_ends[1], body);
    }
    ::close(pipe_ends[1]);
    next += count_reported(pipe_ends[0]);
    ::close(pipe_ends[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (next == batch_end) continue;
    std::fprintf(stderr, "failing seed %llu (%s %d); repeat with PYRALOG_SEED=%llu\n",
                 static_cast<unsigned long long>(next), WIFSIGNALED(status) ? "signal" : "exit",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), static_cast<unsigned long long>(next));
    failing.push_back(next++);
  }
  return failing;
}

SharedCounts::SharedCounts(std::size_t count) {
  const std::size_t bytes = count * sizeof(std::atomic<std::uint64_t>);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  PYRALOG_ASSERT(memory != MAP_FAILED, "out of memory");
  counts_ = {new (memory) std::atomic<std::uint64_t>[count]{}, count};
}

SharedCounts::~SharedCounts() { ::munmap(counts_.data(), counts_.size_bytes()); }

}  // namespace pyralog::io
