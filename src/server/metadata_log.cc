#include "server/metadata_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/checksum.h"
#include "record/batch_builder.h"
#include "record/batch_splitter.h"
#include "record/record_iterator.h"
#include "server/shard.h"
#include "storage/planted.h"
#include "storage/read_bytes.h"

namespace pyralog::server {
namespace {

constexpr std::string_view kSnapshotSuffix = ".image";
constexpr std::size_t kSnapshotDigits = 20;
constexpr std::size_t kSnapshotBytesMax = 1u << 30;
constexpr std::size_t kReadBytesMax = 1u << 20;
constexpr std::size_t kCommandBytesMax = 8u << 20;  // a log with as many partitions as one may have

std::string snapshot_name(cluster::MetadataIndex index) { return fmt::format("{:020}{}", index.value, kSnapshotSuffix); }

std::optional<cluster::MetadataIndex> snapshot_index(std::string_view name) {
  if (name.size() != kSnapshotDigits + kSnapshotSuffix.size() || !name.ends_with(kSnapshotSuffix)) return std::nullopt;
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kSnapshotDigits, index);
  if (error != std::errc() || end != name.data() + kSnapshotDigits) return std::nullopt;
  return cluster::MetadataIndex(index);
}

Result<cluster::ImagePtr> decode_snapshot_file(ByteView file, cluster::MetadataIndex index) {
  if (file.size() < sizeof(std::uint32_t)) return ErrorCode::kTruncated;
  const ByteView image_bytes = file.first(file.size() - sizeof(std::uint32_t));
  if (load_little<std::uint32_t>(file.data() + image_bytes.size()) != crc32c(image_bytes)) return ErrorCode::kCorrupt;
  PYRALOG_ASSIGN(cluster::ImagePtr image, cluster::MetadataImage::decode_snapshot(image_bytes));
  if (image->applied_index() != index) return Error(ErrorCode::kCorrupt, "its name and its content differ");
  return image;
}

}  // namespace

MetadataLog::MetadataLog(Shard& home) : home_(home), directory_(home.info().data_directory + "/meta") {}
MetadataLog::~MetadataLog() = default;

std::string MetadataLog::path(const std::string& name) const { return directory_ + "/" + name; }

io::Task<Result<cluster::ImagePtr>> MetadataLog::open(bool belongs_to_cluster) {
  PYRALOG_CO_TRY(co_await home_.reactor().disk().make_directories(directory_));
  PYRALOG_CO_TRY(co_await open_log(belongs_to_cluster));
  PYRALOG_CO_ASSIGN(cluster::ImagePtr image, co_await load_snapshot());
  auto replayed = co_await replay(std::move(image));
  if (!replayed.ok()) {
    co_return replayed.error().with_context(directory_ + "/log: metadata cannot be read; restore its files as they were");
  }
  co_return replayed;
}

io::Task<Result<>> MetadataLog::open_log(bool belongs_to_cluster) {
  storage::PartitionFiles* files = home_.store().find(kMetadataIncarnation);
  if (files == nullptr && belongs_to_cluster) {
    co_return Error(ErrorCode::kCorrupt,
                    fmt::format("{}/journal/0: a file is missing or damaged: it does not know of the metadata in {}; restore "
                                "the directory's files as they were",
                                home_.info().data_directory, directory_));
  }
  if (files == nullptr) {
    storage::PartitionSpec spec{.incarnation = kMetadataIncarnation, .directory = "meta/log"};
    PYRALOG_CO_ASSIGN(files, co_await home_.store().create(std::move(spec)));
  }
  auto settings = std::make_shared<storage::LogSettings>();
  settings->retention_ms = storage::LogSettings::kUnbounded;
  settings->batch_bytes_max = kCommandBytesMax;
  settings->space_use = storage::SpaceUse::kMayTakeLast;  // or no log could be deleted on a full disk
  log_ = std::make_unique<storage::PartitionLog>(home_.logs(), *files, std::move(settings));
  log_->lead(log_->next_epoch());
  co_return Result<>();
}

io::Task<Result<>> MetadataLog::append(const cluster::Command& command) {
  const std::vector<std::byte> bytes = cluster::encode_command(command);
  record::BatchBuilder builder;
  PYRALOG_CO_TRY(builder.append({.timestamp = home_.reactor().wall_now(), .value = ByteView(bytes)}));
  PYRALOG_CO_ASSIGN(const ByteView batch, builder.finish());
  auto appended = log_->append(Slice::copy_of(batch));
  if (!appended.ok() && appended.error() == ErrorCode::kUnavailable) {
    appended = co_await log_->append_in_turn(Slice::copy_of(batch));
  }
  if (!appended.ok()) co_return std::move(appended).error();
  if (storage::planted(storage::Bug::kMetadataNotAwaited)) co_return Result<>();
  co_return co_await home_.store().wait_synced(appended->round);
}

