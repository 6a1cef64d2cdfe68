#include <algorithm>
#include <set>

#include "io/virtual_disk.h"

namespace pyralog::io {

std::vector<std::string> path_names(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (!name.empty() && name != ".") names.emplace_back(name);
  }
  return names;
}

std::string normal_path(std::string_view path) {
  std::string normal;
  for (const std::string& name : path_names(path)) {
    if (!normal.empty()) normal += '/';
    normal += name;
  }
  return normal;
}

std::shared_ptr<VirtualInode> VirtualDisk::find(std::string_view path) const {
  std::shared_ptr<VirtualInode> inode = root_;
  for (const std::string& name : path_names(path)) {
    const auto found = inode->names.find(name);
    if (found == inode->names.end()) return nullptr;
    inode = found->second;
  }
  return inode;
}

VirtualInode& VirtualDisk::file(std::string_view path) const {
  const std::shared_ptr<VirtualInode> inode = find(path);
  PYRALOG_ASSERT(inode != nullptr && !inode->is_directory, "a test names a file that is not on the virtual disk");
  return *inode;
}

Result<VirtualDisk::Place> VirtualDisk::place_of(std::string_view path) const {
  std::vector<std::string> names = path_names(path);
  if (names.empty()) return Error(ErrorCode::kInvalidArgument, "the root directory");
  Place place{.directory = root_, .name = std::move(names.back())};
  names.pop_back();
  for (const std::string& name : names) {
    const auto found = place.directory->names.find(name);
    if (found == place.directory->names.end()) return Error(ErrorCode::kNotFound, std::string(path));
    place.directory = found->second;
    if (!place.directory->is_directory) return Error(ErrorCode::kInvalidArgument, std::string(path) + ": not a directory");
  }
  return place;
}

std::shared_ptr<VirtualInode> VirtualDisk::make_inode(bool is_directory) {
  auto inode = std::make_shared<VirtualInode>();
  inode->id = inode_sequence_++;
  inode->is_directory = is_directory;
  return inode;
}

std::shared_ptr<VirtualInode> VirtualDisk::make_durable_file(std::string_view path) {
  std::shared_ptr<VirtualInode> inode = root_;
  const std::vector<std::string> names = path_names(path);
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::shared_ptr<VirtualInode>& slot = inode->names[names[i]];
    if (slot == nullptr) slot = make_inode(i + 1 < names.size());
    inode->durable_names[names[i]] = slot;
    inode = slot;
  }
  return inode;
}

void VirtualDisk::change_name(NameChange change) {
  change.sequence = change_sequence_++;
  if (change.inode != nullptr) {
    change.directory->names[change.name] = change.inode;
  } else {
    change.directory->names.erase(change.name);
  }
  if (change.from_directory != nullptr) change.from_directory->names.erase(change.from_name);
  name_changes_.push_back(std::move(change));
}

void VirtualDisk::release_space(const std::shared_ptr<VirtualInode>& inode) {
  if (inode->is_directory || !inode->linked) return;
  used_bytes_ -= align_up(inode->cache.size(), kSpaceBlockBytes);
  inode->linked = false;
}

Result<std::shared_ptr<VirtualInode>> VirtualDisk::open_name(const std::string& path, const OpenOptions& options) {
  PYRALOG_ASSIGN(const Place place, place_of(path));
  const auto found = place.directory->names.find(place.name);
  if (found != place.directory->names.end()) {
    if (options.existence == Existence::kMustCreate) return Error(ErrorCode::kAlreadyExists, path);
    if (found->second->is_directory) return Error(ErrorCode::kInvalidArgument, path + ": a directory");
    return found->second;
  }
  if (options.existence == Existence::kMustExist) return Error(ErrorCode::kNotFound, path);
  auto inode = make_inode(false);
  change_name(NameChange{.directory = place.directory, .name = place.name, .inode = inode, .from_directory = nullptr,
                         .from_name = {}});
  return inode;
}

Result<> VirtualDisk::rename(const std::string& from, const std::string& to) {
  PYRALOG_ASSIGN(const Place source, place_of(from));
  PYRALOG_ASSIGN(const Place target, place_of(to));
  const auto found = source.directory->names.find(source.name);
  if (found == source.directory->names.end()) return Error(ErrorCode::kNotFound, from);
  const std::shared_ptr<VirtualInode> inode = found->second;
  const auto replaced = target.directory->names.find(target.name);
  if (replaced != target.directory->names.end()) {
    if (replaced->second == inode) return {};
    if (replaced->second->is_directory != inode->is_directory || !replaced->second->names.empty()) {
      return Error(ErrorCode::kAlreadyExists, to);
    }
    release_space(replaced->second);
  }
  change_name(NameChange{.directory = target.directory, .name = target.name, .inode = inode,
                         .from_directory = source.directory, .from_name = source.name});
  return {};
}

