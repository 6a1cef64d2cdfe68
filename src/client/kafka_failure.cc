#include "client/kafka_failure.h"

namespace pyralog::client {

using protocol::KafkaError;

namespace {

ErrorCode code_of(KafkaError error) noexcept {
  switch (error) {
    case KafkaError::kUnknownTopicOrPartition:
    case KafkaError::kUnknownTopicId:
    case KafkaError::kGroupIdNotFound:
    case KafkaError::kResourceNotFound: return ErrorCode::kNotFound;
    case KafkaError::kTopicAlreadyExists: return ErrorCode::kAlreadyExists;
    case KafkaError::kOffsetOutOfRange: return ErrorCode::kOutOfRange;
    case KafkaError::kMessageTooLarge:
    case KafkaError::kRecordListTooLarge: return ErrorCode::kTooLarge;
    case KafkaError::kCorruptMessage: return ErrorCode::kCorrupt;
    case KafkaError::kInvalidRecord: return ErrorCode::kInvalidRecord;
    case KafkaError::kInvalidTimestamp: return ErrorCode::kInvalidTimestamp;
    case KafkaError::kUnsupportedVersion: return ErrorCode::kUnsupportedVersion;
    case KafkaError::kUnsupportedCompressionType: return ErrorCode::kUnsupportedCodec;
    case KafkaError::kKafkaStorageError: return ErrorCode::kIo;
    case KafkaError::kPolicyViolation: return ErrorCode::kPolicyViolation;
    case KafkaError::kOutOfOrderSequenceNumber:
    case KafkaError::kUnknownProducerId: return ErrorCode::kOutOfOrderSequence;
    case KafkaError::kDuplicateSequenceNumber: return ErrorCode::kDuplicateSequence;
    case KafkaError::kInvalidProducerEpoch:
    case KafkaError::kProducerFenced: return ErrorCode::kProducerFenced;
    case KafkaError::kNotLeaderOrFollower: return ErrorCode::kNotLeader;
    case KafkaError::kFencedLeaderEpoch: return ErrorCode::kFencedEpoch;
    case KafkaError::kUnknownLeaderEpoch: return ErrorCode::kUnknownEpoch;
    case KafkaError::kRequestTimedOut: return ErrorCode::kOutcomeUnknown;
    case KafkaError::kThrottlingQuotaExceeded: return ErrorCode::kLimitExceeded;
    case KafkaError::kLeaderNotAvailable:
    case KafkaError::kBrokerNotAvailable:
    case KafkaError::kReplicaNotAvailable:
    case KafkaError::kNetworkException:
    case KafkaError::kCoordinatorLoadInProgress:
    case KafkaError::kCoordinatorNotAvailable:
    case KafkaError::kNotCoordinator:
    case KafkaError::kNotController:
    case KafkaError::kNotEnoughReplicas:
    case KafkaError::kNotEnoughReplicasAfterAppend:
    case KafkaError::kOffsetNotAvailable: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInvalidArgument;
  }
}

}  // namespace

Error failure_of(KafkaError error, std::string_view subject, std::optional<std::string_view> message) {
  std::string detail(subject);
  if (!detail.empty()) detail += ": ";
  const std::string_view name = kafka_error_name(error);
  detail += name;
  if (name == "UNKNOWN") detail += " (" + std::to_string(static_cast<int>(error)) + ")";
  if (message.has_value() && !message->empty()) detail.append(": ").append(*message);
  return Error(code_of(error), std::move(detail));
}

bool is_stale_metadata(KafkaError error) noexcept {
  switch (error) {
    case KafkaError::kNotLeaderOrFollower:
    case KafkaError::kLeaderNotAvailable:
    case KafkaError::kFencedLeaderEpoch:
    case KafkaError::kUnknownLeaderEpoch:
    case KafkaError::kUnknownTopicOrPartition:
    case KafkaError::kUnknownTopicId: return true;
    default: return false;
  }
}

}  // namespace pyralog::client
