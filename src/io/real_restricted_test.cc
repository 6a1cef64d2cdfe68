#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "core/slice.h"
#include "io/disk.h"
#include "io/real_runtime.h"
#include "io/real_test_support.h"
#include "io/sync.h"

/// What is left where the system forbids or lacks things, as containers and older kernels do.
namespace pyralog::io {
namespace {

using testing::TemporaryDirectory;

constexpr std::uint32_t kCachestatCall = 451;

/// Makes `call` fail with `error` in this process from here on. False if that is not possible here.
bool forbid(std::uint32_t call, std::uint32_t error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = 4, .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

int in_child(int (*function)(const TemporaryDirectory&)) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) std::_Exit(function(directory));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Task<int> use_files_and_timers(std::string path) {
  const OpenOptions create{.existence = Existence::kMustCreate};
  auto file = co_await Reactor::current().disk().open(path, create);
  if (!file.ok()) co_return 10;
  const Slice data = Slice::copy_of(as_bytes("some bytes"));
  std::vector<ByteView> pieces{data.view()};
  if (!(co_await (*file)->write_and_sync(0, std::move(pieces))).ok()) co_return 11;
  if (!(co_await (*file)->make_resident(0, data.size())).ok()) co_return 12;
  Slice back = Slice::allocate(data.size());
  const auto got = co_await (*file)->read(0, back.mutable_view());
  if (!got.ok() || as_text(back.view()) != "some bytes") co_return 13;
  AbortSource never;
  const Duration delay = std::chrono::microseconds(2500);
  const MonotonicTime start = Reactor::current().now();
  co_await sleep_for(delay, never);
  co_return Reactor::current().now() - start >= delay ? 0 : 14;
}

int without_ring(const TemporaryDirectory& directory) {
  if (!forbid(SYS_io_uring_setup, EPERM)) return 1;
  auto runtime = RealRuntime::create({.shards = 2});
  if (!runtime.ok()) return 2;
  if ((*runtime)->disk_backend() != "posix (io_uring: Operation not permitted)") return 3;
  return (*runtime)->run(use_files_and_timers(directory.file("f")));
}

int on_older_kernel(const TemporaryDirectory& directory) {
  if (!forbid(SYS_epoll_pwait2, ENOSYS) || !forbid(kCachestatCall, ENOSYS) || !forbid(SYS_preadv2, ENOSYS)) return 1;
  auto runtime = RealRuntime::create({.shards = 1});
  if (!runtime.ok()) return 2;
  return (*runtime)->run(use_files_and_timers(directory.file("f")));
}

TEST(Restricted, HelpersStandInWhereTheRingIsForbidden) { EXPECT_EQ(in_child(without_ring), 0); }

TEST(Restricted, OlderKernelsLackSomeCalls) { EXPECT_EQ(in_child(on_older_kernel), 0); }

}  // namespace
}  // namespace pyralog::io
