#pragma once

#include <cstddef>
#include <cstdint>

/// Every limit that is not a setting, with its unit in the name and its relations checked here. Limits that operators may
/// change are defaults of settings (`server/config.h`).
namespace pyralog::limits {

// Frames and requests (reliability.md §7).
inline constexpr std::size_t kFrameBytesMax = 100u << 20;
inline constexpr std::size_t kControlFrameBytesMax = 8u << 20;  // all but produce requests, which are mostly records
inline constexpr std::size_t kRequestsPipelinedMax = 64;
inline constexpr std::size_t kUnsentAnswerBytesMax = 1u << 20;  // of a connection; beyond it no further request is served
inline constexpr std::size_t kTaggedFieldsMax = 128;
inline constexpr std::size_t kTaggedFieldBytesMax = 64u << 10;

inline constexpr std::size_t kSendFileBytesMax = 1u << 20;  // before others of the shard get a turn
inline constexpr std::size_t kFetchBytesMax = 55u << 20;  // of one answer

// Record batches.
inline constexpr std::size_t kBatchBytesMaxDefault = 1048588;  // 1 MiB + 12, Kafka's max.message.bytes
inline constexpr std::size_t kBatchBytesMax = 15u << 20;  // what max.message.bytes may be set to: a round holds a batch
inline constexpr std::size_t kDecompressedBytesMax = 64u << 20;
inline constexpr std::size_t kDecompressionRatioMax = 1000;
inline constexpr std::size_t kDecompressionRatioFreeBytes = 4u << 20;  // the ratio is checked beyond this output
inline constexpr std::size_t kZstdWindowBytesMax = 8u << 20;

// Journal and segments (storage.md).
inline constexpr std::size_t kSectorBytes = 512;
inline constexpr std::size_t kBlockBytes = 4096;
inline constexpr std::size_t kJournalFileBytes = 64u << 20;
inline constexpr std::size_t kJournalFirstFileBytes = 1u << 20;
inline constexpr std::size_t kJournalBytesMax = 256u << 20;
inline constexpr std::size_t kRoundBytesMax = 16u << 20;
inline constexpr std::size_t kDirtyBytesMax = 64u << 20;
inline constexpr std::size_t kWriteCacheBytesMax = 16u << 20;
inline constexpr std::size_t kCleanerPassBytesMax = 4u << 20;
inline constexpr std::size_t kDirectPassBytesMin = 1u << 20;
inline constexpr std::size_t kBypassBytesMin = 4u << 20;
inline constexpr std::size_t kBypassPartitionsPerRoundMax = 16;
inline constexpr std::size_t kBatchCopiedBytesBelow = 8u << 10;
inline constexpr std::size_t kWriteBytesMax = 256u << 10;  // one pwrite in line
inline constexpr std::size_t kDescriptorsCachedMax = 4096;
inline constexpr std::size_t kProducersPerPartitionMax = 100'000;
inline constexpr std::size_t kProducerBatchesRemembered = 5;

// Names.
inline constexpr std::size_t kLogNameBytesMax = 249;

// Metadata: the same on every node, or nodes would disagree about which commands are refused.
inline constexpr std::size_t kLogsMax = 200'000;
inline constexpr std::size_t kPartitionsMax = 200'000;  // of all logs together
inline constexpr std::size_t kPartitionsPerLogMax = 50'000;
inline constexpr std::size_t kReplicasPerPartitionMax = 32;
inline constexpr std::size_t kNodesMax = 1'000;
inline constexpr std::size_t kFeaturesMax = 64;
inline constexpr std::size_t kSettingsPerResourceMax = 256;
inline constexpr std::size_t kSettingValueBytesMax = 32'767;  // Kafka's
inline constexpr std::size_t kMetadataNameBytesMax = 255;     // names of settings and features, racks
inline constexpr std::size_t kProducerIdsPerBlockMax = 1'000'000;

static_assert(kControlFrameBytesMax <= kFrameBytesMax);
static_assert(kRoundBytesMax < kJournalFileBytes);
static_assert(kJournalBytesMax >= 4 * kJournalFileBytes);
static_assert(kBatchBytesMaxDefault <= kBatchBytesMax && kBatchBytesMax < kRoundBytesMax);
static_assert(kBlockBytes % kSectorBytes == 0);

}  // namespace pyralog::limits
