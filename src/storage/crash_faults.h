#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/sync.h"
#include "io/virtual_disk.h"
#include "storage/crash_model.h"
#include "storage/journal_format.h"

/// What the disk, and clients with bad intentions, do to a store in the crash simulation.
namespace pyralog::storage::crash {

/// What a run leans towards, besides crashes. Drawn from the seed.
enum class Emphasis : std::uint8_t {
  kAppends,      ///< small batches, no bypass
  kBypass,       ///< large runs, so that bodies are everywhere
  kRemovals,     ///< deletions right behind large runs
  kCheckpoints,  ///< crashes while a checkpoint is being written
  kFailedSyncs,  ///< syncs that fail and leave a cache that looks clean
  kRot,          ///< flipped bits in what was durable
  kForgery,      ///< clients that send journal rounds as payload
  kCompaction,   ///< segments that are written anew
};
inline constexpr std::uint64_t kEmphases = 8;

/// How often a run met what it is there for, so that runs can be shown to cover it.
struct Coverage {
  std::uint64_t bypassed_bytes = 0, images = 0;
  std::uint64_t stopped_by_syncs = 0;          ///< lives that a failed sync ended
  std::uint64_t rot_survived = 0, rot_named = 0;  ///< flipped bits that changed nothing, or were called corruption
  std::uint64_t forged = 0;
  std::uint64_t compacted = 0;                 ///< segments that gave way to others
};

/// Virtual time, that is.
inline io::Task<> let_time_pass(Duration time) {
  io::AbortSource never;  // in the frame, which a crash leaves alone
  (void)co_await io::sleep_for(time, never);
}

inline std::map<std::string, Bytes> all_contents(const io::VirtualDisk& disk) {
  std::map<std::string, Bytes> all;
  for (const std::string& path : disk.files()) all[path] = disk.contents(path);
  return all;
}

inline std::vector<std::string> files_that_end(const io::VirtualDisk& disk, std::string_view suffix) {
  std::vector<std::string> paths = disk.files();
  std::erase_if(paths, [&](const std::string& path) { return !path.ends_with(suffix); });
  return paths;
}

/// The next sync of some file of the store, or of the directory that it is in, fails.
inline void plan_failed_sync(io::VirtualDisk& disk, Random& random) {
  constexpr std::string_view kSuffixes[] = {".journal", ".journal", ".checkpoint", ".log", ".log"};
  const auto paths = files_that_end(disk, kSuffixes[random.below(std::size(kSuffixes))]);
  if (paths.empty()) return;
  const std::string& path = paths[random.below(paths.size())];
  disk.fail_next_sync(random.chance(1, 5) ? path.substr(0, path.rfind('/')) : path);
}

/// One flipped bit in a file of the store.
struct FlippedBit {
  std::string path;
  std::uint64_t bit = 0;
  bool is_lost = false;  ///< the whole file is gone instead

  void apply(io::VirtualDisk& disk) const {
    if (is_lost) return disk.erase(path);
    disk.flip_bit(path, bit);
  }
  bool in_journal() const { return path.ends_with(".journal"); }
  bool in_segment() const { return path.ends_with(".log"); }
  /// One of the two copies of a journal file's header: recovery has the other one.
  bool in_file_header(std::uint64_t block_bytes) const {
    return in_journal() && !is_lost && bit / 8 < journal_format::kFileHeaderCopies * block_bytes;
  }

  /// The journal file that the newest rounds are in, unless it is the first that has any: until the first checkpoint that
  /// knows of a round, its loss looks like a store that was never used.
  static std::optional<FlippedBit> newest_journal(const io::VirtualDisk& disk) {
    std::optional<FlippedBit> newest;
    RoundSequence first;
    int files = 0;
    for (const std::string& path : files_that_end(disk, ".journal")) {
      const Bytes file = disk.contents(path);
      const auto header = JournalFileHeader::decode(ByteView(file).first(std::min<std::size_t>(file.size(), 64)));
      if (!header.ok()) continue;
      ++files;
      if (header->first > first) newest = {.path = path, .is_lost = true}, first = header->first;
    }
    return files > 1 ? newest : std::nullopt;
  }

