#pragma once

#include "core/slice.h"

namespace pyralog::server {

/// Memory for an encoded answer: small ones share a chunk of the calling thread, large ones get their own. Fits
/// protocol::AllocateSlice.
Slice allocate_answer(std::size_t bytes);

}  // namespace pyralog::server
