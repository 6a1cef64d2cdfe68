#pragma once

#include <string>
#include <unordered_map>

#include "core/result.h"
#include "io/sync.h"
#include "io/task.h"

namespace pyralog::io {
class Disk;
}

namespace pyralog::storage {

/// Syncs directories, one sync at a time for each: whoever asks during a sync shares the next one with all who ask until
/// then. So a thousand names that are made in one directory at once cost two syncs of it, not a thousand.
class DirectorySyncs {
 public:
  explicit DirectorySyncs(io::Disk& disk) : disk_(disk) {}
  DirectorySyncs(const DirectorySyncs&) = delete;

  /// Every name made or removed in the directory before the call is durable. kNotFound: there is no such directory.
  io::Task<Result<>> sync(std::string path);

 private:
  /// One directory while somebody waits for it.
  struct Round {
    std::uint64_t started = 0, ended = 0;  // syncs
    Result<> last;                         // how the newest that ended went
    std::size_t users = 0;
    io::WaitList waiting;
  };

  io::Disk& disk_;
  std::unordered_map<std::string, Round> rounds_;
};

}  // namespace pyralog::storage
