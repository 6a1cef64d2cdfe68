#include "record/compression.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <bit>

#include "record/codecs.h"

namespace pyralog::record {
namespace {

// What a decompressor keeps across `trim`: enough for the batches that clients send by default.
constexpr std::size_t kRetainedBytesMax = 1u << 20;

// First room for output of unknown size, for each input byte and at least.
constexpr std::size_t kExpectedRatio = 4;
constexpr std::size_t kOutputBytesMin = 4096;

// A zstd frame whose claimed size is at most this many times its bytes is decoded into place in one go; a bolder claim
// has to show its output first.
constexpr std::size_t kBelievedRatio = 8;

// zlib: a 32 KiB window and the gzip wrapper, nothing else.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kGzipMemoryLevel = 8;

// How a frame of zstd starts, or one to be skipped. The library may also know formats from before 1.0, which no Kafka
// client writes and whose decoders heed no window limit.
constexpr std::uint32_t kZstdMagic = 0xFD2FB528u;
constexpr std::uint32_t kZstdSkippableMagic = 0x184D2A50u;
constexpr std::uint32_t kZstdSkippableMask = 0xFFFFFFF0u;

constexpr int kZstdWindowLogMax = std::bit_width(limits::kZstdWindowBytesMax) - 1;
static_assert(std::has_single_bit(limits::kZstdWindowBytesMax));
static_assert(limits::kDecompressionRatioFreeBytes <= limits::kDecompressedBytesMax);

Bytef* zlib_bytes(const std::byte* data) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(data));
}

/// Room for the next piece of output: never beyond one byte more than allowed, which is how an excess shows.
MutableBytes room_for_output(ByteBuffer& output, std::size_t input_bytes, std::size_t output_bytes_max) {
  const std::size_t allowed = output_bytes_max + 1 - output.size();
  const std::size_t expected = output.size() == 0 ? std::max(kExpectedRatio * input_bytes, kOutputBytesMin) : 1;
  const MutableBytes room = output.room(std::min(expected, allowed), output_bytes_max + 1);
  return room.first(std::min(room.size(), allowed));
}

bool starts_zstd_frame(ByteView bytes) {
  if (bytes.size() < sizeof(std::uint32_t)) return false;
  const auto magic = load_little<std::uint32_t>(bytes.data());
  return magic == kZstdMagic || (magic & kZstdSkippableMask) == kZstdSkippableMagic;
}

}  // namespace

std::size_t DecompressionLimits::output_bytes_for(std::size_t input_bytes) const noexcept {
  const std::size_t by_ratio = input_bytes > output_bytes_max / ratio_max ? output_bytes_max : input_bytes * ratio_max;
  return std::min(output_bytes_max, std::max(ratio_free_bytes, by_ratio));
}

void Decompressor::FreeInflate::operator()(z_stream_s* stream) const noexcept {
  inflateEnd(stream);
  delete stream;
}
void Decompressor::FreeZstd::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

Decompressor::Decompressor(DecompressionLimits limits) noexcept : limits_(limits) {}
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;
Decompressor::~Decompressor() = default;

Result<ByteView> Decompressor::decompress(Codec codec, ByteView payload) {
  output_.clear();
  const std::size_t output_bytes_max = limits_.output_bytes_for(payload.size());
  switch (codec) {
    case Codec::kNone:
      return payload;
    case Codec::kGzip:
      PYRALOG_TRY(decompress_gzip(payload, output_bytes_max));
      return output_.view();
    case Codec::kSnappy:
      PYRALOG_TRY(codecs::decompress_snappy(payload, output_bytes_max, output_));
      return output_.view();
    case Codec::kLz4:
      PYRALOG_TRY(codecs::decompress_lz4(payload, output_bytes_max, output_));
      return output_.view();
    case Codec::kZstd:
      PYRALOG_TRY(decompress_zstd(payload, output_bytes_max));
      return output_.view();
  }
  return ErrorCode::kUnsupportedCodec;
}

void Decompressor::trim() noexcept {
  if (output_.capacity() > kRetainedBytesMax) output_.release();
  if (zstd_ && ZSTD_sizeof_DCtx(zstd_.get()) > kRetainedBytesMax) zstd_.reset();
}

Result<> Decompressor::decompress_gzip(ByteView payload, std::size_t output_bytes_max) {
  if (payload.empty()) return ErrorCode::kCorrupt;
  if (!inflate_) {
    auto* stream = new z_stream_s{};
    PYRALOG_ASSERT(inflateInit2(stream, kGzipWindowBits) == Z_OK, "zlib must start");
    inflate_.reset(stream);
  } else {
    inflateReset(inflate_.get());
  }
  z_stream_s& stream = *inflate_;
  stream.next_in = zlib_bytes(payload.data());
  stream.avail_in = static_cast<uInt>(payload.size());
  for (;;) {
    const MutableBytes room = room_for_output(output_, payload.size(), output_bytes_max);
    stream.next_out = zlib_bytes(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    output_.commit(room.size() - stream.avail_out);
    if (output_.size() > output_bytes_max) return ErrorCode::kTooLarge;
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      inflateReset(&stream);  // another member follows
      continue;
    }
    // Room left over means that the input is used up; it ended inside a member.
    if (status != Z_OK || stream.avail_out > 0) return ErrorCode::kCorrupt;
  }
}

