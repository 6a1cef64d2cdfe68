#include "storage/run_writer.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "io/reactor.h"

namespace pyralog::storage {
namespace {

constexpr std::uint64_t kCopyBytes = 1u << 20;

using Parts = std::span<const StoredPart>;

std::uint64_t end_of(const StoredPart& part) { return part.position + part.bytes; }

/// How many of the first parts lie one behind the other.
std::size_t count_adjacent(Parts parts) {
  std::size_t count = 1;
  while (count < parts.size() && parts[count].position == end_of(parts[count - 1])) ++count;
  return count;
}

Slice copy_range(Parts parts, std::uint64_t begin, std::uint64_t end) {
  Slice copy = io::Reactor::current().chunks().take_slice(end - begin);
  for (const StoredPart& part : parts) {
    const std::uint64_t from = std::max(begin, part.position), to = std::min(end, end_of(part));
    if (from < to) std::memcpy(copy.mutable_data() + (from - begin), part.slice.data() + (from - part.position), to - from);
  }
  return copy;
}

Result<> write_fragment(io::File& cached, Parts parts, std::uint64_t begin, std::uint64_t end) {
  if (begin == end) return {};
  const Slice fragment = copy_range(parts, begin, end);
  const ByteView piece = fragment.view();
  return cached.write_now(begin, std::span(&piece, 1));
}

io::Task<Result<>> write_blocks(io::File& direct, Parts parts, std::uint64_t begin, std::uint64_t end) {
  std::vector<Slice> copies;
  std::vector<ByteView> pieces;
  for (std::uint64_t at = begin; at < end; at += kCopyBytes) {
    copies.push_back(copy_range(parts, at, std::min(at + kCopyBytes, end)));
    pieces.push_back(copies.back().view());
  }
  co_return co_await direct.write_and_sync(begin, std::move(pieces));
}

}  // namespace

void end_at_block(PartitionLedger::DirtyRun& run, std::uint64_t block_bytes) {
  const std::uint64_t end = align_down(run.end, block_bytes);
  if (run.parts.empty() || end <= run.parts.front().position) return;
  while (end_of(run.parts.back()) > end) {
    StoredPart& last = run.parts.back();
    const std::uint64_t kept = last.position < end ? end - last.position : 0;
    run.bytes -= last.bytes - kept;
    last.bytes = kept;
    if (kept == 0) {
      run.parts.pop_back();
    } else {
      last.slice = last.slice.part(0, kept);
    }
  }
  run.end = end;
}

io::Task<Result<>> write_past_cache(io::File& cached, io::File& direct, const PartitionLedger::DirtyRun& run,
                                    std::uint64_t block_bytes) {
  bool has_fragments = false;
  for (Parts rest = run.parts; !rest.empty();) {
    const Parts parts = rest.first(count_adjacent(rest));
    rest = rest.subspan(parts.size());
    const std::uint64_t begin = parts.front().position, end = end_of(parts.back());
    const std::uint64_t whole_begin = std::min(align_up(begin, block_bytes), end);
    const std::uint64_t whole_end = std::max(align_down(end, block_bytes), whole_begin);
    has_fragments = has_fragments || begin != whole_begin || whole_end != end;
    PYRALOG_CO_TRY(write_fragment(cached, parts, begin, whole_begin));
    PYRALOG_CO_TRY(write_fragment(cached, parts, whole_end, end));
    if (whole_begin < whole_end) PYRALOG_CO_TRY(co_await write_blocks(direct, parts, whole_begin, whole_end));
  }
  if (has_fragments) co_return co_await cached.sync();
  co_return Result<>();
}

}  // namespace pyralog::storage
