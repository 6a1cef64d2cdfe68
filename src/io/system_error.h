#pragma once

#include <string>
#include <string_view>

#include "core/errors.h"

namespace pyralog::io {

/// What a failed system call means to callers: the code for `error` (an errno value), and "<what> <path>: <system text>"
/// as detail. ENOENT kNotFound, EEXIST kAlreadyExists, ENOSPC and EDQUOT kNoSpace, EMFILE and ENFILE kLimitExceeded,
/// ENOTEMPTY, EISDIR and ENOTDIR kInvalidArgument, everything else kIo.
Error system_error(int error, std::string_view what, std::string_view path);

/// The system's text for an errno value.
std::string system_text(int error);

}  // namespace pyralog::io
