#pragma once

#include <string_view>

#include "cli/table.h"

namespace pyralog::cli {

// `pyralog config`. The exit code.
int explain_setting(std::string_view key);
int list_settings(OutputFormat format);

}  // namespace pyralog::cli
