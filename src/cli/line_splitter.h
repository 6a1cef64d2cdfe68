#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace pyralog::cli {

/// Cuts a stream of bytes at a delimiter, however the stream is chunked.
class LineSplitter {
 public:
  explicit LineSplitter(std::string delimiter) : delimiter_(std::move(delimiter)) {}

  void feed(std::string_view chunk) {
    pending_.erase(0, taken_);
    searched_ -= taken_;
    taken_ = 0;
    pending_ += chunk;
  }

  /// The next whole line, without its delimiter; valid until the next feed().
  std::optional<std::string_view> next() {
    const std::size_t end = pending_.find(delimiter_, searched_);
    if (end == std::string::npos) {
      // A delimiter may have begun at the end.
      const std::size_t safe = pending_.size() - std::min(pending_.size(), delimiter_.size() - 1);
      searched_ = std::max(taken_, safe);
      return std::nullopt;
    }
    const std::string_view line = std::string_view(pending_).substr(taken_, end - taken_);
    taken_ = searched_ = end + delimiter_.size();
    return line;
  }

  /// What is left at the end of the stream: a last line without delimiter, if there is one.
  std::optional<std::string_view> rest() const {
    if (taken_ == pending_.size()) return std::nullopt;
    return std::string_view(pending_).substr(taken_);
  }

  std::size_t pending_bytes() const noexcept { return pending_.size() - taken_; }

 private:
  std::string delimiter_;  // not empty
  std::string pending_;
  std::size_t taken_ = 0;     // bytes of pending_ that were given out
  std::size_t searched_ = 0;  // no delimiter begins before
};

}  // namespace pyralog::cli
