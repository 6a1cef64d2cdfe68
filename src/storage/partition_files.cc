#include "storage/partition_files.h"

#include <algorithm>

namespace pyralog::storage {

const Segment* PartitionFiles::find_segment(Offset base) const noexcept {
  const auto at = std::lower_bound(segments_.begin(), segments_.end(), base,
                                   [](const Segment& segment, Offset sought) { return segment.base < sought; });
  return at != segments_.end() && at->base == base ? &*at : nullptr;
}

void PartitionFiles::locate(Offset segment_base, std::uint64_t position, std::uint64_t bytes_max,
                            std::vector<StoredPart>& parts) const {
  parts.clear();
  const Segment* segment = find_segment(segment_base);
  if (segment == nullptr || position >= segment->end) return;
  const std::uint64_t end = segment->end - position > bytes_max ? position + bytes_max : segment->end;
  const auto begin = residents_.begin() + static_cast<std::ptrdiff_t>(residents_begin_);
  auto next = std::partition_point(begin, residents_.end(), [&](const Resident& resident) {
    return LogPosition{resident.at.segment, resident.end()} <= LogPosition{segment_base, position};
  });
  while (position < end) {
    const bool here = next != residents_.end() && next->at.segment == segment_base && next->at.position <= position;
    std::uint64_t part_end = end;
    Slice slice;
    if (here) {
      part_end = std::min(end, next->end());
      if (!next->slice.empty()) slice = next->slice.part(position - next->at.position, part_end - position);
      ++next;
    } else {
      // Before the bytes in memory come those of the file, as far as it is clean.
      if (next != residents_.end() && next->at.segment == segment_base) part_end = std::min(end, next->at.position);
      part_end = std::min(part_end, segment->clean_end);
      if (part_end <= position) return;
    }
    if (!parts.empty() && slice.empty() && parts.back().slice.empty()) {
      parts.back().bytes += part_end - position;
    } else {
      parts.push_back({position, part_end - position, std::move(slice)});
    }
    position = part_end;
  }
}

bool PartitionFiles::in_memory(LogPosition begin) const {
  std::vector<StoredPart> parts;
  locate(begin.segment, begin.position, UINT64_MAX, parts);
  const auto is_in_file = [](const StoredPart& part) { return part.slice.empty(); };
  return !parts.empty() && std::none_of(parts.begin(), parts.end(), is_in_file);
}

}  // namespace pyralog::storage
