#include "storage/journal_format.h"

#include <gtest/gtest.h>

#include <cstring>

#include <fstream>

#include "storage/checkpoint.h"
#include "storage/partition_ledger.h"
#include "storage/replay.h"

namespace pyralog::storage {
namespace {

constexpr RoundBounds kBounds{.block_bytes = 512, .round_bytes_max = 16u << 20, .file_bytes = 64u << 20};
constexpr std::uint64_t kSalt = 0x1122334455667788;
constexpr std::uint64_t kFirstRoundAt = 1024;

std::string golden(const char* name) {
  std::ifstream file(std::string(PYRALOG_TESTDATA "/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Uuid golden_disk() {
  Uuid disk;
  for (std::size_t i = 0; i < disk.bytes.size(); ++i) disk.bytes[i] = static_cast<std::uint8_t>(i + 1);
  return disk;
}

struct GoldenRound {
  RoundHeader header;
  std::vector<Descriptor> descriptors;
  ByteView bytes;

  std::string_view payload(std::size_t i) const {
    return as_text(bytes.subspan(descriptors[i].place, descriptors[i].length));
  }
};

GoldenRound read_round(ByteView file, std::uint64_t position) {
  const auto header = peek_round(file.subspan(position), kSalt, position, kBounds).value();
  const ByteView bytes = file.subspan(position, header.length);
  GoldenRound round{header, decode_descriptors(header, bytes).value(), bytes};
  EXPECT_TRUE(verify_payloads(round.descriptors, bytes).ok());
  return round;
}

/// The round once more, from what was read of it.
std::vector<std::byte> encode_again(const GoldenRound& round) {
  std::vector<std::byte> bytes(round.header.length);
  encode_round(round.header, round.descriptors, bytes);
  for (const Descriptor& descriptor : round.descriptors) {
    if (!descriptor.has_payload()) continue;
    std::ranges::copy(round.bytes.subspan(descriptor.place, descriptor.length), bytes.begin() + descriptor.place);
  }
  return bytes;
}

TEST(JournalFormat, GoldenFileHeaderStillReads) {
  const std::string file = golden("journal_v1.journal");
  const JournalFileHeader header{.disk = golden_disk(), .shard = ShardId(3), .generation = 2, .salt = kSalt,
                                 .first = RoundSequence(41), .block_bytes = 512};
  std::vector<std::byte> bytes(512);
  header.encode(bytes);
  for (const std::size_t copy : {0u, 1u}) {
    const std::string_view block = std::string_view(file).substr(copy * 512, 512);
    EXPECT_EQ(JournalFileHeader::decode(as_bytes(block)).value(), header);
    EXPECT_EQ(as_text(bytes), block);
  }
}

TEST(JournalFormat, GoldenRoundsStillRead) {
  const std::string file = golden("journal_v1.journal");
  const GoldenRound first = read_round(as_bytes(file), kFirstRoundAt);
  EXPECT_EQ(first.header.sequence, RoundSequence(41));
  ASSERT_EQ(first.descriptors.size(), 9u);
  const auto expect = [&](std::size_t i, RoundKind kind, std::uint64_t incarnation, LogPosition at) {
    EXPECT_EQ(first.descriptors[i].kind, kind) << i;
    EXPECT_EQ(first.descriptors[i].incarnation, Incarnation(incarnation)) << i;
    EXPECT_EQ(first.descriptors[i].at, at) << i;
  };
  expect(0, RoundKind::kCreate, 9, {});
  EXPECT_EQ(first.descriptors[0].value, 7);
  EXPECT_EQ(first.payload(0), as_text(encode_create("logs/orders/3", DurabilityClass::kDurable, {})));
  expect(1, RoundKind::kImage, 9, {Offset(0), 512});
  EXPECT_EQ(first.payload(1), "the start of a block");
  expect(2, RoundKind::kData, 9, {Offset(0), 532});
  EXPECT_TRUE(first.descriptors[2].is_batch);
  EXPECT_EQ(record::BatchView::parse(as_bytes(first.payload(2))).value().base_offset(), Offset(7));
  expect(3, RoundKind::kData, 10, {Offset(4), 100});
  EXPECT_EQ(first.payload(3), "a head");
  expect(4, RoundKind::kBody, 10, {Offset(4), 512});
  EXPECT_EQ(first.descriptors[4].length, 1024u);
  EXPECT_EQ(first.descriptors[4].payload_crc, 0xCAFEu);
  expect(5, RoundKind::kTruncate, 11, {Offset(20), 61});
  EXPECT_EQ(first.descriptors[5].value, 25);
  expect(6, RoundKind::kStart, 12, {Offset(4), 0});
  ByteView state = as_bytes(first.payload(6));
  EXPECT_EQ(first.payload(6), as_text(encode_start(LogState::decode(state).value(), Offset(0), Offset(0))));
  expect(7, RoundKind::kState, 1, {Offset(0), 6});
  EXPECT_EQ(first.payload(7), "term 8");
  expect(8, RoundKind::kDelete, 13, {});
  EXPECT_EQ(as_text(encode_again(first)), as_text(first.bytes));

  const GoldenRound second = read_round(as_bytes(file), kFirstRoundAt + first.header.length);
  EXPECT_EQ(second.header.sequence, RoundSequence(42));
  ASSERT_EQ(second.descriptors.size(), 1u);
  EXPECT_EQ(second.descriptors[0].kind, RoundKind::kEmpty);
  EXPECT_EQ(as_text(encode_again(second)), as_text(second.bytes));
}

TEST(JournalFormat, GoldenPartitionStillReads) {
  const std::string file = golden("journal_v1.journal");
  std::uint64_t position = kFirstRoundAt;
  for (int i = 0; i < 2; ++i) position += read_round(as_bytes(file), position).header.length;
  const GoldenRound round = read_round(as_bytes(file), position);
  EXPECT_EQ(round.header.sequence, RoundSequence(43));
  EXPECT_EQ(position + round.header.length, file.size());
  ASSERT_EQ(round.descriptors.size(), 1u);
  EXPECT_EQ(round.descriptors[0].kind, RoundKind::kPartition);
  EXPECT_EQ(round.descriptors[0].incarnation, Incarnation(14));
  ByteView bytes = as_bytes(round.payload(0));
  const CheckpointPartition read = decode_partition(bytes).value();
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(read.incarnation, Incarnation(14));
  EXPECT_EQ(read.redo, PartitionEntry::kNoRedo);
  EXPECT_EQ(read.durability, DurabilityClass::kCached);
  EXPECT_EQ(read.directory, "logs/clicks/0");
  EXPECT_EQ(read.cached->scan_from, (LogPosition{Offset(4), 64}));
  EXPECT_EQ(read.cached->solid_end, (LogPosition{Offset(4), 0}));
  EXPECT_EQ(as_text(encode_again(round)), as_text(round.bytes));

  const std::string state = golden("log_state_v1.bin");
  const PartitionEntry entry{.incarnation = read.incarnation, .redo = read.redo, .start = read.start,
                             .durability = read.durability, .directory = read.directory, .bounds = read.cached_bounds,
                             .segments = read.segments, .cached = read.cached, .state = as_bytes(state)};
  std::vector<std::byte> again;
  entry.encode(again);
  EXPECT_EQ(as_text(again), round.payload(0));
}

TEST(JournalFormat, RefusesEveryFlippedBitThatMatters) {
  const std::string file = golden("journal_v1.journal");
  const GoldenRound round = read_round(as_bytes(file), kFirstRoundAt);
  std::vector<bool> covered(round.header.length);
  std::fill_n(covered.begin(), round.header.payload_place_min(), true);
  for (const Descriptor& descriptor : round.descriptors) {
    if (descriptor.has_payload()) std::fill_n(covered.begin() + descriptor.place, descriptor.length, true);
  }
  for (std::size_t bit = 0; bit < round.bytes.size() * 8; ++bit) {
    std::vector<std::byte> damaged(round.bytes.begin(), round.bytes.end());
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    const auto header = peek_round(damaged, kSalt, kFirstRoundAt, kBounds);
    // A length that rot has changed shows at the CRC, if the bytes are there at all.
    const auto descriptors = header.ok() ? decode_descriptors(*header, damaged) : header.error();
    const bool good = descriptors.ok() && verify_payloads(*descriptors, damaged).ok();
    EXPECT_EQ(good, !covered[bit / 8]) << "bit " << bit;
  }
  for (std::size_t bit = 0; bit < 64 * 8; ++bit) {
    std::string damaged = file.substr(0, 512);
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(JournalFileHeader::decode(as_bytes(damaged)).error(), ErrorCode::kCorrupt) << "bit " << bit;
  }
}

StoreOptions golden_options() {
  StoreOptions options;
  options.disk_uuid = golden_disk();
  options.shard = ShardId(3);
  options.generation = 2;
  options.geometry.block_bytes = 512;
  return options;
}

TEST(JournalFormat, TheSuccessorMarkIsAsDocumented) {
  const SuccessorMark mark{.salt = 0x1122334455667788, .number = 7, .first = RoundSequence(1000)};
  constexpr unsigned char kBytes[] = {0x50, 0x4e, 0x58, 0x54, 0xe0, 0xb7, 0xcd, 0x04, 0x88, 0x77, 0x66,
                                      0x55, 0x44, 0x33, 0x22, 0x11, 7,    0,    0,    0,    0,    0,
                                      0,    0,    0xe8, 0x03, 0,    0,    0,    0,    0,    0};
  std::vector<std::byte> bytes(64);
  mark.encode(bytes);
  ASSERT_EQ(std::memcmp(bytes.data(), kBytes, sizeof kBytes), 0);
  EXPECT_EQ(SuccessorMark::decode(bytes, mark.salt), mark);
  EXPECT_EQ(SuccessorMark::decode(bytes, mark.salt + 1), std::nullopt) << "of an earlier use of the file";
  EXPECT_EQ(SuccessorMark::decode(ByteView(bytes).first(sizeof kBytes - 1), mark.salt), std::nullopt);
  for (std::size_t bit = 0; bit < 8 * sizeof kBytes; ++bit) {
    bytes[bit / 8] ^= std::byte(1u << bit % 8);
    EXPECT_EQ(SuccessorMark::decode(bytes, mark.salt), std::nullopt) << bit;
    bytes[bit / 8] ^= std::byte(1u << bit % 8);
  }
}

TEST(CheckpointFormat, GoldenFileStillReads) {
  const std::string file = golden("checkpoint_v1.checkpoint"), state = golden("log_state_v1.bin");
  const auto read = Checkpoint::decode(as_bytes(file), golden_options());
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->sequence, 77u);
  EXPECT_EQ(read->shown, RoundSequence(42));
  EXPECT_EQ(read->redo_from, RoundSequence(40));
  EXPECT_TRUE(read->clean_stop);
  ASSERT_EQ(read->partitions.size(), 2u);
  const CheckpointPartition& dirty = read->partitions[0];
  EXPECT_EQ(dirty.incarnation, Incarnation(9));
  EXPECT_EQ(dirty.redo, RoundSequence(40));
  EXPECT_EQ(dirty.start, Offset(1));
  EXPECT_EQ(dirty.durability, DurabilityClass::kDurable);
  EXPECT_EQ(dirty.directory, "logs/orders/3");
  EXPECT_FALSE(dirty.cached.has_value());
  const CheckpointPartition& clean = read->partitions[1];
  EXPECT_EQ(clean.incarnation, Incarnation(14));
  EXPECT_EQ(clean.durability, DurabilityClass::kCached);
  ASSERT_EQ(clean.segments.size(), 2u);
  EXPECT_EQ(clean.segments[1].base, Offset(4));
  EXPECT_EQ(clean.segments[1].end, 95u);
  EXPECT_EQ(clean.segments[1].clean_end, 64u);
  EXPECT_TRUE(clean.segments[1].named);
  EXPECT_EQ(clean.cached->scan_from, (LogPosition{Offset(4), 64}));
  EXPECT_EQ(clean.cached->solid_end, (LogPosition{Offset(4), 0}));
  EXPECT_EQ(as_text(read->states.at({Incarnation(1), 6}).view()), "term 8");

  const StoreOptions options = golden_options();
  CheckpointWriter writer(options);
  PartitionFiles partition;
  PartitionLedger::create(partition, Incarnation(9), "logs/orders/3", DurabilityClass::kDurable, Offset(1));
  PartitionEntry entry = PartitionEntry::of(partition);
  entry.redo = RoundSequence(40);
  entry.state = as_bytes(state);
  writer.add(entry);
  std::vector<std::byte> clean_state;
  clean.state.encode(clean_state);
  writer.add({.incarnation = clean.incarnation,
              .start = clean.start,
              .durability = clean.durability,
              .directory = clean.directory,
              .bounds = clean.cached_bounds,
              .segments = clean.segments,
              .cached = clean.cached,
              .state = clean_state});
  writer.add(StateKey{Incarnation(1), 6}, as_bytes("term 8"));
  EXPECT_EQ(as_text(writer.finish(77, RoundSequence(42), true)), file);
}

TEST(CheckpointFormat, RefusesEveryFlippedBit) {
  const std::string file = golden("checkpoint_v1.checkpoint");
  const std::size_t length = load_little<std::uint64_t>(as_bytes(file).data() + checkpoint_format::kLengthAt);
  for (std::size_t bit = 0; bit < length * 8; ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Checkpoint::decode(as_bytes(damaged), golden_options()).error(), ErrorCode::kCorrupt) << "bit " << bit;
  }
}

TEST(CheckpointFormat, SaysWhoseItIs) {
  const std::string file = golden("checkpoint_v1.checkpoint");
  StoreOptions other = golden_options();
  other.shard = ShardId(4);
  EXPECT_EQ(Checkpoint::decode(as_bytes(file), other).error(), ErrorCode::kForeign);
  other = golden_options();
  other.disk_uuid.bytes[0] ^= 1;
  EXPECT_EQ(Checkpoint::decode(as_bytes(file), other).error(), ErrorCode::kForeign);
}

}  // namespace
}  // namespace pyralog::storage
