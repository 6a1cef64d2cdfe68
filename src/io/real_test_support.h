#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "core/assert.h"
#include "io/real_reactor.h"

/// What the tests of the real disk and network share.
namespace pyralog::io::testing {

/// A directory that is removed with its contents.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "pyralog-io-XXXXXX").string();
    PYRALOG_ASSERT(::mkdtemp(path.data()) != nullptr, "no temporary directory");
    path_ = path;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  std::string path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// One shard with its helpers.
struct OneShard {
  explicit OneShard(DiskBackend backend = DiskBackend::kAuto, std::uint32_t shard = 0, int send_buffer_bytes = 0) {
    ReactorOptions options{.shard = ShardId(shard), .seed = 1, .backend = backend};
    options.send_buffer_bytes = send_buffer_bytes;
    auto made = RealReactor::create(options, helpers);
    PYRALOG_ASSERT(made.ok(), "no reactor");
    reactor = std::move(*made);
  }
  ~OneShard() { helpers->finish(); }

  template <class T>
  T run(Task<T> task) {
    return reactor->run_until_done(std::move(task));
  }

  std::shared_ptr<HelperPools> helpers = std::make_shared<HelperPools>();
  std::unique_ptr<RealReactor> reactor;
};

}  // namespace pyralog::io::testing
