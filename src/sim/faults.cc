// The faults of a run, and their end. See simulation.h.
#include <fmt/format.h>

#include "sim/simulation.h"

namespace pyralog::sim {
namespace {

using State = ServerMachine::State;

constexpr std::uint64_t kFreeBytesMax = 400u << 10;  // what a full disk still takes
constexpr std::uint64_t kCrashStepsMax = 400;
constexpr std::uint64_t kClockJumpMsMax = 400'000;  // all of a run together: less than makes timestamps unacceptable

}  // namespace

void Simulation::inject(const Fault& fault) {
  if (is_calm_) return;
  note(fmt::format("fault: {} ({} ms, {})", fault_name(fault.kind),
                   std::chrono::duration_cast<std::chrono::milliseconds>(fault.span).count(), fault.detail % 1000));
  switch (fault.kind) {
    case FaultKind::kCrash:
    case FaultKind::kOrderlyStop:
    case FaultKind::kServerPause:
    case FaultKind::kClockJump: return inject_at_server(fault);
    case FaultKind::kCrashAtStep:
    case FaultKind::kCrashInWrite:
    case FaultKind::kFailedRead:
    case FaultKind::kRot:
    case FaultKind::kFailedSync:
    case FaultKind::kFailedWrite:
    case FaultKind::kDiskFull:
    case FaultKind::kSlowDisk: return inject_at_disk(fault);
    case FaultKind::kCut:
    case FaultKind::kReset:
    case FaultKind::kLossyLink:
    case FaultKind::kSlowLink:
    case FaultKind::kClientVanishes: return inject_at_network(fault);
  }
}

void Simulation::crash(io::CrashMode mode) {
  if (server_.state() == State::kDown) return;
  note(fmt::format("crash {}", static_cast<int>(mode)));
  coverage_.add(mode == io::CrashMode::kKill        ? Happened::kKill
                : mode == io::CrashMode::kPowerLoss ? Happened::kPowerLoss
                                                    : Happened::kBlockLoss);
  world_.crash(kServerNode, mode);
}

void Simulation::inject_at_server(const Fault& fault) {
  if (fault.kind == FaultKind::kCrash) return crash(crash_mode(fault.detail));
  if (fault.kind == FaultKind::kOrderlyStop) {
    if (server_.state() != State::kServing) return;
    is_asked_to_stop_ = true;
    return server_.ask_to_stop();
  }
  if (fault.kind == FaultKind::kServerPause) {
    coverage_.add(Happened::kServerPaused);
    world_.pause(kServerNode);
    return world_.after(fault.span, [this] { world_.resume(kServerNode); });
  }
  coverage_.add(Happened::kClockJumped);
  const auto jump = std::chrono::milliseconds(fault.detail % kClockJumpMsMax);
  world_.jump_wall_clock(kServerNode, fault.detail % 2 == 0 ? jump : -jump);
}

void Simulation::crash_in_write(std::uint64_t detail) {
  io::VirtualDisk& disk = world_.disk(kServerNode);
  constexpr std::string_view kSuffixes[] = {".log", ".log", ".log", ".checkpoint", ".journal"};
  const std::string_view suffix = kSuffixes[detail % std::size(kSuffixes)];
  std::vector<std::string> paths = disk.files();
  std::erase_if(paths, [&](const std::string& path) { return !path.ends_with(suffix); });
  if (paths.empty()) return;
  const auto mode = detail / 8 % 2 == 0 ? io::CrashMode::kPowerLoss : io::CrashMode::kPowerLossDestroyingBlocks;
  disk.crash_after_write(paths[detail / 16 % paths.size()], mode);
}

void Simulation::inject_at_disk(const Fault& fault) {
  io::VirtualDisk& disk = world_.disk(kServerNode);
  if (fault.kind == FaultKind::kCrashAtStep) {
    disk.crash_at_step(disk.steps() + 1 + fault.detail / 4 % kCrashStepsMax, crash_mode(fault.detail));
  } else if (fault.kind == FaultKind::kCrashInWrite) {
    crash_in_write(fault.detail);
  } else if (fault.kind == FaultKind::kFailedRead) {
    disk.fail_next_read("");
  } else if (fault.kind == FaultKind::kRot) {
    if (!rot_.strike(disk, fault.detail)) return;
    coverage_.add(Happened::kRotted);
    note("a bit flips in " + rot_.newest_path());
  } else if (fault.kind == FaultKind::kFailedSync) {
    disk.fail_next_sync("");
  } else if (fault.kind == FaultKind::kFailedWrite) {
    disk.fail_next_write("");
  } else if (fault.kind == FaultKind::kDiskFull) {
    disk.options().capacity_bytes = disk.used_bytes() + fault.detail % kFreeBytesMax;
    full_life_ = server_.life();
    world_.after(fault.span, [&disk] { disk.options().capacity_bytes = io::VirtualDiskOptions().capacity_bytes; });
  } else {
    coverage_.add(Happened::kDiskSlow);
    disk.options().sync = {std::chrono::milliseconds(1), std::chrono::milliseconds(1 + fault.detail % 400)};
    world_.after(fault.span, [&disk] { disk.options().sync = io::VirtualDiskOptions().sync; });
  }
}

void Simulation::inject_at_network(const Fault& fault) {
  io::VirtualNetwork& network = world_.network();
  ClientMachine& client = clients_[fault.detail / 8 % clients_.size()];
  const NodeId node = client.node;
  if (fault.kind == FaultKind::kReset) return network.reset_connections(kServerNode, node);
  if (fault.kind == FaultKind::kCut) {
    if (fault.detail % 3 != 0) network.cut(kServerNode, node);
    if (fault.detail % 3 != 1) network.cut(node, kServerNode);
    return world_.after(fault.span, [&network, node] { network.heal_both(kServerNode, node); });
  }
  if (fault.kind == FaultKind::kClientVanishes) {
    if (!client.is_up) return;
    client.is_up = false;
    coverage_.add(Happened::kClientVanished);
    world_.crash(node, crash_mode(fault.detail));
    return world_.after(fault.span, [this, &client] {
      if (!is_calm_) start_client(client);
    });
  }
  for (io::VirtualLink* link : {&network.link(kServerNode, node), &network.link(node, kServerNode)}) {
    const io::VirtualLink usual = *link;
    if (fault.kind == FaultKind::kLossyLink) link->lost_per_thousand = static_cast<std::uint32_t>(5 + fault.detail % 50);
    if (fault.kind == FaultKind::kSlowLink) link->latency.max = std::chrono::milliseconds(fault.detail % 300);
    world_.after(fault.span, [link, usual] { *link = usual; });
  }
}

/// The end of all faults: what was cut is healed, what was full has room.
void Simulation::calm() {
  note("calm");
  is_calm_ = true;
  stage_.stopping = true;
  io::VirtualDisk& disk = world_.disk(kServerNode);
  disk.crash_never();
  disk.clear_faults();
  rot_.heal(disk);
  disk.options() = io::VirtualDiskOptions();
  world_.network().heal_all();
  world_.resume(kServerNode);
  const io::VirtualLink usual = io::VirtualNetworkOptions().link;
  for (const ClientMachine& client : clients_) {
    world_.network().link(kServerNode, client.node) = usual;
    world_.network().link(client.node, kServerNode) = usual;
  }
}

}  // namespace pyralog::sim
