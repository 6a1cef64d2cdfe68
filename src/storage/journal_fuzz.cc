// Damaged journals and checkpoints: a start must never crash, never show what was not written, and never lose what was
// proven without saying so.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/assert.h"
#include "core/checksum.h"
#include "io/virtual_world.h"
#include "storage/crash_faults.h"
#include "storage/checkpoint.h"
#include "storage/file_cache.h"

namespace {

using namespace pyralog;
using namespace pyralog::storage;
using crash::Bytes;
using crash::Model;
using crash::read_model;

constexpr NodeId kNode{1};

StoreOptions store_options() {
  StoreOptions options{.data_directory = "data", .geometry = crash::shrunk_geometry()};
  options.disk_uuid.bytes.fill(9);
  return options;
}

struct World {
  io::VirtualWorld world{1};
  io::VirtualReactor* reactor = &world.add_reactor(kNode, ShardId(0));
  io::VirtualDisk& disk = world.disk(kNode);

  World() {
    disk.options().sector_bytes = 8;
    disk.options().block_bytes = 64;
  }
};

struct Original {
  std::map<std::string, Bytes> files;
  std::vector<std::string> damaged;  // paths of journal files and checkpoints
  std::vector<Model> states;         // after each operation, oldest first
  RoundSequence proven;              // rounds up to here are behind the newest state
};

io::Task<> write_original(Original& original, const io::VirtualDisk& disk) {
  (void)co_await io::Reactor::current().disk().make_directories("data");
  FileCache files(8);
  auto opened = co_await ShardStore::open(store_options(), files);
  ShardStore& store = **opened;
  Random random(3);
  const auto note = [&] { original.states.push_back(read_model(store, disk)); };
  note();
  for (std::uint64_t incarnation = 11; incarnation <= 12; ++incarnation) {
    PartitionSpec spec{.incarnation = Incarnation(incarnation), .directory = "logs/l" + std::to_string(incarnation) + "/0"};
    PartitionFiles& partition = **(co_await store.create(std::move(spec)));
    note();
    for (int i = 0; i < 40; ++i) {
      const Bytes noise = crash::make_noise(random, 20 + 15 * static_cast<std::size_t>(i % 9));
      const Slice batch = crash::make_batch_of(noise, partition.log_end(), 1);
      if (i == 15) store.roll(partition);
      const auto header = record::BatchView::parse(batch.view()).value();
      (void)co_await store.wait_synced(store.append(partition, batch, header).value());
      note();
      const StateKey key{Incarnation(1), static_cast<std::uint64_t>(i % 3)};
      (void)co_await store.wait_synced(store.put_state(key, Slice::copy_of(noise)).value());
      note();
    }
    if (incarnation == 11) (void)co_await store.truncate(partition, Offset(15), {Offset(15), 0});
    if (incarnation == 12) (void)co_await store.set_start(partition, Offset(20), Offset(15));
    note();
  }
  original.proven = store.synced();
  co_await crash::let_time_pass(std::chrono::milliseconds(400));
  original.files = crash::all_contents(disk);
  (void)co_await store.close();
}

const Original& original() {
  static const Original made = [] {
    World world;
    Original writing;
    PYRALOG_ASSERT(world.world.try_run(*world.reactor, write_original(writing, world.disk)), "a store on a sound disk");
    for (const auto& [path, bytes] : writing.files) {
      if (!path.ends_with(".log")) writing.damaged.push_back(path);
    }
    return writing;
  }();
  return made;
}

struct Damage {
  std::size_t places = 0;
  bool is_forged = false;  ///< checksums were made right again
};

/// Makes the checksum right of what begins at `at`: a checkpoint, a journal file's header or a round.
void seal(Bytes& file, std::size_t at, bool is_checkpoint) {
  std::byte* const bytes = file.data() + at;
  const std::size_t room = file.size() - at;
  if (is_checkpoint) {
    namespace format = checkpoint_format;
    if (file.size() < format::kHeaderBytes) return;
    const auto length = load_little<std::uint64_t>(file.data() + format::kLengthAt);
    if (length < format::kHeaderBytes || length > file.size()) return;
    const ByteView covered = ByteView(file).subspan(format::kCoveredAt, length - format::kCoveredAt);
    store_little(file.data() + format::kCrcAt, crc32c(covered));
  } else if (room >= 64 && at < journal_format::kFileHeaderCopies * 64) {
    store_little(bytes + journal_format::kFileCrcAt, crc32c({bytes, journal_format::kFileCrcAt}));
  } else if (room >= journal_format::kRoundHeaderBytes) {
    RoundHeader header;
    header.count = load_little<std::uint32_t>(bytes + journal_format::kRoundCountAt);
    if (header.payload_place_min() > room) return;
    const std::size_t covered = header.payload_place_min() - journal_format::kRoundSaltAt;
    store_little(bytes + journal_format::kRoundCrcAt, crc32c({bytes + journal_format::kRoundSaltAt, covered}));
  }
}

/// Takes instructions of five bytes from `data`: what to do, with which file, where (two bytes), with what.
Damage damage(ByteView data, std::map<std::string, Bytes>& files) {
  Damage done;
  const std::vector<std::string>& paths = original().damaged;
  for (; data.size() >= 5; data = data.subspan(5)) {
    const std::string& path = paths[static_cast<std::size_t>(data[1]) % paths.size()];
    Bytes& file = files[path];
    const std::size_t at = load_little<std::uint16_t>(data.data() + 2);
    if (at >= file.size()) continue;
    const std::size_t block = at / 64 * 64;
    switch (static_cast<unsigned>(data[0]) % 4) {
      case 0: file[at] ^= data[4]; break;
      case 1: file.resize(at); break;
      case 2: {  // a block that lies elsewhere
        const Bytes& from = original().files.at(paths[static_cast<std::size_t>(data[4]) % paths.size()]);
        const std::size_t count = std::min<std::size_t>(64, std::min(file.size(), from.size()) - std::min(block, from.size()));
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(std::min(block, from.size())), count,
                    file.begin() + static_cast<std::ptrdiff_t>(block));
        break;
      }
      default:
        seal(file, block, path.ends_with(".checkpoint"));
        done.is_forged = true;
        break;
    }
    ++done.places;
  }
  return done;
}

