#include "io/virtual_disk.h"

#include <algorithm>
#include <cstring>

#include "io/virtual_file.h"
#include "io/virtual_world.h"

namespace pyralog::io {
namespace {

constexpr std::uint64_t kTraceFinish = 19;

std::uint64_t total_bytes(std::span<const ByteView> pieces) {
  std::uint64_t total = 0;
  for (ByteView piece : pieces) total += piece.size();
  return total;
}

}  // namespace

VirtualDisk::VirtualDisk(VirtualWorld& world, NodeId node, std::uint64_t seed)
    : world_(world), node_(node), random_(seed), root_(make_inode(true)) {}

VirtualDisk::~VirtualDisk() = default;

VirtualDisk::PlannedFaults& VirtualDisk::faults_of(std::string_view path) { return planned_[normal_path(path)]; }

bool VirtualDisk::take_fault(const std::string& path, unsigned PlannedFaults::*kind) {
  for (const std::string& key : {path, std::string()}) {
    const auto found = planned_.find(key);
    if (found == planned_.end() || found->second.*kind == 0) continue;
    --(found->second.*kind);
    return true;
  }
  return false;
}

std::int64_t VirtualDisk::take_misdirection(const std::string& path) {
  for (const std::string& key : {path, std::string()}) {
    const auto found = planned_.find(key);
    if (found == planned_.end() || found->second.misdirect == 0) continue;
    ++faults_.writes_misdirected;
    return std::exchange(found->second.misdirect, 0);
  }
  return 0;
}

void VirtualDisk::note_step() {
  ++steps_;
  if (crash_step_ != steps_) return;
  crash_step_.reset();
  world_.crash(node_, crash_mode_);
}

void VirtualDisk::crash_after_write(std::string_view path, CrashMode mode) {
  crash_after_.insert_or_assign(normal_path(path), mode);
}

void VirtualDisk::finish(std::uint64_t id) {
  const auto found = operations_.find(id);
  if (found == operations_.end()) return;  // the process died meanwhile
  DiskOperation* operation = found->second;
  operations_.erase(found);
  world_.trace(kTraceFinish, id);
  operation->effect_();
  note_step();
  operation->reactor_.complete(operation->handle_);
}

bool VirtualDisk::fits(const VirtualInode& inode, std::uint64_t end) {
  const std::uint64_t before = align_up(inode.cache.size(), kSpaceBlockBytes);
  const std::uint64_t after = align_up(end, kSpaceBlockBytes);
  if (after <= before || used_bytes_ + (after - before) <= options_.capacity_bytes) return true;
  ++faults_.writes_refused_full;
  return false;
}

void VirtualDisk::account(const VirtualInode& inode, std::uint64_t size_before) {
  if (!inode.linked) return;
  used_bytes_ += align_up(inode.cache.size(), kSpaceBlockBytes) - align_up(size_before, kSpaceBlockBytes);
}

void VirtualDisk::remember_write(VirtualInode& inode, std::uint64_t begin, std::uint64_t end, std::int64_t shift) {
  begin = align_down(begin, options_.sector_bytes);
  end = std::min<std::uint64_t>(align_up(end, options_.sector_bytes), inode.cache.size());
  VirtualChange change{.sequence = change_sequence_++, .begin = begin, .end = end, .shift = shift, .bytes = {}};
  change.bytes = inode.cache.bytes(begin, end - begin);
  inode.changes.push_back(std::move(change));
}

Result<> VirtualDisk::write(VirtualInode& inode, const std::string& path, std::uint64_t position,
                            std::span<const ByteView> pieces) {
  const std::uint64_t end = position + total_bytes(pieces);
  if (end == position) return {};
  if (take_fault(path, &PlannedFaults::writes)) {
    ++faults_.writes_failed;
    write_in_part(inode, position, pieces);
    return Error(ErrorCode::kIo, path + ": write failed");
  }
  if (!fits(inode, end)) return Error(ErrorCode::kNoSpace, path);
  const std::uint64_t size_before = inode.cache.size();
  std::uint64_t at = position;
  for (ByteView piece : pieces) {
    inode.cache.write(at, piece);
    at += piece.size();
  }
  account(inode, size_before);
  remember_write(inode, position, end, take_misdirection(path));
  if (const auto planned = crash_after_.find(path); planned != crash_after_.end()) {
    const CrashMode mode = planned->second;
    crash_never();
    world_.crash(node_, mode);
  }
  return {};
}

void VirtualDisk::write_in_part(VirtualInode& inode, std::uint64_t position, std::span<const ByteView> pieces) {
  const std::uint64_t total = total_bytes(pieces);
  // Nothing, all, or a prefix; or sectors in any combination, as a device does that reorders.
  const std::uint64_t way = random_.below(4);
  if (way == 0 || total == 0) return;
  const std::uint64_t limit = way == 1 ? total : random_.below(total + 1);
  const std::uint64_t sector = options_.sector_bytes;
  std::uint64_t at = position;
  for (ByteView piece : pieces) {
    while (!piece.empty()) {
      const std::uint64_t step = std::min<std::uint64_t>(piece.size(), sector - at % sector);
      const bool wanted = way == 3 ? random_.chance(1, 2) : at - position < limit;
      if (wanted && fits(inode, at + step)) {
        const std::uint64_t size_before = inode.cache.size();
        inode.cache.write(at, piece.first(step));
        account(inode, size_before);
        remember_write(inode, at, at + step, 0);
      }
      at += step;
      piece = piece.subspan(step);
    }
  }
}

Result<> VirtualDisk::write_zeros(VirtualInode& inode, const std::string& path, std::uint64_t size) {
  if (take_fault(path, &PlannedFaults::writes)) {
    ++faults_.writes_failed;
    return Error(ErrorCode::kIo, path + ": write failed");
  }
  if (!fits(inode, size)) return Error(ErrorCode::kNoSpace, path);
  const std::uint64_t size_before = inode.cache.size();
  inode.cache.write_zeros(0, size);
  account(inode, size_before);
  inode.changes.push_back(VirtualChange{.sequence = change_sequence_++, .end = size, .bytes = {}});
  return {};
}

void VirtualDisk::truncate(VirtualInode& inode, std::uint64_t size) {
  const std::uint64_t size_before = inode.cache.size();
  inode.cache.resize(size);
  account(inode, size_before);
  inode.changes.push_back(VirtualChange{.sequence = change_sequence_++, .is_truncation = true, .end = size, .bytes = {}});
}

namespace {

/// Does to `image` what a change that reached the device does.
void apply(const VirtualChange& change, SparseImage& image) {
  if (change.is_truncation) return image.resize(change.end);
  const std::int64_t to = static_cast<std::int64_t>(change.begin) + change.shift;
  if (to < 0) return;
  if (change.bytes.empty()) return image.write_zeros(static_cast<std::uint64_t>(to), change.end - change.begin);
  image.write(static_cast<std::uint64_t>(to), change.bytes);
}

}  // namespace

Result<> VirtualDisk::sync(VirtualInode& inode, const std::string& path, std::uint64_t change_end) {
  const auto covered_end = std::ranges::find_if(
      inode.changes, [&](const VirtualChange& change) { return change.sequence >= change_end; });
  const bool fails = take_fault(path, &PlannedFaults::syncs);
  if (fails) draw_temper();
  for (auto change = inode.changes.begin(); change != covered_end; ++change) {
    if (!fails) {
      apply(*change, inode.device);
    } else if (!change->is_truncation) {
      settle_write(inode, *change);
    } else if (random_.chance(1, 2)) {
      inode.device.resize(change->end);
    }
  }
  inode.changes.erase(inode.changes.begin(), covered_end);
  if (!fails) return {};
  ++faults_.syncs_failed;
  return Error(ErrorCode::kIo, path + ": sync failed");
}

void VirtualDisk::read_device(const VirtualInode& inode, std::uint64_t position, MutableBytes into) const {
  inode.device.read(position, into);
  const std::uint64_t end = position + into.size();
  for (const VirtualChange& change : inode.changes) {
    const auto shifted = [&](std::uint64_t at) {
      return static_cast<std::uint64_t>(std::max<std::int64_t>(0, static_cast<std::int64_t>(at) + change.shift));
    };
    const std::uint64_t from = std::max(position, change.is_truncation ? change.end : shifted(change.begin));
    const std::uint64_t to = change.is_truncation ? end : std::min(end, shifted(change.end));
    if (from >= to) continue;
    const MutableBytes part = into.subspan(from - position, to - from);
    if (change.is_truncation || change.bytes.empty()) {
      std::ranges::fill(part, std::byte{0});
    } else {
      std::memcpy(part.data(), change.bytes.data() + (from - shifted(change.begin)), part.size());
    }
  }
}

void VirtualDisk::flip_bit(std::string_view path, std::uint64_t bit_position) {
  VirtualInode& inode = file(path);
  const std::uint64_t at = bit_position / 8;
  PYRALOG_ASSERT(at < inode.cache.size(), "a bit behind the end of the file");
  for (SparseImage* image : {&inode.device, &inode.cache}) {
    if (at >= image->size()) continue;
    std::vector<std::byte> byte = image->bytes(at, 1);
    byte[0] ^= std::byte{1} << (bit_position % 8);
    image->write(at, byte);
  }
  for (VirtualChange& change : inode.changes) {
    if (change.bytes.empty() || at < change.begin || at >= change.end) continue;
    change.bytes[at - change.begin] ^= std::byte{1} << (bit_position % 8);
  }
  ++faults_.bits_flipped;
}

std::vector<std::byte> VirtualDisk::contents(std::string_view path) const {
  const VirtualInode& inode = file(path);
  return inode.cache.bytes(0, inode.cache.size());
}

std::vector<std::byte> VirtualDisk::device_contents(std::string_view path) const {
  const VirtualInode& inode = file(path);
  return inode.device.bytes(0, inode.device.size());
}

void VirtualDisk::overwrite(std::string_view path, std::uint64_t position, ByteView bytes) {
  const std::shared_ptr<VirtualInode> found = find(path);
  VirtualInode& inode = found != nullptr ? *found : *make_durable_file(path);
  const std::uint64_t size_before = inode.cache.size();
  inode.cache.write(position, bytes);
  inode.device.write(position, bytes);
  account(inode, size_before);
  // What was not synced would else come back over these bytes.
  for (VirtualChange& change : inode.changes) {
    if (change.is_truncation) continue;
    const std::uint64_t from = std::max(position, change.begin);
    const std::uint64_t to = std::min(position + bytes.size(), change.end);
    if (from >= to) continue;
    if (change.bytes.empty()) change.bytes.resize(change.end - change.begin);
    std::memcpy(change.bytes.data() + (from - change.begin), bytes.data() + (from - position), to - from);
  }
}

void VirtualDisk::resize(std::string_view path, std::uint64_t size) {
  VirtualInode& inode = file(path);
  const std::uint64_t size_before = inode.cache.size();
  inode.cache.resize(size);
  account(inode, size_before);
  inode.device = inode.cache;
  inode.changes.clear();
}

}  // namespace pyralog::io
