#pragma once

#include <cstdint>

#include "core/result.h"
#include "io/disk.h"
#include "io/task.h"
#include "storage/partition_ledger.h"

namespace pyralog::storage {

/// Shortens `run` to end with a whole block of its segment, so that its last block is not written past the page cache in two
/// parts. Leaves it alone if it has no whole block.
void end_at_block(PartitionLedger::DirtyRun& run, std::uint64_t block_bytes);

/// Writes the run's whole blocks past the page cache, from copies that are aligned as the device wants them, and makes them
/// durable; what shares a block with other bytes goes through the cache. `cached` and `direct` are the same segment.
/// Sparing the cache halves the cost of a large run: no pages to find, no kernel thread that writes them back. Readers that
/// come later than the tail cache keeps bytes read them from the device.
io::Task<Result<>> write_past_cache(io::File& cached, io::File& direct, const PartitionLedger::DirtyRun& run,
                                    std::uint64_t block_bytes);

}  // namespace pyralog::storage
