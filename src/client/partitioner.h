#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/ids.h"

namespace pyralog::client {

/// MurmurHash2 (Austin Appleby, 32 bits) with the seed of Kafka's Java clients, so that a key goes to the same partition
/// whichever client sends it.
std::uint32_t key_hash(ByteView key) noexcept;

/// The partition of `key` among `partitions_count` > 0.
inline PartitionIndex partition_of_key(ByteView key, std::int32_t partitions_count) noexcept {
  return PartitionIndex(static_cast<std::int32_t>((key_hash(key) & 0x7fffffffu) %
                                                  static_cast<std::uint32_t>(partitions_count)));
}

}  // namespace pyralog::client
