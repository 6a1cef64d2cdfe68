#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/descriptor.h"
#include "io/disk.h"
#include "io/real_reactor.h"

namespace pyralog::io {

/// A file of the machine. Syncs and reads that wait for the device go through the shard's ring, or a helper thread where
/// there is none; both give the same results.
class RealFile final : public File {
 public:
  struct Opened {
    Descriptor descriptor;
    std::string path;
    bool direct = false;
  };
  /// Any thread.
  static Result<Opened> open_path(const std::string& path, OpenOptions options);

  RealFile(RealReactor& reactor, Opened opened) : reactor_(reactor), opened_(std::move(opened)) {}

  Result<> write_now(std::uint64_t position, std::span<const ByteView> pieces) override;
  Task<Result<>> write_and_sync(std::uint64_t position, std::vector<ByteView> pieces) override;
  Task<Result<>> sync() override;
  Task<Result<std::size_t>> read(std::uint64_t position, MutableBytes into) override;
  Result<std::size_t> read_now(std::uint64_t position, MutableBytes into) override;
  Task<Result<>> make_resident(std::uint64_t position, std::uint64_t bytes) override;
  Result<std::uint64_t> size() override;
  Task<Result<>> truncate(std::uint64_t size) override;
  Task<Result<>> fill_with_zeros(std::uint64_t size) override;
  bool is_direct() const noexcept override { return opened_.direct; }
  int descriptor() const noexcept override { return opened_.descriptor.get(); }

 private:
  /// What of a gathering write is still to be done.
  struct Rest {
    std::span<iovec> pieces;
    std::uint64_t position = 0;
    void advance(std::size_t bytes) noexcept;
  };

  Result<> write_in_line(Rest rest) const;
  Task<Result<>> ring_write_and_sync(Rest rest);
  Task<Result<>> sync_descriptor();
  Result<std::size_t> read_cached(std::uint64_t position, MutableBytes into);
  Error write_error(int error) const;
  Error sync_error(int error) const;
  void count_sync(MonotonicTime start, bool succeeded) noexcept;

  RealReactor& reactor_;
  Opened opened_;
  bool reads_cached_first_ = true;      // until the file system says that it cannot
  std::uint64_t unsynced_changes_ = 0;  // counts changes that were not made durable at once,
  std::uint64_t synced_changes_ = 0;    // and how many of them a sync has covered
};

}  // namespace pyralog::io
