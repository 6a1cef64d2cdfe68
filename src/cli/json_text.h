#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pyralog::cli {

/// Writes one JSON value. The caller opens and closes objects and arrays in pairs; commas are its business. Strings may
/// hold any bytes: what is not UTF-8 becomes U+FFFD.
class JsonWriter {
 public:
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  /// The next value is this member's.
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool truth) { raw(truth ? "true" : "false"); }
  void value(double number);  ///< not finite: null
  void value(std::signed_integral auto number) { raw(std::to_string(number)); }
  void value(std::unsigned_integral auto number) { raw(std::to_string(number)); }
  void null() { raw("null"); }
  /// A number that is text already.
  void literal(std::string_view number) { raw(number); }

  template <class T>
  void field(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

  const std::string& text() const noexcept { return text_; }

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void raw(std::string_view literal);

  std::string text_;
  std::vector<bool> has_elements_{false};
  bool after_key_ = false;
};

/// Whether `bytes` are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes) noexcept;

std::string base64(std::string_view bytes);

}  // namespace pyralog::cli
