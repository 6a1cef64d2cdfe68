#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ids.h"

namespace pyralog::server {

/// The storage identity of the metadata log. Always on shard 0, never given to a log's partition.
inline constexpr Incarnation kMetadataIncarnation{0xFFFF'FFFF'FFFF'FFFFull};

/// The shard that a partition lives on.
constexpr ShardId shard_of(Incarnation incarnation, std::size_t shard_count) noexcept {
  if (incarnation == kMetadataIncarnation) return ShardId(0);
  return ShardId(static_cast<std::uint32_t>(incarnation.value % shard_count));
}

}  // namespace pyralog::server
