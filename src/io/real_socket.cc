#include "io/real_socket.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <cstring>
#include <memory>

namespace pyralog::io {

std::optional<SocketAddress> SocketAddress::from_literal(const Endpoint& endpoint) {
  SocketAddress address;
  if (inet_pton(AF_INET, endpoint.host.c_str(), &address.v4_.sin_addr) == 1) {
    address.v4_.sin_family = AF_INET;
    address.v4_.sin_port = htons(endpoint.port);
    return address;
  }
  address.v6_ = {};
  if (inet_pton(AF_INET6, endpoint.host.c_str(), &address.v6_.sin6_addr) == 1) {
    address.v6_.sin6_family = AF_INET6;
    address.v6_.sin6_port = htons(endpoint.port);
    return address;
  }
  return std::nullopt;
}

Result<std::vector<SocketAddress>> SocketAddress::resolve(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Error(ErrorCode::kUnavailable, "host " + endpoint.host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
      if (entry->ai_family != family) continue;
      SocketAddress address;
      std::memcpy(address.get(), entry->ai_addr, entry->ai_addrlen);
      (family == AF_INET ? address.v4_.sin_port : address.v6_.sin6_port) = htons(endpoint.port);
      addresses.push_back(address);
    }
  }
  if (addresses.empty()) return Error(ErrorCode::kUnavailable, "host " + endpoint.host + " has no address");
  return addresses;
}

SocketAddress SocketAddress::local_of(int fd) noexcept {
  SocketAddress address;
  socklen_t size = kSizeMax;
  if (getsockname(fd, address.get(), &size) != 0) return {};
  return address;
}

Endpoint SocketAddress::to_endpoint() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof text);
    return Endpoint{.host = text, .port = ntohs(v4_.sin_port)};
  }
  if (family() != AF_INET6) return {};
  if (IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr)) {
    inet_ntop(AF_INET, v6_.sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof text);
  }
  return Endpoint{.host = text, .port = ntohs(v6_.sin6_port)};
}

}  // namespace pyralog::io