io::Task<> start_damaged(Damage damage, const io::VirtualDisk& disk, bool& ended) {
  FileCache files(8);
  auto opened = co_await ShardStore::open(store_options(), files);
  ended = true;
  if (!opened.ok()) co_return;
  ShardStore& store = **opened;
  const Model found = read_model(store, disk);
  const std::vector<Model>& states = original().states;
  if (!damage.is_forged) {
    PYRALOG_ASSERT(std::ranges::find(states, found) != states.end(), "a state that never was");
    PYRALOG_ASSERT(damage.places > 1 || found == states.back(), "one damaged place takes proven rounds away");
    PYRALOG_ASSERT(damage.places > 1 || store.synced() >= original().proven, "round numbers go back");
  }
  // And life goes on, or is refused; a forged directory may be a name that no file can have.
  const Result<RoundSequence> put = store.put_state({Incarnation(2), 0}, Slice::copy_of(as_bytes("on")));
  if (put.ok()) (void)co_await store.wait_synced(*put);
  (void)co_await store.close();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::map<std::string, Bytes> files = original().files;
  const Damage done = damage(std::as_bytes(std::span(data, std::min<std::size_t>(size, 40))), files);
  World world;
  for (const auto& [path, bytes] : files) world.disk.overwrite(path, 0, bytes);
  bool ended = false;
  const bool whole = world.world.try_run(*world.reactor, start_damaged(done, world.disk, ended));
  PYRALOG_ASSERT(ended, "a start that never ends");
  PYRALOG_ASSERT(whole, "a store that does not stop");
  return 0;
}
