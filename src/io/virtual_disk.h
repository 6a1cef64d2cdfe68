#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "io/disk.h"
#include "io/virtual_inode.h"

namespace pyralog::io {

class VirtualReactor;
class VirtualWorld;
class DiskOperation;

/// What a node's death leaves of what it had not synced.
enum class CrashMode : std::uint8_t {
  kKill,       ///< the process dies: the page cache survives; an operation under way happened in part, whole or not at all
  kPowerLoss,  ///< each unsynced sector is kept, lost, zeroed or garbled; unsynced names and lengths may vanish
  kPowerLossDestroyingBlocks,  ///< the same; blocks that hold an unsynced sector may be destroyed whole
};

struct LatencyRange {
  Duration min, max;
};

struct VirtualDiskOptions {
  std::uint32_t sector_bytes = 512;  ///< what a crash keeps or loses as one; alignment of direct files
  std::uint32_t block_bytes = 4096;  ///< what a power cut may destroy whole
  std::uint64_t capacity_bytes = std::uint64_t{1} << 40;
  bool grants_direct = true;  ///< false: direct opens become cached ones, as on file systems without O_DIRECT
  LatencyRange write{std::chrono::microseconds(10), std::chrono::microseconds(200)};
  LatencyRange sync{std::chrono::microseconds(50), std::chrono::milliseconds(2)};
  LatencyRange read{std::chrono::microseconds(20), std::chrono::microseconds(300)};
  LatencyRange name{std::chrono::microseconds(5), std::chrono::microseconds(100)};  ///< open, rename, list, ...
};

/// How often each fault was really applied.
struct VirtualDiskFaults {
  std::uint64_t syncs_failed = 0;
  std::uint64_t reads_failed = 0;
  std::uint64_t writes_failed = 0;
  std::uint64_t writes_misdirected = 0;
  std::uint64_t writes_refused_full = 0;
  std::uint64_t bits_flipped = 0;
  std::uint64_t sectors_lost = 0, sectors_zeroed = 0, sectors_garbled = 0;
  std::uint64_t blocks_destroyed = 0;
  std::uint64_t names_undone = 0, truncations_undone = 0;
};

/// The state of a disk at one moment. Copies are cheap: they share pages.
class VirtualDiskSnapshot {
  friend class VirtualDisk;
  std::shared_ptr<VirtualInode> root_;
  std::vector<NameChange> name_changes_;
};

/// A node's file system, with a page cache over a device. It outlives the node's processes.
///
/// Writes, lengths and names are volatile until a sync that was called after they completed. Reads of cached files see
/// everything; reads of direct files see what the device returns: the same, except where a sync failed (the cache then
/// looks clean and the device has anything) or a block rotted or was misdirected. Nothing else lies.
///
/// A *step* is the start or the end of an operation that takes time, or an operation in line; `crash_at_step` ends the
/// node there. Numbers of steps are the same in every run of one seed until something differs.
class VirtualDisk {
 public:
  static constexpr std::uint64_t kSpaceBlockBytes = 4096;  // space is taken in these

  VirtualDisk(VirtualWorld& world, NodeId node, std::uint64_t seed);
  VirtualDisk(const VirtualDisk&) = delete;
  ~VirtualDisk();

  /// May be changed at any time.
  VirtualDiskOptions& options() noexcept { return options_; }
  const VirtualDiskFaults& faults() const noexcept { return faults_; }

  // Faults. A path names a file (or directory, for syncs), also one to come; "" is whichever comes first. They wait until
  // they happen, also over a crash.
  /// The sync fails once, with the contents of the device undefined; later ones succeed and repair nothing.
  void fail_next_sync(std::string_view path, unsigned count = 1) { faults_of(path).syncs += count; }
  void fail_next_read(std::string_view path, unsigned count = 1) { faults_of(path).reads += count; }
  /// Any part of what was to be written may be there.
  void fail_next_write(std::string_view path, unsigned count = 1) { faults_of(path).writes += count; }
  /// The device puts the next write `shift` bytes away (a multiple of the sector); the cache does not know.
  void misdirect_next_write(std::string_view path, std::int64_t shift) { faults_of(path).misdirect = shift; }
  void clear_faults() { planned_.clear(); }
  /// Rot: flips a bit (0 = lowest of the first byte) on the device and, as if the page had been read again, in the cache.
  void flip_bit(std::string_view path, std::uint64_t bit_position);

  // Crash points.
  std::uint64_t steps() const noexcept { return steps_; }
  /// Crashes the node when `steps()` becomes `step`.
  void crash_at_step(std::uint64_t step, CrashMode mode) { crash_step_ = step, crash_mode_ = mode; }
  void crash_never() { crash_step_.reset(), crash_after_.clear(); }
  /// Crashes the node when the next write to the file is complete and nothing has synced it.
  void crash_after_write(std::string_view path, CrashMode mode);