Result<> VirtualDisk::remove(const std::string& path, bool is_directory) {
  PYRALOG_ASSIGN(const Place place, place_of(path));
  const auto found = place.directory->names.find(place.name);
  if (found == place.directory->names.end()) return Error(ErrorCode::kNotFound, path);
  if (found->second->is_directory != is_directory) {
    return Error(ErrorCode::kInvalidArgument, path + (is_directory ? ": not a directory" : ": a directory"));
  }
  if (!found->second->names.empty()) return Error(ErrorCode::kInvalidArgument, path + ": directory not empty");
  release_space(found->second);
  change_name(NameChange{.directory = place.directory, .name = place.name, .inode = nullptr, .from_directory = nullptr,
                         .from_name = {}});
  return {};
}

Result<> VirtualDisk::make_directories(const std::string& path) {
  std::shared_ptr<VirtualInode> directory = root_;
  for (const std::string& name : path_names(path)) {
    const auto found = directory->names.find(name);
    if (found != directory->names.end()) {
      directory = found->second;
      if (!directory->is_directory) return Error(ErrorCode::kInvalidArgument, path + ": not a directory");
      continue;
    }
    auto inode = make_inode(true);
    change_name(NameChange{.directory = directory, .name = name, .inode = inode, .from_directory = nullptr,
                           .from_name = {}});
    directory = inode;
  }
  return {};
}

Result<std::vector<DirectoryEntry>> VirtualDisk::list(const std::string& path) const {
  const std::shared_ptr<VirtualInode> directory = find(path);
  if (directory == nullptr) return Error(ErrorCode::kNotFound, path);
  if (!directory->is_directory) return Error(ErrorCode::kInvalidArgument, path + ": not a directory");
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, inode] : directory->names) {
    entries.push_back(DirectoryEntry{.name = name, .is_directory = inode->is_directory, .size = inode->cache.size()});
  }
  return entries;
}

void VirtualDisk::commit_names(std::vector<bool> wanted) {
  // A directory's block holds the newest state of a name, and an inode has one place: neither can lag behind.
  std::set<const VirtualInode*> inodes;
  std::set<std::pair<const VirtualInode*, std::string>> places;
  for (std::size_t i = name_changes_.size(); i-- > 0;) {
    const NameChange& change = name_changes_[i];
    const std::pair<const VirtualInode*, std::string> place(change.directory.get(), change.name);
    const std::pair<const VirtualInode*, std::string> old_place(change.from_directory.get(), change.from_name);
    if (!wanted[i]) {
      wanted[i] = inodes.contains(change.inode.get()) || places.contains(place) || places.contains(old_place);
    }
    if (!wanted[i]) continue;
    if (change.inode != nullptr) inodes.insert(change.inode.get());
    places.insert(place);
    if (change.from_directory != nullptr) places.insert(old_place);
  }
  std::vector<NameChange> left;
  for (std::size_t i = 0; i < name_changes_.size(); ++i) {
    if (wanted[i]) {
      name_changes_[i].apply();
    } else {
      left.push_back(std::move(name_changes_[i]));
    }
  }
  name_changes_ = std::move(left);
}

Result<> VirtualDisk::sync_names(const std::string& path, std::uint64_t change_end) {
  const std::shared_ptr<VirtualInode> directory = find(path);
  if (directory == nullptr) return Error(ErrorCode::kNotFound, path);
  const bool fails = take_fault(normal_path(path), &PlannedFaults::syncs);
  const auto covered = [&](const NameChange& change) {
    return change.sequence < change_end && (change.directory == directory || change.from_directory == directory);
  };
  std::vector<bool> wanted;
  for (const NameChange& change : name_changes_) wanted.push_back(covered(change) && (!fails || random_.chance(1, 2)));
  commit_names(std::move(wanted));
  if (!fails) return {};
  // What was not written stays to be written: unlike with a file's pages, a file system does not forget changes of its own
  // structure, or it stops altogether.
  ++faults_.syncs_failed;
  return Error(ErrorCode::kIo, path + ": sync failed");
}

void VirtualDisk::erase(std::string_view path) {
  const Result<Place> place = place_of(path);
  PYRALOG_ASSERT(place.ok() && find(path) != nullptr, "a test erases what is not on the virtual disk");
  release_space(find(path));
  place->directory->names.erase(place->name);
  place->directory->durable_names.erase(place->name);
}

namespace {

void collect(const VirtualInode& directory, VirtualInode::Names VirtualInode::*which, const std::string& prefix,
             std::vector<std::string>& into) {
  for (const auto& [name, inode] : directory.*which) {
    if (inode->is_directory) {
      collect(*inode, which, prefix + name + "/", into);
    } else {
      into.push_back(prefix + name);
    }
  }
}

}  // namespace

std::vector<std::string> VirtualDisk::files() const {
  std::vector<std::string> paths;
  collect(*root_, &VirtualInode::names, "", paths);
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> VirtualDisk::durable_files() const {
  std::vector<std::string> paths;
  collect(*root_, &VirtualInode::durable_names, "", paths);
  std::ranges::sort(paths);
  return paths;
}

}  // namespace pyralog::io
