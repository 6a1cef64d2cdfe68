#pragma once

#include "io/virtual_disk.h"
#include "sim/stage.h"

namespace pyralog::sim {

/// Puts the files of all logs that exist on another disk, where tools may look at them and spoil them. What a power cut
/// brought back of a deleted log is left out: nobody reads it.
void copy_logs(History& history, const io::VirtualDisk& from, io::VirtualDisk& to);

/// What `pyralog log check` says of every partition in such a copy: that it is sound; and after a bit of it has flipped, in
/// which file.
io::Task<> check_all_files(Stage& stage, io::VirtualDisk& copy, std::uint64_t seed);

}  // namespace pyralog::sim
