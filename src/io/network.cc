#include "io/network.h"

#include <charconv>
#include <vector>

namespace pyralog::io {

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto bad = [&](const char* why) {
    return Error(ErrorCode::kInvalidArgument, "address \"" + std::string(text) + "\": " + why + " (expected host:port)");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address needs brackets");
  }
  if (host.empty()) return bad("no host");
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) return bad("the port is not in 0..65535");
  return Endpoint{.host = std::string(host), .port = port};
}

std::string Endpoint::to_string() const {
  const bool bracket = host.find(':') != std::string::npos;
  return (bracket ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Endpoint::is_loopback() const noexcept {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Task<Result<>> write_all(Connection& connection, std::vector<ByteView> pieces) {
  std::span<ByteView> left(pieces);
  for (;;) {
    while (!left.empty() && left.front().empty()) left = left.subspan(1);
    if (left.empty()) co_return Result<>();
    PYRALOG_CO_ASSIGN(std::size_t taken, connection.try_write(left));
    if (taken == 0) {
      co_await connection.writable();
      continue;
    }
    while (taken > 0) {
      const std::size_t step = std::min(taken, left.front().size());
      left.front() = left.front().subspan(step);
      taken -= step;
      if (left.front().empty()) left = left.subspan(1);
    }
  }
}

}  // namespace pyralog::io
