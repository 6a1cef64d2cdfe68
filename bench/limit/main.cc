// The floor of durable produce on this machine: one thread that receives Kafka's Produce frames, checks their batches, and
// writes them from its receive buffers to a recycled journal, one round under way at a time, answering when a round is
// durable. It keeps no logs, serves no reads and recovers nothing: what a server does beside this is what it costs more.
//
//   limit --port 19092 --directory DIR --partitions 16 [--writes 1|2]
//
// --writes 2 also writes each byte to a plain file, as a log must that keeps segments apart from its journal.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "clients.h"
#include "journal_writer.h"

namespace {

using namespace limit;

struct Options {
  Facts facts{.port = 19092, .partitions = 1};
  std::string directory = ".";
  int writes = 1;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string key = arguments[i];
    const char* value = arguments[i + 1];
    if (key == "--port") options.facts.port = std::atoi(value);
    else if (key == "--partitions") options.facts.partitions = std::atoi(value);
    else if (key == "--directory") options.directory = value;
    else if (key == "--writes") options.writes = std::atoi(value);
    else {
      std::fprintf(stderr, "limit: unknown option %s\n", key.c_str());
      std::exit(2);
    }
  }
  return options;
}

int listen_on(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (::listen(socket, 1024) != 0) die("listen");
  return socket;
}

class Loop {
 public:
  explicit Loop(const Options& options)
      : options_(options), journal_(options.directory, options.writes == 2), listener_(listen_on(options.facts.port)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)), ends_(static_cast<std::size_t>(options.facts.partitions), pyralog::Offset(0)) {
    watch(listener_);
    watch(journal_.descriptor());
  }

  [[noreturn]] void run() {
    std::printf("ready\n");
    std::fflush(stdout);
    for (;;) {
      epoll_event events[256];
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_) accept_all();
        else if (const auto found = clients_.find(fd); found != clients_.end()) found->second->set_readable();
      }
      if (journal_.busy() && journal_.finished()) {
        for_each([](Client& client) { return client.send_due(); });
      }
      if (!journal_.busy()) start_round();
    }
  }

 private:
  void watch(int fd) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  template <class Function>
  void for_each(Function function) {
    for (auto at = clients_.begin(); at != clients_.end();) at = function(*at->second) ? std::next(at) : clients_.erase(at);
  }

  void accept_all() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) return;
      const int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      clients_[socket] = std::make_unique<Client>(socket);
      watch(socket);
    }
  }

  // While a round is under way the sockets' buffers collect the next one.
  void start_round() {
    std::vector<pyralog::Slice> batches;
    for_each([&](Client& client) {
      return !client.readable() || client.receive(options_.facts, ends_, batches, JournalWriter::kBatchesPerRoundMax);
    });
    if (batches.empty()) return;
    for_each([](Client& client) { return client.seal(), true; });
    journal_.start(std::move(batches));
  }

  Options options_;
  JournalWriter journal_;
  int listener_;
  int epoll_;
  std::vector<pyralog::Offset> ends_;
  std::map<int, std::unique_ptr<Client>> clients_;
};

}  // namespace

int main(int count, char** arguments) {
  Loop loop(parse(count, arguments));
  loop.run();
}
