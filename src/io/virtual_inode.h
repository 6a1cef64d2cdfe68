#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/virtual_image.h"

namespace pyralog::io {

/// A completed write or truncation that no sync has covered. A write is kept as the whole sectors that the page cache
/// held after it, since that is what writing back would put on the device.
struct VirtualChange {
  std::uint64_t sequence = 0;
  bool is_truncation = false;
  std::uint64_t begin = 0;          // a sector's start (truncation: unused)
  std::uint64_t end = 0;            // exclusive: a sector's end or the file's (truncation: the new length)
  std::int64_t shift = 0;           // misdirected: where the device puts it, relative to `begin`
  std::vector<std::byte> bytes;     // of [begin, end); empty: zeros
};

/// A simulated file or directory: what the page cache shows, what the device has, and the changes between them.
struct VirtualInode {
  std::uint64_t id = 0;
  bool is_directory = false;
  bool linked = true;  // false: removed, and alive only through open files

  SparseImage cache;
  SparseImage device;
  std::vector<VirtualChange> changes;  // oldest first

  using Names = std::map<std::string, std::shared_ptr<VirtualInode>, std::less<>>;
  Names names;
  Names durable_names;
};

/// The names of a path, outermost first. "." and empty names are skipped.
std::vector<std::string> path_names(std::string_view path);

/// The path with single slashes and none at its ends, so that equal places have equal paths.
std::string normal_path(std::string_view path);

/// A completed change of names that no sync of its directory has covered: `name` of `directory` now means `inode` (null:
/// nothing). A rename also takes `from_name` away from `from_directory`, at the same moment.
struct NameChange {
  std::uint64_t sequence = 0;
  std::shared_ptr<VirtualInode> directory;
  std::string name;
  std::shared_ptr<VirtualInode> inode;
  std::shared_ptr<VirtualInode> from_directory;
  std::string from_name;

  void apply() const {
    if (inode != nullptr) {
      directory->durable_names[name] = inode;
    } else {
      directory->durable_names.erase(name);
    }
    if (from_directory == nullptr) return;
    const auto old = from_directory->durable_names.find(from_name);
    if (old != from_directory->durable_names.end() && old->second == inode) from_directory->durable_names.erase(old);
  }
};

}  // namespace pyralog::io