  /// A bit of any file, with the same odds for each kind; nothing while there are no files with bytes.
  static std::optional<FlippedBit> draw(const io::VirtualDisk& disk, Random& random, std::uint64_t block_bytes) {
    constexpr std::string_view kSuffixes[] = {".journal", ".journal", ".checkpoint", ".log"};
    if (random.chance(1, 8)) return newest_journal(disk);
    const std::uint64_t kind = random.below(std::size(kSuffixes));
    const std::vector<std::string> paths = files_that_end(disk, kSuffixes[kind]);
    if (paths.empty()) return std::nullopt;
    FlippedBit flipped{paths[random.below(paths.size())], 0};
    std::uint64_t bytes = disk.contents(flipped.path).size();
    // One kind in four has the headers to itself, which would else hardly ever be hit.
    if (kind == 0) bytes = std::min(bytes, journal_format::kFileHeaderCopies * block_bytes);
    if (bytes == 0) return std::nullopt;
    flipped.bit = random.below(bytes * 8);
    return flipped;
  }
};

/// A client that knows the journal's format and where its next batch will lie, and has seen journal files of before: it
/// sends a round of its own as payload. It cannot know the salt of the file that is being written.
class Forger {
 public:
  explicit Forger(const RoundBounds& bounds) : bounds_(bounds) {}

  struct Forgery {
    std::string path;   ///< of the file that the batch will go to
    Bytes payload;
  };

  /// Nothing if no salt is known yet.
  std::optional<Forgery> make(const io::VirtualDisk& disk, Random& random) {
    std::optional<JournalFileHeader> current;
    Forgery forgery;
    std::vector<std::pair<std::string, std::uint64_t>> salts;
    for (const std::string& path : files_that_end(disk, ".journal")) {
      const Bytes file = disk.contents(path);
      const auto header = JournalFileHeader::decode(ByteView(file).first(std::min<std::size_t>(file.size(), 64)));
      if (!header.ok()) continue;
      salts.emplace_back(path, header->salt);
      if (current.has_value() && current->first > header->first) continue;
      current = *header;
      forgery.path = path;
    }
    if (!current.has_value()) return std::nullopt;
    for (const auto& [path, salt] : salts) {
      if (path != forgery.path) seen_.insert(salt);
    }
    if (seen_.empty()) return std::nullopt;
    const Bytes file = disk.contents(forgery.path);
    RoundHeader next = walk(file, *current);
    auto salt = seen_.begin();
    std::advance(salt, static_cast<std::ptrdiff_t>(random.below(seen_.size())));
    next.salt = *salt;
    next.sequence.value += random.between(1, 6);
    next.position += kPlace;
    next.length = 2 * bounds_.block_bytes;
    next.count = 1;
    const Descriptor empty{.kind = RoundKind::kEmpty};
    forgery.payload.resize(kPlace - kPayloadPlace + next.payload_place_min());
    encode_round(next, std::span(&empty, 1), MutableBytes(forgery.payload).subspan(kPlace - kPayloadPlace));
    return forgery;
  }

 private:
  /// In a round of one batch: header and descriptor, then the batch, whose payload follows its header. The forged round
  /// begins with the next block.
  static constexpr std::uint64_t kPayloadPlace =
      journal_format::kRoundHeaderBytes + journal_format::kDescriptorBytes + record::format::kHeaderBytes;
  static constexpr std::uint64_t kPlace = (kPayloadPlace + 63) / 64 * 64;

  /// The round that comes next in the file.
  RoundHeader walk(const Bytes& file, const JournalFileHeader& header) const {
    RoundHeader next{.salt = header.salt, .sequence = header.first,
                     .position = journal_format::kFileHeaderCopies * bounds_.block_bytes};
    while (next.position < file.size()) {
      const auto round = peek_round(ByteView(file).subspan(next.position), header.salt, next.position, bounds_);
      if (!round.ok() || round->sequence != next.sequence) break;
      next.position += round->length;
      next.sequence.value += 1;
    }
    return next;
  }

  RoundBounds bounds_;
  std::set<std::uint64_t> seen_;  // salts of files that were no longer written to
};

}  // namespace pyralog::storage::crash