  // Direct access for tests, past all faults and without time.
  bool has(std::string_view path) const { return find(path) != nullptr; }
  std::vector<std::byte> contents(std::string_view path) const;         ///< as a cached read sees it
  std::vector<std::byte> device_contents(std::string_view path) const;  ///< what is durable
  /// Replaces bytes, durably and everywhere; creates the file and its directories when absent.
  void overwrite(std::string_view path, std::uint64_t position, ByteView bytes);
  void resize(std::string_view path, std::uint64_t size);
  void erase(std::string_view path);
  std::vector<std::string> files() const;          ///< all paths, sorted
  std::vector<std::string> durable_files() const;  ///< those that a power loss cannot take away
  std::uint64_t used_bytes() const noexcept { return used_bytes_; }

  VirtualDiskSnapshot snapshot() const;
  /// Only while no process of the node runs.
  void restore(const VirtualDiskSnapshot& snapshot);

  // For the other parts of the simulation.
  std::unique_ptr<Disk> door(VirtualReactor& reactor);
  void crash(CrashMode mode);

 private:
  friend class VirtualDoor;
  friend class VirtualFile;
  friend class VirtualLock;
  friend class DiskOperation;
  struct PlannedFaults {
    unsigned syncs = 0, reads = 0, writes = 0;
    std::int64_t misdirect = 0;
  };
  struct Place {
    std::shared_ptr<VirtualInode> directory;
    std::string name;
  };

  // virtual_disk.cc
  PlannedFaults& faults_of(std::string_view path);
  bool take_fault(const std::string& path, unsigned PlannedFaults::*kind);
  std::int64_t take_misdirection(const std::string& path);
  void note_step();
  void finish(std::uint64_t operation);
  Duration latency(LatencyRange range) {
    return Duration(static_cast<Duration::rep>(random_.between(static_cast<std::uint64_t>(range.min.count()),
                                                               static_cast<std::uint64_t>(range.max.count()))));
  }
  Result<> write(VirtualInode& inode, const std::string& path, std::uint64_t position, std::span<const ByteView> pieces);
  void write_in_part(VirtualInode& inode, std::uint64_t position, std::span<const ByteView> pieces);
  Result<> write_zeros(VirtualInode& inode, const std::string& path, std::uint64_t size);
  void truncate(VirtualInode& inode, std::uint64_t size);
  Result<> sync(VirtualInode& inode, const std::string& path, std::uint64_t change_end);
  void read_device(const VirtualInode& inode, std::uint64_t position, MutableBytes into) const;
  bool fits(const VirtualInode& inode, std::uint64_t end);
  void account(const VirtualInode& inode, std::uint64_t size_before);
  void remember_write(VirtualInode& inode, std::uint64_t begin, std::uint64_t end, std::int64_t shift);

  // virtual_names.cc
  std::shared_ptr<VirtualInode> find(std::string_view path) const;
  VirtualInode& file(std::string_view path) const;
  Result<Place> place_of(std::string_view path) const;
  std::shared_ptr<VirtualInode> make_inode(bool is_directory);
  std::shared_ptr<VirtualInode> make_durable_file(std::string_view path);
  Result<std::shared_ptr<VirtualInode>> open_name(const std::string& path, const OpenOptions& options);
  Result<> rename(const std::string& from, const std::string& to);
  Result<> remove(const std::string& path, bool is_directory);
  Result<> make_directories(const std::string& path);
  Result<> sync_names(const std::string& path, std::uint64_t change_end);
  Result<std::vector<DirectoryEntry>> list(const std::string& path) const;
  void change_name(NameChange change);
  /// Makes the wanted changes durable, and with each those it builds on: earlier ones of the same name or inode.
  void commit_names(std::vector<bool> wanted);
  void release_space(const std::shared_ptr<VirtualInode>& inode);

  // virtual_crash.cc
  void lose_power(CrashMode mode);
  void settle_names();
  void settle_file(VirtualInode& inode, CrashMode mode);
  void settle_write(VirtualInode& inode, const VirtualChange& change);
  void settle_sector(VirtualInode& inode, const VirtualChange& change, std::uint64_t begin);
  void destroy_blocks(VirtualInode& inode, const std::vector<VirtualChange>& changes);
  void draw_temper();

  VirtualWorld& world_;
  NodeId node_;
  Random random_;
  VirtualDiskOptions options_;
  VirtualDiskFaults faults_;
  std::map<std::string, PlannedFaults> planned_;
  std::shared_ptr<VirtualInode> root_;
  std::vector<NameChange> name_changes_;  // completed, not durable, oldest first
  std::uint64_t change_sequence_ = 0;
  std::uint64_t inode_sequence_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t steps_ = 0;
  std::optional<std::uint64_t> crash_step_;
  CrashMode crash_mode_{};
  std::map<std::string, CrashMode> crash_after_;  // by the path that is written
  std::map<std::uint64_t, DiskOperation*> operations_;  // under way, by start
  std::uint64_t operation_sequence_ = 0;
  std::set<std::string> locked_;
  std::uint64_t temper_[4] = {1, 1, 1, 1};  // of one crash: weights of kept, lost, zeroed, garbled
};

}  // namespace pyralog::io
