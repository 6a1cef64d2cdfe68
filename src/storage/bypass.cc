#include "storage/bypass.h"

#include <algorithm>
#include <cstring>

#include "core/checksum.h"
#include "storage/file_names.h"
#include "storage/planted.h"

namespace pyralog::storage {

SharedFile Bypass::file_of(PartitionFiles& partition, Offset segment) {
  const FileKey key{partition.incarnation(), segment, FileKind::kLog};
  const auto found = std::find_if(files_.begin(), files_.end(), [&](const Open& open) { return open.key == key; });
  if (found != files_.end()) {
    std::rotate(found, found + 1, files_.end());
    return files_.back().file;
  }
  // Not in the way of this round: the next large one finds it open.
  if (std::find(opening_.begin(), opening_.end(), key) == opening_.end()) {
    opening_.push_back(key);
    scope_.spawn(open(partition.incarnation(), segment));
  }
  return nullptr;
}

io::Task<> Bypass::open(Incarnation incarnation, Offset segment) {
  const FileKey key{incarnation, segment, FileKind::kLog};
  const std::uint64_t forgotten_before = forgotten_count_;
  SharedFile direct;
  if (PartitionFiles* partition = co_await cleaner_.begin_work(incarnation)) {
    const std::string path = segments_.path(*partition, segment);
    // The segment's name must be durable before a body goes there. Failures show again where the cleaner writes.
    const auto named = co_await segments_.open(*partition, segment);
    if (named.ok()) {
      const io::OpenOptions options{.caching = io::Caching::kDirect};
      auto opened = co_await context_.reactor.disk().open(path, options);
      if (opened.ok()) direct = std::move(*opened);
    }
    cleaner_.end_work(*partition);
  }
  std::erase(opening_, key);
  if (direct == nullptr || forgotten_count_ != forgotten_before) co_return;
  if (!direct->is_direct()) {
    refused_ = true;
    co_return;
  }
  if (files_.size() >= context_.geometry().bypass_partitions_max) files_.erase(files_.begin());
  files_.push_back({key, std::move(direct)});
}

void Bypass::forget(Incarnation incarnation) {
  ++forgotten_count_;
  std::erase_if(files_, [&](const Open& open) { return open.key.partition == incarnation; });
}

bool Bypass::plan(const Round::Touched& touched, Body& body) {
  const std::uint64_t block = context_.geometry().block_bytes;
  if (touched.data_bytes < context_.geometry().bypass_bytes_min) return false;
  if (touched.has_change && !planted(Bug::kBodyBesideRemoval)) return false;
  body.partition = touched.partition;
  body.segment = touched.data_begin.segment;
  body.begin = align_up(touched.data_begin.position,
                        planted(Bug::kBodySharesOldBlock) ? context_.geometry().sector_bytes : block);
  body.end = align_down(touched.data_begin.position + touched.data_bytes, block);
  if (body.end <= body.begin) return false;
  const Segment* segment = touched.partition->find_segment(body.segment);
  if (segment == nullptr || segment->end < body.end) return false;
  body.file = file_of(*touched.partition, body.segment);
  return body.file != nullptr;
}

void Bypass::rewrite(Round& round, Body& body, std::uint64_t data_begin, std::uint64_t data_end) {
  const Incarnation incarnation = body.partition->incarnation();
  Slice head = Slice::allocate(std::max<std::uint64_t>(body.begin - data_begin, 1));
  Slice tail = Slice::allocate(std::max<std::uint64_t>(data_end - body.end, 1));
  body.bytes = context_.reactor.chunks().take_slice(body.end - body.begin);
  const auto copy = [](const Descriptor& from, const Slice& payload, std::uint64_t begin, std::uint64_t end, Slice& into) {
    const std::uint64_t first = std::max(begin, from.at.position), last = std::min(end, from.end_position());
    if (first >= last) return;
    std::memcpy(into.mutable_data() + (first - begin), payload.data() + (first - from.at.position), last - first);
  };
  std::vector<Round::Entry> entries;
  entries.reserve(round.entries().size());
  std::size_t place = SIZE_MAX;
  for (Round::Entry& entry : round.entries()) {
    const Descriptor& from = entry.descriptor;
    const bool taken = from.kind == RoundKind::kData && from.incarnation == incarnation && from.at.segment == body.segment &&
                       from.at.position >= data_begin;
    if (!taken) {
      entries.push_back(std::move(entry));
      continue;
    }
    if (place == SIZE_MAX) place = entries.size();
    copy(from, entry.payload, data_begin, body.begin, head);
    copy(from, entry.payload, body.begin, body.end, body.bytes);
    copy(from, entry.payload, body.end, data_end, tail);
  }
  std::vector<Round::Entry> made;
  const auto add = [&](RoundKind kind, std::uint64_t begin, std::uint64_t end, const Slice& bytes) {
    if (begin == end) return;
    const Slice payload = bytes.part(0, end - begin);
    Descriptor descriptor{.kind = kind, .incarnation = incarnation, .at = {body.segment, begin},
                          .length = static_cast<std::uint32_t>(end - begin), .payload_crc = crc32c(payload.view())};
    made.push_back({descriptor, kind == RoundKind::kBody ? Slice() : payload, false});
  };
  add(RoundKind::kData, data_begin, body.begin, head);
  add(RoundKind::kBody, body.begin, body.end, body.bytes);
  add(RoundKind::kData, body.end, data_end, tail);
  entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(place), std::make_move_iterator(made.begin()),
                 std::make_move_iterator(made.end()));
  round.entries() = std::move(entries);
}

std::vector<Bypass::Body> Bypass::take(Round& round) {
  std::vector<Body> bodies;
  for (const Round::Touched& touched : round.touched()) {
    if (refused_ || bodies.size() == context_.geometry().bypass_partitions_max) break;
    Body body;
    if (!plan(touched, body)) continue;
    const std::uint64_t data_end = touched.data_begin.position + touched.data_bytes;
    rewrite(round, body, touched.data_begin.position, data_end);
    bodies.push_back(std::move(body));
  }
  return bodies;
}

io::Task<Result<>> Bypass::write(const Body& body) const {
  std::vector<ByteView> pieces{body.bytes.view().first(body.end - body.begin)};
  if (planted(Bug::kBodyNotSynced)) {
    PYRALOG_CO_ASSIGN(const SharedFile file, co_await segments_.open(*body.partition, body.segment));
    co_return file->write_now(body.begin, pieces);
  }
  co_return co_await body.file->write_and_sync(body.begin, std::move(pieces));
}

}  // namespace pyralog::storage
