#pragma once

#include <string_view>

#include "core/result.h"

namespace pyralog::cluster {

/// Kafka's rule for names of logs: 1 to 249 characters of [a-zA-Z0-9._-], but not "." or "..". kInvalidArgument.
Result<> check_log_name(std::string_view name);

/// True if Kafka's metrics could not tell the names apart: they are equal once '.' and '_' are taken as one.
bool names_collide(std::string_view a, std::string_view b);

}  // namespace pyralog::cluster
