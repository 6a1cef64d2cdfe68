// Damaged segments, indexes, snapshots and states: reading them must never crash and never show what was not written.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/assert.h"
#include "core/checksum.h"
#include "io/virtual_world.h"
#include "storage/log_check.h"
#include "storage/log_dump.h"
#include "storage/log_fixture.h"
#include "storage/log_state.h"
#include "storage/log_walk.h"
#include "storage/segment_index.h"

namespace {

using namespace pyralog;
using namespace pyralog::storage;

constexpr Offset kBase{100};

struct Original {
  std::vector<std::byte> log, sparse, times;
  std::vector<SegmentMark> batches;
  Offset end;
};

io::Task<Result<std::unique_ptr<io::File>>> open_file(std::string path) {
  const io::OpenOptions options{.existence = io::Existence::kMayCreate};
  co_return co_await io::Reactor::current().disk().open(std::move(path), options);
}

struct World {
  io::VirtualWorld world{1};
  io::VirtualReactor& reactor = world.add_reactor(NodeId(1), ShardId(0));
  io::VirtualDisk& disk = world.disk(NodeId(1));

  World() { PYRALOG_ASSERT(world.run(reactor, reactor.disk().make_directories("log")).ok(), "an empty disk"); }
  SharedFile open(FileKind kind) { return SharedFile(world.run(reactor, open_file(file_path("log", kBase, kind))).value()); }
};

/// A sealed segment of 60 batches; more than one index block would only slow the fuzzer down.
Original make_original() {
  World world;
  Original original;
  SegmentIndex index(kBase, {kBase, 0});
  Offset offset = kBase;
  for (int i = 0; i < 60; ++i) {
    const auto codec = static_cast<record::Codec>(i % 5);
    const auto bytes = fixture::make_batch({.base = offset.value,
                                            .records = 1 + i % 4,
                                            .value_bytes = 40u + 97u * (i % 9),
                                            .timestamp = 1000 + i * 7,
                                            .epoch = 1 + i / 20,
                                            .codec = codec});
    const auto view = record::BatchView::parse(bytes).value();
    index.note(view, original.log.size());
    original.batches.push_back({offset, original.log.size()});
    original.log.insert(original.log.end(), bytes.begin(), bytes.end());
    offset = view.end_offset();
  }
  original.end = offset;
  const SharedFile sparse = world.open(FileKind::kIndex), times = world.open(FileKind::kTimeIndex);
  world.reactor.enter([&] {
    const SegmentSummary summary{kBase, offset, original.log.size(), index.peak(), WallTime{1}};
    PYRALOG_ASSERT(index.seal(*sparse, *times, summary).ok(), "sealing");
  });
  original.sparse = world.disk.contents(file_path("log", kBase, FileKind::kIndex));
  original.times = world.disk.contents(file_path("log", kBase, FileKind::kTimeIndex));
  return original;
}

/// Takes instructions from `data`: file, position, byte; each changes one byte or cuts the file there.
void damage(ByteView data, std::vector<std::byte>* (&files)[3]) {
  while (data.size() >= 4) {
    auto& file = *files[static_cast<std::size_t>(data[0]) % 3];
    const std::size_t position = load_little<std::uint16_t>(data.data() + 1);
    const bool cuts = (static_cast<unsigned>(data[0]) & 0x40) != 0;
    if (position < file.size()) {
      if (cuts) {
        file.resize(position);
      } else {
        file[position] ^= data[3];
      }
    }
    data = data.subspan(4);
  }
}

bool is_mark(const Original& original, const SegmentMark& mark) {
  return std::ranges::any_of(original.batches, [&mark](const SegmentMark& batch) {
    return batch.offset == mark.offset && batch.position == mark.position;
  });
}

/// What a walk shows was written: same place, same bytes but for the 17 that the checksum does not cover.
void check_walk(const Original& original, World& world) {
  BatchVisitor visitor = [&original](const record::BatchView& batch, std::uint64_t position) {
    const bool known =
        std::ranges::any_of(original.batches, [position](const SegmentMark& b) { return b.position == position; });
    PYRALOG_ASSERT(known, "a batch where none was written");
    const ByteView before = ByteView(original.log).subspan(position + record::format::kCrcAt);
    const ByteView now = batch.bytes().subspan(record::format::kCrcAt);
    PYRALOG_ASSERT(now.size() <= before.size() && std::ranges::equal(now, before.first(now.size())), "a batch never written");
    return true;
  };
  const auto walked =
      world.world.run(world.reactor, walk_segment(world.open(FileKind::kLog), kBase, kNoLeaderEpoch, std::move(visitor)));
  PYRALOG_ASSERT(walked.ok(), "walking a file that can be read");
}

/// Indexes are caches: with a sound segment, whatever they hold, look-ups are right.
void check_index(const Original& original, World& world) {
  SegmentIndex index(kBase, {original.end, original.log.size()});
  SegmentSource source(world.open(FileKind::kLog), kBase);
  const SharedFile sparse = world.open(FileKind::kIndex), times = world.open(FileKind::kTimeIndex);
  const bool is_sound = world.disk.contents(file_path("log", kBase, FileKind::kLog)) == original.log;
  const auto completed = world.world.run(world.reactor, index.complete(std::move(source), sparse, times));
  PYRALOG_ASSERT(completed.ok() || !is_sound, "an index is rebuilt from a sound segment");
  if (!completed.ok()) return;
  for (const SegmentMark& batch : original.batches) {
    const auto mark = world.world.run(world.reactor, index.find({.offset_max = batch.offset}, sparse));
    PYRALOG_ASSERT(mark.ok(), "a completed index answers");
    PYRALOG_ASSERT(mark->offset <= batch.offset, "a look-up goes too far");
    if (is_sound) PYRALOG_ASSERT(is_mark(original, *mark), "a look-up ends where no batch begins");
    const auto time = world.world.run(world.reactor, index.find_time(WallTime{batch.offset.value}, times));
    PYRALOG_ASSERT(time.ok(), "a completed index answers");
  }
}

/// True if nothing is damaged but leader epochs: these lie outside the checksum, and only their order can be checked.
bool differs_in_epochs_only(const Original& original, std::vector<std::byte> log) {
  if (log.size() != original.log.size()) return false;
  for (const SegmentMark& batch : original.batches) {
    const auto at = static_cast<std::ptrdiff_t>(batch.position + record::format::kLeaderEpochAt);
    std::copy_n(original.log.begin() + at, sizeof(LeaderEpoch::rep), log.begin() + at);
  }
  return log == original.log;
}

void check_files(ByteView data) {
  static const Original original = make_original();
  Original damaged = original;
  std::vector<std::byte>* files[3] = {&damaged.log, &damaged.sparse, &damaged.times};
  damage(data, files);
  World world;
  world.disk.overwrite(file_path("log", kBase, FileKind::kLog), 0, damaged.log);
  world.disk.overwrite(file_path("log", kBase, FileKind::kIndex), 0, damaged.sparse);
  world.disk.overwrite(file_path("log", kBase, FileKind::kTimeIndex), 0, damaged.times);
  check_walk(original, world);
  check_index(original, world);
  const auto report = world.world.run(world.reactor, check_log("log", LogBounds{original.end, original.log.size()}));
  PYRALOG_ASSERT(report.ok(), "a directory that can be read is checked");
  PYRALOG_ASSERT(!report->is_sound() || differs_in_epochs_only(original, damaged.log), "damage to a log is found");
  const DumpOptions options{.begin = Offset(), .end = Offset(INT64_MAX), .records = true};
  PYRALOG_ASSERT(world.world.run(world.reactor, dump_log("log", options, [](std::string_view) {})).ok(), "dumping");
}

void check_decoders(ByteView data) {
  ByteView rest = data;
  const auto state = LogState::decode(rest);
  if (state.ok()) {
    std::vector<std::byte> again;
    state->encode(again);
    const ByteView taken = data.first(data.size() - rest.size());
    PYRALOG_ASSERT(std::ranges::equal(again, taken), "a state has one encoding");
  }
  const auto snapshot = ProducerSnapshot::decode(data);
  if (snapshot.ok()) PYRALOG_ASSERT(std::ranges::equal(snapshot->encode(), data), "a snapshot has one encoding");
  (void)IndexBlockView<SparseEntry>::parse(data, kBase);
  (void)IndexBlockView<TimeEntry>::parse(data, kBase);
  (void)decode_index_header<SparseEntry>(data, kBase);
  (void)parse_file_name(as_text(data));
}

/// The same behind checksums that are right, so that what follows them is reached.
void check_sealed(ByteView data) {
  namespace format = log_format::snapshot;
  std::vector<std::byte> snapshot = ProducerSnapshot{}.encode();
  snapshot.resize(format::kHeaderBytes);
  snapshot.insert(snapshot.end(), data.begin(), data.end());
  store_little(snapshot.data() + format::kCrcAt, std::uint32_t{0});
  store_little(snapshot.data() + format::kCrcAt, crc32c(snapshot));
  const auto decoded = ProducerSnapshot::decode(snapshot);
  if (decoded.ok()) PYRALOG_ASSERT(decoded->encode() == snapshot, "a snapshot has one encoding");

  namespace block_format = log_format::index;
  IndexBlock block{};
  std::copy_n(data.begin(), std::min(data.size(), block.size() - block_format::kBlockKindAt),
              block.begin() + block_format::kBlockKindAt);
  store_little(block.data() + block_format::kBlockBaseAt, kBase.value);
  store_little(block.data(), crc32c(ByteView(block).subspan(block_format::kBlockKindAt)));
  const auto view = IndexBlockView<SparseEntry>::parse(block, kBase);
  if (view.ok()) (void)view->find({.offset_max = kBase});
}

}  // namespace

/// First byte: 0 takes the rest as damage to a segment's files, 1 as bytes for every decoder, 2 as bytes behind a checksum.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 3) {
    case 0: check_files(bytes.first(std::min<std::size_t>(bytes.size(), 64))); break;
    case 1: check_decoders(bytes); break;
    default: check_sealed(bytes); break;
  }
  return 0;
}
