#pragma once

#include <string_view>

namespace pyralog::cli {

// `pyralog config`. The exit code.
int explain_setting(std::string_view key);
int list_settings();

}  // namespace pyralog::cli
