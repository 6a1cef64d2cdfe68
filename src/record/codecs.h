#pragma once

#include <cstddef>

#include "core/bytes.h"
#include "core/result.h"
#include "record/byte_buffer.h"

/// The codecs that need no state, for `compression.cc` only. `output_bytes_max` bounds the whole of `output`.
namespace pyralog::record::codecs {

Result<> decompress_snappy(ByteView payload, std::size_t output_bytes_max, ByteBuffer& output);
void compress_snappy(ByteView bytes, ByteBuffer& output);

Result<> decompress_lz4(ByteView payload, std::size_t output_bytes_max, ByteBuffer& output);
void compress_lz4(ByteView bytes, ByteBuffer& output);

}  // namespace pyralog::record::codecs