io::Task<Result<cluster::ImagePtr>> MetadataLog::load_snapshot() {
  PYRALOG_CO_ASSIGN(const auto entries, co_await home_.reactor().disk().list(directory_));
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const auto index = snapshot_index(entry->name);
    if (!index.has_value()) continue;
    const std::string file = path(entry->name);
    PYRALOG_CO_ASSIGN(const auto bytes, co_await storage::read_whole_file(home_.reactor().disk(), file, kSnapshotBytesMax));
    auto image = decode_snapshot_file(bytes.view(), *index);
    if (!image.ok() && image.error() == ErrorCode::kUnsupportedVersion) co_return image.error().with_context(file);
    if (!image.ok()) co_return image.error().with_context(file + ": metadata cannot be read; restore the file as it was");
    snapshot_index_ = *index;
    co_return image;
  }
  co_return std::make_shared<const cluster::MetadataImage>();
}

io::Task<Result<cluster::ImagePtr>> MetadataLog::replay(cluster::ImagePtr image) {
  const Offset first_needed(static_cast<std::int64_t>(image->applied_index().value));
  if (log_->start() > first_needed) {
    co_return Error(ErrorCode::kCorrupt,
                    fmt::format("no snapshot {}/*{} holds the commands before offset {}, which are deleted", directory_,
                                kSnapshotSuffix, log_->start().value));
  }
  Offset next = first_needed;
  while (next < log_->log_end()) {
    storage::ReadOptions options{.offset = next, .bytes_max = kReadBytesMax, .limit = storage::ReadLimit::kLogEnd};
    PYRALOG_CO_ASSIGN(const auto bytes, co_await storage::read_bytes(*log_, options));
    if (bytes.empty())
      co_return Error(ErrorCode::kCorrupt, directory_ + ": unreadable at offset " + std::to_string(next.value));
    PYRALOG_CO_TRY(apply_batches(bytes.view(), image, next));
  }
  co_return image;
}

Result<> MetadataLog::apply_batches(ByteView bytes, cluster::ImagePtr& image, Offset& next) {
  record::BatchSplitter batches(bytes);
  for (;;) {
    PYRALOG_ASSIGN(const auto batch, batches.next());
    if (!batch.has_value()) return {};
    PYRALOG_TRY(batch->verify_crc());
    PYRALOG_ASSIGN(record::RecordIterator records, record::RecordIterator::open(*batch, home_.decompressor()));
    record::RecordView record;
    for (;;) {
      PYRALOG_ASSIGN(const bool found, records.next(record));
      if (!found) break;
      if (record.offset < next) continue;
      const std::string where = "metadata command at offset " + std::to_string(next.value);
      auto command = cluster::decode_command(record.value.value_or(ByteView()));
      if (!command.ok()) return command.error().with_context(where);
      auto applied = image->apply(cluster::MetadataIndex(static_cast<std::uint64_t>(next.value) + 1), *command);
      if (!applied.ok()) return applied.error().with_context(where);
      image = std::move(*applied);
      next += OffsetDelta(1);
    }
  }
}

io::Task<Result<>> MetadataLog::maybe_snapshot(const cluster::MetadataImage& image) {
  if (image.applied_index().value - snapshot_index_.value < kCommandsPerSnapshot) co_return Result<>();
  PYRALOG_CO_TRY(co_await write_snapshot(image));
  const cluster::MetadataIndex before = std::exchange(snapshot_index_, image.applied_index());
  PYRALOG_CO_TRY(co_await log_->delete_records(Offset(static_cast<std::int64_t>(snapshot_index_.value))));
  if (before.value > 0) co_return co_await home_.reactor().disk().remove(path(snapshot_name(before)));
  co_return Result<>();
}

io::Task<Result<>> MetadataLog::write_snapshot(const cluster::MetadataImage& image) {
  std::vector<std::byte> bytes = image.encode_snapshot();
  const std::size_t image_bytes = bytes.size();
  bytes.resize(image_bytes + sizeof(std::uint32_t));
  store_little(bytes.data() + image_bytes, crc32c(ByteView(bytes).first(image_bytes)));
  io::Disk& disk = home_.reactor().disk();
  const std::string final_path = path(snapshot_name(image.applied_index()));
  const std::string temporary = final_path + ".new";
  io::OpenOptions options{.existence = io::Existence::kMayCreate};
  {
    PYRALOG_CO_ASSIGN(auto file, co_await disk.open(temporary, options));
    std::vector<ByteView> pieces{ByteView(bytes)};
    PYRALOG_CO_TRY(co_await file->truncate(0));
    PYRALOG_CO_TRY(co_await file->write_and_sync(0, std::move(pieces)));
  }
  PYRALOG_CO_TRY(co_await disk.rename(temporary, final_path));
  co_return co_await disk.sync_directory(directory_);
}

io::Task<Result<>> MetadataLog::close() {
  co_await log_->close();
  log_.reset();
  co_return Result<>();
}

}  // namespace pyralog::server