Result<> Decompressor::decompress_zstd(ByteView payload, std::size_t output_bytes_max) {
  if (!starts_zstd_frame(payload)) return ErrorCode::kCorrupt;
  if (!zstd_) {
    zstd_.reset(ZSTD_createDCtx());
    PYRALOG_ASSERT(zstd_ != nullptr, "out of memory");
    PYRALOG_ASSERT(!ZSTD_isError(ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax)),
                   "zstd must know its window limit");
  }
  const unsigned long long claimed = ZSTD_getFrameContentSize(payload.data(), payload.size());
  if (claimed != ZSTD_CONTENTSIZE_UNKNOWN && claimed != ZSTD_CONTENTSIZE_ERROR && claimed <= output_bytes_max &&
      claimed <= kBelievedRatio * payload.size() &&
      ZSTD_findFrameCompressedSize(payload.data(), payload.size()) == payload.size()) {
    const MutableBytes room = output_.room(std::max<std::size_t>(claimed, 1), output_bytes_max);
    const std::size_t bytes = ZSTD_decompressDCtx(zstd_.get(), room.data(), std::min(room.size(), output_bytes_max),
                                                  payload.data(), payload.size());
    if (!ZSTD_isError(bytes)) {
      output_.commit(bytes);
      return {};
    }
    // Damage or a lie: the slow way tells them apart.
  }
  return stream_zstd(payload, output_bytes_max);
}

Result<> Decompressor::stream_zstd(ByteView payload, std::size_t output_bytes_max) {
  ZSTD_DCtx_reset(zstd_.get(), ZSTD_reset_session_only);
  ZSTD_inBuffer input{payload.data(), payload.size(), 0};
  for (;;) {
    const MutableBytes room = room_for_output(output_, payload.size(), output_bytes_max);
    ZSTD_outBuffer output{room.data(), room.size(), 0};
    const std::size_t status = ZSTD_decompressStream(zstd_.get(), &output, &input);
    output_.commit(output.pos);
    if (output_.size() > output_bytes_max) return ErrorCode::kTooLarge;
    if (ZSTD_isError(status)) {
      const auto code = ZSTD_getErrorCode(status);
      if (code == ZSTD_error_frameParameter_windowTooLarge) return ErrorCode::kTooLarge;
      if (code == ZSTD_error_dictionary_wrong) return ErrorCode::kUnsupportedCodec;
      return ErrorCode::kCorrupt;
    }
    if (status == 0) {
      if (input.pos == input.size) return {};
      if (!starts_zstd_frame(payload.subspan(input.pos))) return ErrorCode::kCorrupt;
      continue;  // another frame follows
    }
    // Room left over means that the input is used up; it ended inside a frame.
    if (input.pos == input.size && output.pos < output.size) return ErrorCode::kCorrupt;
  }
}

void Compressor::FreeDeflate::operator()(z_stream_s* stream) const noexcept {
  deflateEnd(stream);
  delete stream;
}
void Compressor::FreeZstd::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }

Compressor::Compressor() noexcept = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;
Compressor::~Compressor() = default;

Result<> Compressor::compress(Codec codec, ByteView bytes, ByteBuffer& output) {
  switch (codec) {
    case Codec::kNone:
      output.append(bytes);
      return {};
    case Codec::kGzip:
      compress_gzip(bytes, output);
      return {};
    case Codec::kSnappy:
      codecs::compress_snappy(bytes, output);
      return {};
    case Codec::kLz4:
      codecs::compress_lz4(bytes, output);
      return {};
    case Codec::kZstd:
      compress_zstd(bytes, output);
      return {};
  }
  return ErrorCode::kUnsupportedCodec;
}

void Compressor::compress_gzip(ByteView bytes, ByteBuffer& output) {
  if (!deflate_) {
    auto* stream = new z_stream_s{};
    PYRALOG_ASSERT(deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits, kGzipMemoryLevel,
                                Z_DEFAULT_STRATEGY) == Z_OK,
                   "zlib must start");
    deflate_.reset(stream);
  } else {
    deflateReset(deflate_.get());
  }
  z_stream_s& stream = *deflate_;
  const MutableBytes room = output.room(deflateBound(&stream, bytes.size()));
  stream.next_in = zlib_bytes(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = zlib_bytes(room.data());
  stream.avail_out = static_cast<uInt>(room.size());
  PYRALOG_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END, "the bound must hold");
  output.commit(room.size() - stream.avail_out);
}

void Compressor::compress_zstd(ByteView bytes, ByteBuffer& output) {
  if (!zstd_) {
    zstd_.reset(ZSTD_createCCtx());
    PYRALOG_ASSERT(zstd_ != nullptr, "out of memory");
  }
  const MutableBytes room = output.room(ZSTD_compressBound(bytes.size()));
  const std::size_t written = ZSTD_compress2(zstd_.get(), room.data(), room.size(), bytes.data(), bytes.size());
  PYRALOG_ASSERT(!ZSTD_isError(written), "the bound must hold");
  output.commit(written);
}

}  // namespace pyralog::record
