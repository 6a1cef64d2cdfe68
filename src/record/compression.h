#pragma once

#include <cstddef>
#include <memory>

#include "core/bytes.h"
#include "core/limits.h"
#include "core/result.h"
#include "record/byte_buffer.h"
#include "record/format.h"

// The libraries' state, so that their headers stay out of ours.
struct z_stream_s;
struct ZSTD_DCtx_s;
struct ZSTD_CCtx_s;

namespace pyralog::record {

/// How much one compressed payload may become. Sizes that the payload itself claims count for nothing.
struct DecompressionLimits {
  std::size_t output_bytes_max = limits::kDecompressedBytesMax;
  std::size_t ratio_max = limits::kDecompressionRatioMax;
  /// Output up to this size may have any ratio.
  std::size_t ratio_free_bytes = limits::kDecompressionRatioFreeBytes;

  /// The largest output of `input_bytes`.
  std::size_t output_bytes_for(std::size_t input_bytes) const noexcept;
};

/// Opens the payloads of compressed batches: gzip (concatenated members too), snappy (raw and xerial), lz4 frames,
/// zstd. The bytes are untrusted: memory grows only as output really appears, up to the limits (plus the decoder's own
/// state, for zstd with a window of at most `limits::kZstdWindowBytesMax`). Keeps its memory for the next payload until
/// `trim`. One per shard or thread; not thread-safe.
class Decompressor {
 public:
  explicit Decompressor(DecompressionLimits limits = {}) noexcept;
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  ~Decompressor();

  /// The bytes behind `payload`, valid until the next call of any member; with kNone the payload itself. Errors:
  /// kCorrupt (malformed, cut off, or followed by something else), kTooLarge (the limits), kUnsupportedCodec (unknown
  /// codec, or a form that Kafka's clients do not read: lz4 with linked blocks, dictionaries).
  Result<ByteView> decompress(Codec codec, ByteView payload);

  /// Gives back what a large payload took, keeping what usual ones need.
  void trim() noexcept;

 private:
  Result<> decompress_gzip(ByteView payload, std::size_t output_bytes_max);
  Result<> decompress_zstd(ByteView payload, std::size_t output_bytes_max);
  Result<> stream_zstd(ByteView payload, std::size_t output_bytes_max);

  struct FreeInflate {
    void operator()(z_stream_s* stream) const noexcept;
  };
  struct FreeZstd {
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };

  DecompressionLimits limits_;
  ByteBuffer output_;
  std::unique_ptr<z_stream_s, FreeInflate> inflate_;
  std::unique_ptr<ZSTD_DCtx_s, FreeZstd> zstd_;
};

/// Compresses payloads as Kafka's own clients do: gzip, xerial snappy, lz4 frames of independent 64 KiB blocks, zstd;
/// each at its library's default level. Keeps the libraries' state between calls. Not thread-safe.
class Compressor {
 public:
  Compressor() noexcept;
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  ~Compressor();

  /// Appends the compressed form of `bytes` to `output`; with kNone the bytes. Errors: kUnsupportedCodec.
  Result<> compress(Codec codec, ByteView bytes, ByteBuffer& output);

 private:
  void compress_gzip(ByteView bytes, ByteBuffer& output);
  void compress_zstd(ByteView bytes, ByteBuffer& output);

  struct FreeDeflate {
    void operator()(z_stream_s* stream) const noexcept;
  };
  struct FreeZstd {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };

  std::unique_ptr<z_stream_s, FreeDeflate> deflate_;
  std::unique_ptr<ZSTD_CCtx_s, FreeZstd> zstd_;
};

}  // namespace pyralog::record
