#include "cli/produce_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/line_splitter.h"
#include "core/limits.h"
#include "io/blocking.h"

namespace pyralog::cli {
namespace {

constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::size_t kRecordBytesMax = limits::kDecompressedBytesMax;

class Input {
 public:
  static Result<Input> open(const std::string& file) {
    if (file.empty() || file == "-") return Input(STDIN_FILENO);
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return Error(ErrorCode::kIo, file + ": " + std::strerror(errno));
    return Input(fd);
  }
  Input(Input&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Input() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }

  /// Empty at the end. Reads on a helper thread, because input may be somebody's keyboard.
  io::Task<Result<std::string>> read() {
    const int fd = fd_;
    auto blocking = [fd] {
      std::string chunk(kReadBytes, '\0');
      ssize_t got = 0;
      do {
        got = ::read(fd, chunk.data(), chunk.size());
      } while (got < 0 && errno == EINTR);
      const int error = errno;
      chunk.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      return std::pair(std::move(chunk), got < 0 ? error : 0);
    };
    auto [chunk, error] = co_await io::run_blocking(std::move(blocking), io::Lane::kFiles);
    if (error != 0) co_return Error(ErrorCode::kIo, std::string("input: ") + std::strerror(error));
    co_return std::move(chunk);
  }

 private:
  explicit Input(int fd) noexcept : fd_(fd) {}
  int fd_;
};

client::ProducerRecord to_record(const ProduceCommand& command, std::string_view line) {
  client::ProducerRecord record;
  if (command.key_separator.has_value()) {
    const std::size_t at = line.find(*command.key_separator);
    if (at != std::string_view::npos) {
      record.key = std::string(line.substr(0, at));
      line.remove_prefix(at + command.key_separator->size());
    }
  }
  record.value = std::string(line);
  record.headers = command.headers;
  if (command.partition.has_value()) record.partition = PartitionIndex(*command.partition);
  return record;
}

io::Task<Result<>> produce_lines(const ProduceCommand& command, client::Producer& producer) {
  PYRALOG_CO_ASSIGN(Input input, Input::open(command.file));
  LineSplitter lines(command.delimiter);
  for (;;) {
    PYRALOG_CO_ASSIGN(const std::string chunk, co_await input.read());
    if (chunk.empty()) break;
    lines.feed(chunk);
    while (const auto line = lines.next()) {
      PYRALOG_CO_TRY(co_await producer.append(to_record(command, *line)));
    }
    if (lines.pending_bytes() > kRecordBytesMax) {
      co_return Error(ErrorCode::kTooLarge, fmt::format("a record of more than {} bytes", kRecordBytesMax));
    }
  }
  if (const auto line = lines.rest()) PYRALOG_CO_TRY(co_await producer.append(to_record(command, *line)));
  co_return Result<>();
}

io::Task<Result<>> produce(client::ClusterClient& cluster, const ProduceCommand& command) {
  PYRALOG_CO_ASSIGN(const auto producer, co_await client::Producer::open(cluster, command.log, command.producer));
  Result<> produced = co_await produce_lines(command, *producer);
  Result<> flushed = co_await producer->flush();
  const std::uint64_t count = producer->records_acknowledged();
  const bool are_acknowledged = command.producer.acks != client::Acks::kNone;
  fmt::print(stderr, "{} records {}\n", count, are_acknowledged ? "acknowledged" : "sent");
  co_await producer->close();
  co_return produced.ok() ? std::move(flushed) : std::move(produced);
}

}  // namespace

int run_produce(const ProduceCommand& command) {
  return run_session(command.session, [&](client::ClusterClient& cluster) { return produce(cluster, command); });
}

}  // namespace pyralog::cli
