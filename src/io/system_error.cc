#include "io/system_error.h"

#include <cerrno>
#include <system_error>

namespace pyralog::io {
namespace {

ErrorCode code_of(int error) {
  switch (error) {
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT: return ErrorCode::kNoSpace;
    case EMFILE:
    case ENFILE: return ErrorCode::kLimitExceeded;
    case ENOTEMPTY:
    case EISDIR:
    case ENOTDIR: return ErrorCode::kInvalidArgument;
    default: return ErrorCode::kIo;
  }
}

}  // namespace

std::string system_text(int error) { return std::system_category().message(error); }

Error system_error(int error, std::string_view what, std::string_view path) {
  std::string detail(what);
  if (!path.empty()) detail.append(" ").append(path);
  detail.append(": ").append(system_text(error));
  return Error(code_of(error), std::move(detail));
}

}  // namespace pyralog::io
