#pragma once

#include "core/result.h"
#include "io/network.h"
#include "storage/log_read.h"

namespace pyralog::server {

/// Sends all of `range` from its file; kConnectionClosed, kClosed, kTruncated (the file is shorter than the log says).
io::Task<Result<>> send_range(io::Connection& connection, storage::FileRange range);

}  // namespace pyralog::server
