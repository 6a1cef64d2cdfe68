#pragma once

#include <optional>
#include <string_view>

#include "core/errors.h"
#include "protocol/kafka/error_code.h"
#include "server/request.h"

namespace pyralog::server {

/// An error of the metadata log or its checks in the terms of Kafka's administration APIs.
protocol::KafkaError admin_error(const Error& error, protocol::KafkaError invalid_argument);

/// Puts an error and its text into an item of an answer.
template <class Item>
void refuse(Request& request, Item& item, protocol::KafkaError code, std::string_view message) {
  item.error_code = code;
  item.error_message = request.arena.copy(message);
}

}  // namespace pyralog::server
