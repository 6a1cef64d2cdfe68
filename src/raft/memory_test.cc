#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "raft/transcript.h"

namespace {

std::size_t bytes_in_use = 0;  // this program has one thread

void* counted(std::size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  bytes_in_use += malloc_usable_size(memory);
  return memory;
}
void uncounted(void* memory) noexcept {
  if (memory != nullptr) bytes_in_use -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes); }
void* operator new[](std::size_t bytes) { return counted(bytes); }
void operator delete(void* memory) noexcept { uncounted(memory); }
void operator delete[](void* memory) noexcept { uncounted(memory); }
void operator delete(void* memory, std::size_t) noexcept { uncounted(memory); }
void operator delete[](void* memory, std::size_t) noexcept { uncounted(memory); }

namespace pyralog::raft {
namespace {

constexpr std::size_t kGroups = 10'000;
constexpr std::size_t kGroupBytesMax = 1'024;

void exchange(Group& a, Group& b) {
  for (bool more = true; more;) {
    more = false;
    for (Group* group : {&a, &b}) {
      Output out = group->take_output();
      if (out.persist) group->persisted(out.persist->id, {});
      more |= out.persist.has_value();
      for (const Message& message : out.messages) {
        Group& to = message.to == a.self() ? a : b;
        if (message.to == to.self()) ASSERT_TRUE(to.step(message, {}).ok());
        more = true;
      }
    }
  }
}

/// A leader and a follower of three, with three entries of 64 bytes behind the snapshot and nothing going on.
TEST(RaftMemory, AnIdleGroupCostsLessThanAKilobyte) {
  const GroupOptions options;
  std::vector<std::unique_ptr<Group>> groups;
  groups.reserve(2 * kGroups);
  const std::size_t before = bytes_in_use;
  for (std::size_t i = 0; i < kGroups; ++i) {
    for (const char name : {'A', 'B'}) {
      Restored restored;
      restored.snapshot.configuration = std::make_shared<const Configuration>(Transcript::configuration("ABC"));
      auto opened = Group::open(options, Transcript::id(name), std::move(restored), Random(i), {});
      ASSERT_TRUE(opened.ok());
      groups.push_back(std::move(*opened));
    }
    Group& leader = *groups[2 * i];
    leader.suspect(Transcript::id('C'), {});
    ASSERT_TRUE(leader.stand({}).ok());
    exchange(leader, *groups[2 * i + 1]);
    for (int entry = 0; entry < 2; ++entry) ASSERT_TRUE(leader.propose(Transcript::payload(std::string(64, 'x')), {}).ok());
    exchange(leader, *groups[2 * i + 1]);
    ASSERT_EQ(leader.commit(), RaftIndex(3));
    ASSERT_FALSE(groups[2 * i + 1]->next_deadline().has_value());
  }
  const std::size_t bytes = (bytes_in_use - before) / (2 * kGroups);
  std::printf("[          ] %zu bytes a replica, %zu of them the group itself\n", bytes, sizeof(Group));
  EXPECT_LT(bytes, kGroupBytesMax);
  EXPECT_GT(bytes, sizeof(Group));
}

}  // namespace
}  // namespace pyralog::raft
