#include "cli/bench/batch_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "core/random.h"
#include "record/batch_builder.h"

namespace pyralog::cli {
namespace {

constexpr std::size_t kBatches = 16;  // at least
constexpr std::uint64_t kSeed = 20240501;
constexpr std::string_view kWords[] = {"the ", "log ", "keeps ", "records ", "in ", "order ", "until ", "they ", "expire ",
                                       "and ", "readers ", "find ", "them ", "by ", "offset ", "again\n"};

void fill(std::string& value, Random& random, bool text) {
  if (text) {
    std::string words;
    while (words.size() < value.size()) words += kWords[random.below(std::size(kWords))];
    value.assign(words, 0, value.size());
    return;
  }
  for (char& c : value) c = static_cast<char>(random.next());
}

/// The key of a load's record with this number; none where the load has none.
std::optional<std::string> key_of(const ProduceLoadOptions& options, std::uint64_t number) {
  if (options.keys == 0) return std::nullopt;
  return fmt::format("key-{:08}", number % options.keys);
}

/// Whether a batch that has records takes one more.
bool has_room(const ProduceLoadOptions& options, const BatchPool& pool, const record::BatchBuilder& builder,
              const record::RecordInput& record) {
  const auto count = static_cast<std::uint32_t>(builder.records_count());
  if (options.batch_records != 0) return count < options.batch_records;
  if (!pool.batches.empty()) return count < pool.records_per_batch;  // all have as many as the first
  return builder.bytes_uncompressed() + record::BatchBuilder::record_bytes_max(record) <= options.batch_bytes;
}

}  // namespace

Result<BatchPool> BatchPool::build(const ProduceLoadOptions& options, WallTime now) {
  Random random(kSeed);
  BatchPool pool;
  std::string value(options.record_bytes, '\0');
  record::BatchBuilder builder(record::BatchBuilderOptions{.codec = options.codec});
  std::uint64_t records = 0;
  while (pool.batches.size() < kBatches || records < options.keys) {
    builder.clear();
    std::optional<std::string> key = key_of(options, records);
    record::RecordInput record{.timestamp = now, .key = std::nullopt, .value = as_bytes(value), .headers = {}};
    do {
      fill(value, random, options.text);
      if (key.has_value()) record.key = as_bytes(*key);
      PYRALOG_TRY(builder.append(record));
      key = key_of(options, ++records);
    } while (has_room(options, pool, builder, record));
    pool.records_per_batch = static_cast<std::uint32_t>(builder.records_count());
    PYRALOG_ASSIGN(const ByteView batch, builder.finish());
    pool.batches.push_back(Slice::copy_of(batch));
  }
  return pool;
}

std::size_t BatchPool::batch_bytes_max() const noexcept {
  std::size_t most = 0;
  for (const Slice& batch : batches) most = std::max(most, batch.size());
  return most;
}

}  // namespace pyralog::cli
