#include <algorithm>
#include <functional>
#include <map>

#include "io/virtual_disk.h"
#include "io/virtual_file.h"
#include "io/virtual_world.h"

namespace pyralog::io {

void VirtualDisk::crash(CrashMode mode) {
  for (auto& [id, operation] : operations_) {
    if (operation->torn_ != nullptr) {
      (*operation->torn_)();
    } else if (random_.chance(1, 2)) {
      operation->effect_();
    }
    operation->refuse();
  }
  operations_.clear();
  locked_.clear();
  crash_never();
  if (mode != CrashMode::kKill) lose_power(mode);
}

void VirtualDisk::draw_temper() {
  // Each crash has its own odds: a uniform mix every time would hardly ever keep or lose all of a long write.
  for (std::uint64_t& weight : temper_) weight = random_.below(3);
  if (random_.chance(1, 6)) temper_[1] = temper_[2] = temper_[3] = 0;
  if (random_.chance(1, 6)) temper_[0] = temper_[2] = temper_[3] = 0;
  if (temper_[0] + temper_[1] == 0) temper_[random_.below(2)] = 1;
}

void VirtualDisk::lose_power(CrashMode mode) {
  draw_temper();
  settle_names();
  used_bytes_ = 0;
  std::vector<VirtualInode*> directories{root_.get()};
  while (!directories.empty()) {
    VirtualInode* directory = directories.back();
    directories.pop_back();
    directory->names = directory->durable_names;
    for (auto& [name, inode] : directory->names) {
      if (inode->is_directory) {
        directories.push_back(inode.get());
        continue;
      }
      settle_file(*inode, mode);
      inode->linked = true;
      used_bytes_ += align_up(inode->cache.size(), VirtualDisk::kSpaceBlockBytes);
    }
  }
}

void VirtualDisk::settle_names() {
  const std::uint64_t odds = random_.below(5);  // of 4 that a change is kept
  std::vector<bool> kept;
  for (std::size_t i = 0; i < name_changes_.size(); ++i) kept.push_back(random_.chance(odds, 4));
  commit_names(std::move(kept));
  faults_.names_undone += name_changes_.size();
  name_changes_.clear();
}

void VirtualDisk::settle_file(VirtualInode& inode, CrashMode mode) {
  const std::vector<VirtualChange> changes = std::exchange(inode.changes, {});
  for (const VirtualChange& change : changes) {
    if (!change.is_truncation) {
      settle_write(inode, change);
    } else if (random_.chance(1, 2)) {
      inode.device.resize(change.end);
    } else {
      ++faults_.truncations_undone;
    }
  }
  if (mode == CrashMode::kPowerLossDestroyingBlocks) destroy_blocks(inode, changes);
  inode.cache = inode.device;
}

void VirtualDisk::settle_write(VirtualInode& inode, const VirtualChange& change) {
  const std::int64_t to = static_cast<std::int64_t>(change.begin) + change.shift;
  if (to < 0) return;
  for (std::uint64_t at = change.begin; at < change.end; at += options_.sector_bytes) settle_sector(inode, change, at);
  // A length may be written back before the bytes it covers.
  const std::uint64_t end = static_cast<std::uint64_t>(to) + (change.end - change.begin);
  if (end > inode.device.size() && random_.chance(1, 4)) inode.device.resize(end);
}

void VirtualDisk::settle_sector(VirtualInode& inode, const VirtualChange& change, std::uint64_t begin) {
  const std::uint64_t bytes = std::min<std::uint64_t>(options_.sector_bytes, change.end - begin);
  const auto to = static_cast<std::uint64_t>(static_cast<std::int64_t>(begin) + change.shift);
  std::uint64_t draw = random_.below(temper_[0] + temper_[1] + temper_[2] + temper_[3]);
  std::size_t outcome = 0;
  while (draw >= temper_[outcome]) draw -= temper_[outcome++];
  switch (outcome) {
    case 0:
      if (change.bytes.empty()) return inode.device.write_zeros(to, bytes);
      return inode.device.write(to, ByteView(change.bytes).subspan(begin - change.begin, bytes));
    case 1:
      ++faults_.sectors_lost;
      return;
    case 2:
      ++faults_.sectors_zeroed;
      return inode.device.write_zeros(to, bytes);
    default: {
      ++faults_.sectors_garbled;
      std::vector<std::byte> garbage(bytes);
      for (std::byte& byte : garbage) byte = static_cast<std::byte>(random_.next());
      return inode.device.write(to, garbage);
    }
  }
}

void VirtualDisk::destroy_blocks(VirtualInode& inode, const std::vector<VirtualChange>& changes) {
  const std::uint64_t block = options_.block_bytes;
  std::map<std::uint64_t, bool> destroyed;  // by block start; false: spared
  for (const VirtualChange& change : changes) {
    if (change.is_truncation || change.shift != 0) continue;
    for (std::uint64_t at = align_down(change.begin, block); at < change.end; at += block) {
      if (!destroyed.contains(at)) destroyed.emplace(at, random_.chance(1, 3));
    }
  }
  for (const auto& [at, is_destroyed] : destroyed) {
    if (!is_destroyed || at >= inode.device.size()) continue;
    ++faults_.blocks_destroyed;
    std::vector<std::byte> garbage(std::min<std::uint64_t>(block, inode.device.size() - at));
    if (random_.chance(1, 2)) {
      for (std::byte& byte : garbage) byte = static_cast<std::byte>(random_.next());
    }
    inode.device.write(at, garbage);
  }
}

namespace {

using Copies = std::map<const VirtualInode*, std::shared_ptr<VirtualInode>>;

std::shared_ptr<VirtualInode> copy_inode(const std::shared_ptr<VirtualInode>& inode, Copies& copies) {
  if (inode == nullptr) return nullptr;
  std::shared_ptr<VirtualInode>& slot = copies[inode.get()];
  if (slot != nullptr) return slot;
  auto copy = std::make_shared<VirtualInode>(*inode);
  slot = copy;
  for (VirtualInode::Names* names : {&copy->names, &copy->durable_names}) {
    for (auto& [name, child] : *names) child = copy_inode(child, copies);
  }
  return copy;
}

std::vector<NameChange> copy_changes(const std::vector<NameChange>& changes, Copies& copies) {
  std::vector<NameChange> copied = changes;
  for (NameChange& change : copied) {
    change.directory = copy_inode(change.directory, copies);
    change.inode = copy_inode(change.inode, copies);
    change.from_directory = copy_inode(change.from_directory, copies);
  }
  return copied;
}

std::uint64_t space_of(const VirtualInode& directory) {
  std::uint64_t bytes = 0;
  for (const auto& [name, inode] : directory.names) {
    bytes += inode->is_directory ? space_of(*inode) : align_up(inode->cache.size(), VirtualDisk::kSpaceBlockBytes);
  }
  return bytes;
}

}  // namespace

VirtualDiskSnapshot VirtualDisk::snapshot() const {
  Copies copies;
  VirtualDiskSnapshot snapshot;
  snapshot.root_ = copy_inode(root_, copies);
  snapshot.name_changes_ = copy_changes(name_changes_, copies);
  return snapshot;
}

void VirtualDisk::restore(const VirtualDiskSnapshot& snapshot) {
  PYRALOG_ASSERT(operations_.empty(), "restoring a disk with operations under way");
  Copies copies;
  root_ = copy_inode(snapshot.root_, copies);
  name_changes_ = copy_changes(snapshot.name_changes_, copies);
  used_bytes_ = space_of(*root_);
}

}  // namespace pyralog::io
