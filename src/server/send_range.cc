#include "server/send_range.h"

#include <algorithm>

#include "core/limits.h"

namespace pyralog::server {

io::Task<Result<>> send_range(io::Connection& connection, storage::FileRange range) {
  while (range.bytes > 0) {
    const std::size_t piece = std::min<std::uint64_t>(range.bytes, limits::kSendFileBytesMax);
    PYRALOG_CO_TRY(co_await range.file->make_resident(range.position, piece));
    PYRALOG_CO_ASSIGN(const std::size_t sent, connection.try_send_file(*range.file, range.position, piece));
    if (sent == 0) {
      co_await connection.writable();
      continue;
    }
    range.position += sent;
    range.bytes -= sent;
  }
  co_return Result<>();
}

}  // namespace pyralog::server
