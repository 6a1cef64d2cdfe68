#include "protocol/kafka/error_code.h"

namespace pyralog::protocol {

std::string_view kafka_error_name(KafkaError error) noexcept {
  switch (error) {
#define PYRALOG_KAFKA_ERROR(enumerator, code, name) \
  case KafkaError::enumerator:                      \
    return name;
#include "protocol/kafka/error_codes.def"
#undef PYRALOG_KAFKA_ERROR
  }
  return "UNKNOWN";
}

KafkaError to_kafka_error(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument: return KafkaError::kInvalidRequest;
    case ErrorCode::kNotFound: return KafkaError::kUnknownTopicOrPartition;
    case ErrorCode::kAlreadyExists: return KafkaError::kTopicAlreadyExists;
    case ErrorCode::kOutOfRange: return KafkaError::kOffsetOutOfRange;
    case ErrorCode::kCorrupt: return KafkaError::kCorruptMessage;
    case ErrorCode::kTruncated: return KafkaError::kCorruptMessage;
    case ErrorCode::kUnsupportedVersion: return KafkaError::kUnsupportedVersion;
    case ErrorCode::kUnsupportedCodec: return KafkaError::kUnsupportedCompressionType;
    case ErrorCode::kTooLarge: return KafkaError::kMessageTooLarge;
    case ErrorCode::kLimitExceeded: return KafkaError::kThrottlingQuotaExceeded;
    case ErrorCode::kIo: return KafkaError::kKafkaStorageError;
    case ErrorCode::kNoSpace: return KafkaError::kKafkaStorageError;
    case ErrorCode::kLocked: return KafkaError::kUnknownServerError;
    case ErrorCode::kForeign: return KafkaError::kUnknownServerError;
    case ErrorCode::kAddressInUse: return KafkaError::kUnknownServerError;
    case ErrorCode::kConnectionClosed: return KafkaError::kNetworkException;
    // The writes of an aborted or timed-out operation may yet take effect, which is what this code means to clients.
    case ErrorCode::kTimedOut: return KafkaError::kRequestTimedOut;
    case ErrorCode::kAborted: return KafkaError::kRequestTimedOut;
    case ErrorCode::kOutcomeUnknown: return KafkaError::kRequestTimedOut;
    // A closed partition was moved, deleted, or its node stops: asking for metadata again finds out which.
    case ErrorCode::kClosed: return KafkaError::kNotLeaderOrFollower;
    case ErrorCode::kUnavailable: return KafkaError::kLeaderNotAvailable;
    case ErrorCode::kInvalidRecord: return KafkaError::kInvalidRecord;
    case ErrorCode::kInvalidTimestamp: return KafkaError::kInvalidTimestamp;
    case ErrorCode::kOutOfOrderSequence: return KafkaError::kOutOfOrderSequenceNumber;
    case ErrorCode::kDuplicateSequence: return KafkaError::kDuplicateSequenceNumber;
    case ErrorCode::kProducerFenced: return KafkaError::kInvalidProducerEpoch;
    case ErrorCode::kNotLeader: return KafkaError::kNotLeaderOrFollower;
    case ErrorCode::kFencedEpoch: return KafkaError::kFencedLeaderEpoch;
    case ErrorCode::kUnknownEpoch: return KafkaError::kUnknownLeaderEpoch;
    case ErrorCode::kPolicyViolation: return KafkaError::kPolicyViolation;
  }
  return KafkaError::kUnknownServerError;
}

}  // namespace pyralog::protocol
