#include "server/handlers/admin_answers.h"

namespace pyralog::server {

protocol::KafkaError admin_error(const Error& error, protocol::KafkaError invalid_argument) {
  using protocol::KafkaError;
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      return invalid_argument;
    case ErrorCode::kAlreadyExists:
      return KafkaError::kTopicAlreadyExists;
    case ErrorCode::kNotFound:
      return KafkaError::kUnknownTopicOrPartition;
    case ErrorCode::kLimitExceeded:
    case ErrorCode::kPolicyViolation:
      return KafkaError::kPolicyViolation;
    default:
      return protocol::to_kafka_error(error.code());
  }
}

}  // namespace pyralog::server
