#include "storage/log_dump.h"

#include <algorithm>

#include <fmt/format.h>

#include "record/record_iterator.h"
#include "storage/log_walk.h"

namespace pyralog::storage {
namespace {

std::string_view codec_name(record::Codec codec) noexcept {
  switch (codec) {
    case record::Codec::kNone: return "none";
    case record::Codec::kGzip: return "gzip";
    case record::Codec::kSnappy: return "snappy";
    case record::Codec::kLz4: return "lz4";
    case record::Codec::kZstd: return "zstd";
  }
  return "unknown";
}

std::string field(const std::optional<ByteView>& bytes, std::size_t bytes_max) {
  return bytes.has_value() ? quoted(as_text(*bytes), bytes_max) : "null";
}

std::string batch_line(const record::BatchView& batch, std::uint64_t position) {
  std::string line = fmt::format("batch {}..{} epoch {} at {} bytes {} records {} codec {} {} {}", batch.base_offset().value,
                                 batch.last_offset().value, batch.leader_epoch().value, position, batch.batch_bytes(),
                                 batch.records_count(), codec_name(batch.codec()),
                                 batch.timestamp_type() == record::TimestampType::kCreateTime ? "created" : "appended",
                                 batch.max_timestamp().ms);
  if (batch.producer_id() != kNoProducerId) {
    line += fmt::format(" producer {} epoch {} sequence {}..{}", batch.producer_id().value, batch.producer_epoch().value,
                        batch.base_sequence(), batch.last_sequence());
  }
  if (batch.is_transactional()) line += " transactional";
  if (batch.is_control()) line += " control";
  if (batch.has_delete_horizon()) line += fmt::format(" deletions kept until {}", batch.base_timestamp().ms);
  return line;
}

std::string record_line(const record::RecordView& record, std::size_t bytes_max) {
  std::string line = fmt::format("  record {} time {} key {} value {}", record.offset.value, record.timestamp.ms,
                                 field(record.key, bytes_max), field(record.value, bytes_max));
  for (const record::HeaderView& header : record.headers) {
    line += fmt::format(" header {}={}", quoted(header.key, bytes_max), field(header.value, bytes_max));
  }
  return line;
}

class LogDumper {
 public:
  LogDumper(DumpOptions options, std::function<void(std::string_view)> print)
      : options_(options), print_(std::move(print)) {}

  io::Task<Result<>> run(std::string directory) {
    PYRALOG_CO_ASSIGN(const std::vector<FileName> names, co_await list_partition(directory));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].kind != FileKind::kLog) continue;
      const bool has_next = i + 1 < names.size() && names[i + 1].kind == FileKind::kLog;
      const Offset end = has_next ? names[i + 1].offset : Offset(INT64_MAX);
      if (end <= options_.begin || names[i].offset >= options_.end) continue;
      PYRALOG_CO_ASSIGN(SharedFile file, co_await open_for_reading(directory, names[i]));
      PYRALOG_CO_TRY(co_await dump_segment(std::move(file), names[i], end));
    }
    co_return Result<>();
  }

 private:
  io::Task<Result<>> dump_segment(SharedFile file, FileName name, Offset next_base) {
    const Offset base = name.offset;
    print_(fmt::format("segment {}", file_path("", base, name.kind, name.edition).substr(1)));
    bool is_whole = true;
    BatchVisitor visitor = [&](const record::BatchView& batch, std::uint64_t position) {
      if (batch.base_offset() >= std::min(options_.end, next_base)) return is_whole = false;
      if (batch.end_offset() > options_.begin) dump_batch(batch, position);
      return true;
    };
    PYRALOG_CO_ASSIGN(const WalkedSegment walked, co_await walk_segment(std::move(file), base, epoch_, std::move(visitor)));
    epoch_ = walked.epoch;
    if (is_whole && walked.why != WalkEnd::kEndOfFile) {
      print_(fmt::format("then {} at {}, {} bytes before the end of the file", walk_end_text(walked.why), walked.position,
                         walked.file_bytes - walked.position));
    }
    co_return Result<>();
  }

  void dump_batch(const record::BatchView& batch, std::uint64_t position) {
    print_(batch_line(batch, position));
    if (!options_.records) return;
    auto records = record::RecordIterator::open(batch, decompressor_);
    if (!records.ok()) return print_("  unreadable: " + records.error().to_string());
    record::RecordView record;
    for (;;) {
      const Result<bool> more = records->next(record);
      if (!more.ok()) return print_("  unreadable: " + more.error().to_string());
      if (!*more) break;
      print_(record_line(record, options_.field_bytes_max));
    }
    decompressor_.trim();
  }

  DumpOptions options_;
  std::function<void(std::string_view)> print_;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  record::Decompressor decompressor_;
};

}  // namespace

std::string quoted(std::string_view bytes, std::size_t bytes_max) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, bytes_max)) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  text += '"';
  if (bytes.size() > bytes_max) text += fmt::format("+{}", bytes.size() - bytes_max);
  return text;
}

io::Task<Result<>> dump_log(std::string directory, DumpOptions options, std::function<void(std::string_view)> print) {
  LogDumper dumper(options, std::move(print));
  co_return co_await dumper.run(std::move(directory));
}

}  // namespace pyralog::storage
