#include "storage/scrubber.h"

#include <algorithm>

#include "storage/file_names.h"
#include "storage/recovery.h"

namespace pyralog::storage {
namespace {

// Read at once, and between two rests: little enough not to be felt by those who wait for the disk.
constexpr std::uint64_t kStepBytes = 256u << 10;

/// Checks the batch at `position`; returns its bytes. kCorrupt, kIo.
io::Task<Result<std::uint64_t>> check_batch(FileWindow& window, std::uint64_t position, std::uint64_t end) {
  PYRALOG_CO_ASSIGN(const ByteView head, co_await window.get(position, record::format::kHeaderBytes));
  const auto header = record::BatchHeader::parse(head);
  if (!header.ok()) co_return Error(ErrorCode::kCorrupt, "no batch");
  const std::uint64_t batch_bytes = header->batch_bytes();  // the header lies in the window, which moves on
  if (batch_bytes > end - position) co_return Error(ErrorCode::kCorrupt, "a batch longer than its segment");
  PYRALOG_CO_ASSIGN(const ByteView bytes, co_await window.get(position, batch_bytes));
  if (bytes.size() < batch_bytes) co_return Error(ErrorCode::kCorrupt, "a file shorter than its segment");
  const auto batch = record::BatchView::parse(bytes);
  if (!batch.ok() || !batch->verify_crc().ok()) co_return Error(ErrorCode::kCorrupt, "a batch with a bad checksum");
  co_return batch_bytes;
}

}  // namespace

io::Task<> Scrubber::run(io::TaskScope& scope) {
  if (context_.options.scrub_bytes_per_second == 0) co_return;
  Duration delay = kFirstDelay;
  while (co_await io::sleep_for(delay, scope.abort()) == io::WaitOutcome::kTimedOut) {
    const MonotonicTime started = context_.reactor.now();
    for (const Incarnation incarnation : begin_pass()) {
      auto target = next_segment(incarnation, Offset(0));
      while (target.has_value() && !scope.closing() && !context_.failure.has_value()) {
        co_await scrub(*target, scope);
        target = next_segment(incarnation, target->base + OffsetDelta(1));
      }
      if (scope.closing() || context_.failure.has_value()) co_return;
    }
    ++context_.counters.scrub_passes;
    delay = std::max<Duration>(started + kPassInterval - context_.reactor.now(), kFirstDelay);
  }
}

std::vector<Incarnation> Scrubber::begin_pass() {
  std::vector<Incarnation> order;
  StoreCounters& counters = context_.counters;
  counters.scrub_pass_bytes = counters.scrub_pass_done_bytes = 0;
  for (const auto& [incarnation, partition] : context_.partitions) {
    if (partition->segments().size() < 2) continue;
    order.push_back(incarnation);
    for (const Segment& segment : partition->segments().first(partition->segments().size() - 1)) {
      counters.scrub_pass_bytes += segment.end;
    }
  }
  std::ranges::sort(order);
  if (!order.empty()) {
    const auto first = static_cast<std::ptrdiff_t>(context_.reactor.random().below(order.size()));
    std::ranges::rotate(order, order.begin() + first);
  }
  return order;
}

std::optional<Scrubber::Target> Scrubber::next_segment(Incarnation incarnation, Offset from) const {
  const auto found = context_.partitions.find(incarnation);
  if (found == context_.partitions.end()) return std::nullopt;
  const PartitionFiles& partition = *found->second;
  const std::span<const Segment> segments = partition.segments();
  for (const Segment& segment : segments.first(segments.size() - 1)) {
    if (segment.base < from || segment.clean_end < segment.end) continue;
    const std::string directory = context_.options.data_directory + "/" + partition.directory();
    return Target{incarnation, segment.base, segment.edition, segment.end,
                  file_path(directory, segment.base, FileKind::kLog, segment.edition)};
  }
  return std::nullopt;
}

bool Scrubber::is_current(const Target& target) const {
  const auto found = context_.partitions.find(target.incarnation);
  if (found == context_.partitions.end()) return false;
  const Segment* segment = found->second->find_segment(target.base);
  return segment != nullptr && segment != &found->second->active() && segment->edition == target.edition &&
         segment->end == target.end;
}

io::Task<> Scrubber::scrub(const Target& target, io::TaskScope& scope) {
  const io::OpenOptions options{.access = io::Access::kRead, .caching = io::Caching::kDirect};
  SegmentDamage damage{.path = target.path, .position = 0, .what = {}};
  auto file = co_await context_.reactor.disk().open(target.path, options);
  Result<> checked = file.ok() ? co_await check(**file, target, damage, scope) : Result<>(file.error());
  // What was removed or cut meanwhile is not damaged, whatever was read of it.
  if (checked.ok() || !is_current(target)) co_return;
  damage.what = checked.error().to_string();
  context_.report_damage(damage);
}

io::Task<Result<>> Scrubber::check(io::File& file, const Target& target, SegmentDamage& damage, io::TaskScope& scope) {
  const std::uint64_t block = context_.geometry().block_bytes;
  FileWindow window(file, block, kStepBytes);
  while (damage.position < target.end && !scope.closing() && is_current(target)) {
    auto batch_bytes = co_await check_batch(window, damage.position, target.end);
    if (!batch_bytes.ok()) {
      // Once more: what is named as damage must not have been a hiccup on the way.
      FileWindow again(file, block, kStepBytes);
      batch_bytes = co_await check_batch(again, damage.position, target.end);
    }
    if (!batch_bytes.ok()) co_return std::move(batch_bytes).error();
    damage.position += *batch_bytes;
    co_await pace(*batch_bytes, scope);
  }
  co_return Result<>();
}

io::Task<> Scrubber::pace(std::uint64_t bytes, io::TaskScope& scope) {
  context_.counters.scrubbed_bytes += bytes;
  context_.counters.scrub_pass_done_bytes += bytes;
  unpaced_bytes_ += bytes;
  if (unpaced_bytes_ < kStepBytes) co_return;
  const double seconds = static_cast<double>(std::exchange(unpaced_bytes_, 0)) /
                         static_cast<double>(context_.options.scrub_bytes_per_second);
  (void)co_await io::sleep_for(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)), scope.abort());
}

}  // namespace pyralog::storage
