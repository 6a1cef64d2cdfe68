#pragma once

#include <string>

#include "io/task.h"

namespace pyralog::server {

class Node;

/// Adds what is known of groups to the text of /metrics: how many there are, what they did, and how far each one lags, in
/// records and seconds, under the names that exporters of lags use. These series are bounded by metrics.series_max, the
/// largest lags first, and so are the records that are read for their times.
io::Task<> append_group_metrics(Node& node, std::string& text);

}  // namespace pyralog::server
