#pragma once

#include <string>

#include "io/task.h"

namespace pyralog::server {

class Node;

/// Everything the node counts, in the Prometheus text format. Asks every shard; runs on shard 0.
io::Task<std::string> metrics_text(Node& node);

}  // namespace pyralog::server
