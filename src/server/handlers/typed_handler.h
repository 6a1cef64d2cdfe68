#pragma once

#include <utility>

#include "io/task.h"
#include "protocol/kafka/codec.h"
#include "server/answer_memory.h"
#include "server/request.h"

namespace pyralog::server {

/// Turns an encoded frame into an answer: external ranges become the file ranges that the request keeps under their ids.
Answer answer_of(Request& request, protocol::OutgoingFrame frame);

template <class RequestMessage, class ResponseMessage>
using TypedHandler = io::Task<Result<ResponseMessage>> (*)(Request&, const RequestMessage&);

/// Wraps a handler of messages into one of frames.
template <class RequestMessage, class ResponseMessage, TypedHandler<RequestMessage, ResponseMessage> kHandler>
io::Task<Result<Answer>> run_typed(Request& request) {
  PYRALOG_CO_ASSIGN(const RequestMessage message,
                    protocol::decode<RequestMessage>(request.head.body, request.version(), request.arena));
  PYRALOG_CO_ASSIGN(const ResponseMessage response, co_await kHandler(request, message));
  if (request.silent) co_return Answer{};
  PYRALOG_CO_ASSIGN(
      protocol::OutgoingFrame frame,
      protocol::encode_response(response, request.version(), request.head.header.correlation_id, &allocate_answer));
  co_return answer_of(request, std::move(frame));
}

}  // namespace pyralog::server
