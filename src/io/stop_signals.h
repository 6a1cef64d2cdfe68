#pragma once

#include <memory>

#include "core/result.h"
#include "io/descriptor.h"
#include "io/real_reactor.h"
#include "io/real_socket.h"

namespace pyralog::io {

/// SIGINT and SIGTERM as something that one coroutine awaits.
class StopSignals final : private EventSource {
 public:
  /// Keeps the signals from ending the process. For the calling thread and those it starts from here on, so call it in
  /// main before anything else.
  static void block() noexcept;

  static Result<std::unique_ptr<StopSignals>> create(RealReactor& reactor);
  ~StopSignals();

  /// The number of the next signal; 0 after close().
  Task<int> next();
  void close();

 private:
  StopSignals(RealReactor& reactor, Descriptor descriptor) : reactor_(reactor), descriptor_(std::move(descriptor)) {}
  void on_events(std::uint32_t events) noexcept override;

  RealReactor& reactor_;
  Descriptor descriptor_;
  Readiness ready_{false};
};

}  // namespace pyralog::io
