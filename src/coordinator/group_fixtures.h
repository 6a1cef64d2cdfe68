#pragma once

#include <utility>

#include "coordinator/transcript.h"

/// Groups as most transcripts begin with them. For tests.
namespace pyralog::coordinator {

inline GroupOptions without_delay(GroupOptions options = {}) {
  options.initial_rebalance_delay = Milliseconds(0);
  return options;
}

/// Two members in a stable group: a1 leads.
struct TwoMembers : Transcript {
  explicit TwoMembers(GroupOptions options = {}) : Transcript(without_delay(std::move(options))) {
    join("a");
    join("b");
    pass(0);
    sync("b1", 1);
    sync("a1", 1, {{"a1", "A"}, {"b1", "B"}});
    stored();
    take();
  }
};

/// The same with a static member i1 beside b1, and long sessions.
struct StaticAndDynamicMember : Transcript {
  explicit StaticAndDynamicMember(int static_rebalance_ms = 60'000) : Transcript(without_delay({})) {
    join("s", {.instance = "i", .session_ms = 100'000, .rebalance_ms = static_rebalance_ms});
    join("b", {.session_ms = 100'000});
    pass(0);
    sync("b1", 1);
    sync("i1", 1, {{"i1", "S"}, {"b1", "B"}});
    stored();
    take();
  }
};

}  // namespace pyralog::coordinator
