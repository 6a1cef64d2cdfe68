#pragma once

#include "core/slice.h"

namespace pyralog::server {

/// Memory for an encoded answer: small ones share a chunk of the calling thread, large ones get their own. Fits
/// protocol::AllocateSlice.
Slice allocate_answer(std::size_t bytes);

/// Memory for what a connection of this shard receives, from the shard's chunk pool.
Slice allocate_received(std::size_t bytes);

}  // namespace pyralog::server
