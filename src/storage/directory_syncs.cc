#include "storage/directory_syncs.h"

#include "io/disk.h"

namespace pyralog::storage {

io::Task<Result<>> DirectorySyncs::sync(std::string path) {
  const auto place = rounds_.try_emplace(path).first;  // stays where it is while it has users
  Round& round = place->second;
  ++round.users;
  const std::uint64_t wanted = round.started + 1;  // one that is under way may have missed the name
  while (round.ended < wanted) {
    if (round.started == round.ended) {
      ++round.started;
      round.last = co_await disk_.sync_directory(path);
      ++round.ended;
      round.waiting.notify_all();
    } else {
      (void)co_await round.waiting.wait();
    }
  }
  // Still of the sync that was waited for: who is woken runs before the next one can have ended.
  Result<> outcome = round.last;
  if (--round.users == 0) rounds_.erase(path);
  co_return outcome;
}

}  // namespace pyralog::storage
