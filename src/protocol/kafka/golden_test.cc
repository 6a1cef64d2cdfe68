#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/kafka/codec.h"
#include "protocol/kafka/every_message.h"

namespace pyralog::protocol {
namespace {

constexpr std::int32_t kCorrelationId = 1179602;
constexpr std::string_view kClientId = "golden";

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string to_hex(ByteView bytes) {
  std::string hex;
  for (const std::byte byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned>(byte) >> 4];
    hex += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return hex;
}

/// Decodes a request frame of kafka-python and encodes it again.
template <class Request>
std::string again_as_request(ByteView frame, ApiVersion version) {
  const Result<ReceivedRequest> received = parse_request(frame.subspan(4));
  if (!received.ok()) return received.error().to_string();
  EXPECT_EQ(received->api, &Request::kApi);
  EXPECT_EQ(received->header.api_version, version);
  EXPECT_EQ(received->header.correlation_id, kCorrelationId);
  EXPECT_EQ(received->header.client_id, kClientId);
  Arena arena;
  const Result<Request> request = decode<Request>(received->body, version, arena);
  if (!request.ok()) return request.error().to_string();
  return to_hex(flatten(encode_request(*request, version, kCorrelationId, kClientId).value()).view());
}

template <class Response>
std::string again_as_response(ByteView frame, ApiVersion version) {
  const Result<ReceivedResponse> received = parse_response(frame.subspan(4), Response::kApi, version);
  if (!received.ok()) return received.error().to_string();
  EXPECT_EQ(received->correlation_id, kCorrelationId);
  Arena arena;
  const Result<Response> response = decode<Response>(received->body, version, arena);
  if (!response.ok()) return response.error().to_string();
  return to_hex(flatten(encode_response(*response, version, kCorrelationId).value()).view());
}

TEST(GoldenFrames, ComeOutAsTheyWentIn) {
  std::ifstream file(PYRALOG_TESTDATA "/golden_frames.txt");
  std::size_t frames_count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string kind, name, hex;
    std::int16_t number = -1;
    words >> kind >> name >> number >> hex;
    const ApiVersion version(number);
    const std::vector<std::byte> frame = from_hex(hex);
    std::string again = "no such API";
    for_each_api([&]<class Request, class Response>() {
      if (Request::kApi.name != name) return;
      again = kind == "request" ? again_as_request<Request>(frame, version) : again_as_response<Response>(frame, version);
    });
    EXPECT_EQ(again, hex) << kind << " " << name << " " << number;
    ++frames_count;
  }
  std::size_t versions_count = 0;
  for (const Api* api : api_table()) {
    versions_count += static_cast<std::size_t>(api->accepted.last.value - api->accepted.first.value + 1);
  }
  EXPECT_EQ(frames_count, 2 * versions_count) << "a request and a response of every version";
}

}  // namespace
}  // namespace pyralog::protocol
