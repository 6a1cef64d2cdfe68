#pragma once

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

/// Counts what a fuzzed call allocates, through the sanitizer's hooks. For fuzz targets only.
namespace pyralog::record::fuzz {

inline std::atomic<std::ptrdiff_t> live_bytes{0};
inline std::atomic<std::ptrdiff_t> peak_bytes{0};

inline void on_malloc(const volatile void*, std::size_t bytes) {
  const std::ptrdiff_t live = live_bytes += static_cast<std::ptrdiff_t>(bytes);
  peak_bytes = std::max(peak_bytes.load(), live);
}
inline void on_free(const volatile void* memory) {
  if (memory != nullptr) live_bytes -= static_cast<std::ptrdiff_t>(__sanitizer_get_allocated_size(memory));
}

/// Measures from its construction on; ends the process in `expect_at_most` if too much was held at once.
class MemoryMeter {
 public:
  MemoryMeter() {
    static const bool installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0;
    if (!installed) std::abort();
    live_bytes = 0;
    peak_bytes = 0;
  }
  void expect_at_most(std::size_t bytes_max) const {
    const std::ptrdiff_t peak = peak_bytes;
    if (peak <= static_cast<std::ptrdiff_t>(bytes_max)) return;
    std::fprintf(stderr, "%td bytes held at once; the bound is %zu\n", peak, bytes_max);
    std::abort();
  }
};

}  // namespace pyralog::record::fuzz
