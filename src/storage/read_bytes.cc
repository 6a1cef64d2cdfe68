#include "storage/read_bytes.h"

#include <cstring>

namespace pyralog::storage {
namespace {

io::Task<Result<>> read_exactly(io::File& file, std::uint64_t position, MutableBytes into) {
  while (!into.empty()) {
    PYRALOG_CO_ASSIGN(const std::size_t got, co_await file.read(position, into));
    if (got == 0) co_return ErrorCode::kTruncated;
    position += got;
    into = into.subspan(got);
  }
  co_return Result<>();
}

}  // namespace

io::Task<Result<Slice>> read_bytes(PartitionLog& log, ReadOptions options) {
  PYRALOG_CO_ASSIGN(const ReadResult found, co_await log.read(options));
  if (found.bytes == 0) co_return Slice();
  Slice bytes = Slice::allocate(found.bytes);
  MutableBytes left = bytes.mutable_view();
  for (const ReadPiece& piece : found.pieces) {
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      std::memcpy(left.data(), slice->data(), slice->size());
      left = left.subspan(slice->size());
    } else {
      const auto& range = std::get<FileRange>(piece);
      PYRALOG_CO_TRY(co_await read_exactly(*range.file, range.position, left.first(range.bytes)));
      left = left.subspan(range.bytes);
    }
  }
  co_return bytes.part(0, found.bytes);
}

io::Task<Result<Slice>> read_whole_file(io::Disk& disk, std::string path, std::uint64_t bytes_max) {
  io::OpenOptions options{.access = io::Access::kRead};
  PYRALOG_CO_ASSIGN(auto file, co_await disk.open(std::move(path), options));
  PYRALOG_CO_ASSIGN(const std::uint64_t size, file->size());
  if (size > bytes_max) co_return ErrorCode::kTooLarge;
  if (size == 0) co_return Slice();
  Slice bytes = Slice::allocate(size);
  PYRALOG_CO_TRY(co_await read_exactly(*file, 0, bytes.mutable_view().first(size)));
  co_return bytes.part(0, size);
}

}  // namespace pyralog::storage
