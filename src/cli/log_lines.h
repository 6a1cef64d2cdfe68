#pragma once

#include <string_view>

namespace pyralog::cli {

/// Sends the lines that a node writes about itself to stderr from now on. `level` and `format` are the values of
/// logging.level and logging.format.
void start_logging(std::string_view level, std::string_view format);

}  // namespace pyralog::cli
