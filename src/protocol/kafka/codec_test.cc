#include "protocol/kafka/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/limits.h"
#include "protocol/kafka/every_message.h"

namespace pyralog::protocol {
namespace {

using namespace std::string_view_literals;

std::string text_of(const Slice& slice) { return std::string(as_text(slice.view())); }

/// Bytes written as a literal with embedded zeros.
ByteView raw(std::string_view text) { return as_bytes(text); }

TEST(RequestHeader, IsReadInBothForms) {
  // Fetch 11: header 1; Fetch 12: header 2, whose client id keeps its two-byte length before the tagged fields.
  const auto fixed = parse_request(raw("\0\1\0\x0b\0\0\0\7\0\2ab!!"sv)).value();
  EXPECT_EQ(fixed.api, &kFetchApi);
  EXPECT_EQ(fixed.header.correlation_id, 7);
  EXPECT_EQ(fixed.header.client_id, "ab");
  EXPECT_EQ(as_text(fixed.body), "!!");

  const auto flexible = parse_request(raw("\0\1\0\x0c\0\0\0\7\0\2ab\1\5\1x!!"sv)).value();
  EXPECT_EQ(flexible.header.client_id, "ab");
  EXPECT_EQ(as_text(flexible.body), "!!") << "an unknown tagged field was skipped";

  const auto anonymous = parse_request(raw("\0\1\0\x0b\0\0\0\7\xff\xff"sv)).value();
  EXPECT_FALSE(anonymous.header.client_id.has_value());
}

TEST(RequestHeader, LeavesUnknownVersionsToTheCaller) {
  const auto request = parse_request(raw("\0\x12\0\x63\0\0\0\7garbage"sv)).value();
  EXPECT_EQ(request.api, &kApiVersionsApi);
  EXPECT_EQ(request.header.api_version, ApiVersion(99));
  EXPECT_EQ(request.header.correlation_id, 7);
  EXPECT_FALSE(request.api->accepted.contains(request.header.api_version));
  EXPECT_TRUE(request.body.empty());
  EXPECT_EQ(parse_request(raw("\0\x12\xff\xff\0\0\0\7"sv)).value().header.api_version, ApiVersion(-1));
}

TEST(RequestHeader, RefusesUnknownApisAndShortFrames) {
  EXPECT_EQ(parse_request(raw("\3\xe7\0\0\0\0\0\7\xff\xff"sv)).error().code(), ErrorCode::kUnsupportedVersion);
  const std::string_view whole = "\0\1\0\x0c\0\0\0\7\0\2ab\0"sv;
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_EQ(parse_request(raw(whole.substr(0, bytes))).error().code(), ErrorCode::kCorrupt) << bytes;
  }
}

TEST(ResponseHeader, IsAlwaysTheOldOneForApiVersions) {
  EXPECT_EQ(text_of(flatten(encode_response(ApiVersionsResponse{}, ApiVersion(3), 7).value())),
            "\0\0\0\x0c\0\0\0\7\0\0\1\0\0\0\0\0"sv);
  EXPECT_EQ(text_of(flatten(encode_response(HeartbeatResponse{}, ApiVersion(4), 7).value())),
            "\0\0\0\x0c\0\0\0\7\0\0\0\0\0\0\0\0"sv);
  EXPECT_EQ(text_of(flatten(encode_response(HeartbeatResponse{}, ApiVersion(3), 7).value())),
            "\0\0\0\x0a\0\0\0\7\0\0\0\0\0\0"sv);
}

TEST(ApiTable, AdvertisesWhatItAcceptsExceptOldProduce) {
  EXPECT_EQ(api_table().size(), 29u);
  for (const Api* api : api_table()) {
    EXPECT_EQ(find_api(api->key), api);
    EXPECT_EQ(api->advertised.last, api->accepted.last) << api->name;
    EXPECT_EQ(api->advertised.first, api->key == ApiKey::kProduce ? ApiVersion(0) : api->accepted.first) << api->name;
  }
  EXPECT_EQ(find_api(static_cast<ApiKey>(4)), nullptr);
  EXPECT_EQ(find_api(static_cast<ApiKey>(-1)), nullptr);
}

/// Written by hand from the schema: every kind of field, so that a swap of two would show.
TEST(MetadataRequest, ReadsTheBytesOfTheSpecification) {
  Arena arena;
  const auto all = decode<MetadataRequest>(raw("\0\1\0\0"sv), ApiVersion(12), arena).value();
  EXPECT_FALSE(all.topics.has_value());
  EXPECT_TRUE(all.allow_auto_topic_creation);
  EXPECT_FALSE(all.include_topic_authorized_operations);

  constexpr std::string_view kTwoTopics =
      "\3" "0123456789abcdef" "\0\0" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\4abc\0" "\0\1\0"sv;
  const auto named = decode<MetadataRequest>(raw(kTwoTopics), ApiVersion(12), arena).value();
  ASSERT_EQ(named.topics->size(), 2u);
  EXPECT_FALSE((*named.topics)[0].name.has_value());
  EXPECT_EQ((*named.topics)[0].topic_id.uuid.bytes[15], 'f');
  EXPECT_EQ((*named.topics)[1].name, "abc");
  EXPECT_FALSE(named.allow_auto_topic_creation);
  EXPECT_TRUE(named.include_topic_authorized_operations);

  const auto none = decode<MetadataRequest>(raw("\0\0\0\0"sv), ApiVersion(0), arena).value();
  ASSERT_TRUE(none.topics.has_value());
  EXPECT_TRUE(none.topics->empty());
  EXPECT_FALSE(decode<MetadataRequest>(raw("\xff\xff\xff\xff"sv), ApiVersion(0), arena).ok()) << "version 0 has no null";
  EXPECT_FALSE(decode<MetadataRequest>(raw("\xff\xff\xff\xff"sv), ApiVersion(1), arena).value().topics.has_value());
}

TEST(ProduceRequest, RefersToItsFrameWithoutCopies) {
  const std::vector<std::byte> batch(100'000, std::byte{0x5a});
  const ProduceRequest::Partition partition{.index = PartitionIndex(3), .records = ByteView(batch)};
  const ProduceRequest::Topic topic{.name = "orders", .partition_data = std::span(&partition, 1)};
  const ProduceRequest request{.acks = -1, .timeout_ms = 30000, .topic_data = std::span(&topic, 1)};
  const Slice flat = flatten(encode_request(request, ApiVersion(9), 1, "p").value());
  const Slice frame = flat.part(4, flat.size() - 4);

  Arena arena;
  const ReceivedRequest received = parse_request(frame.view()).value();
  const auto decoded = decode<ProduceRequest>(received.body, ApiVersion(9), arena).value();
  EXPECT_TRUE(decoded == request);
  EXPECT_EQ(arena.reserved_bytes(), 0u) << "a request of one partition allocates nothing";
  const ByteView records = decoded.topic_data[0].partition_data[0].records.bytes();
  EXPECT_GE(records.data(), frame.data());
  const Slice shared = slice_of(frame, records);
  EXPECT_EQ(shared.data(), records.data());
  EXPECT_EQ(shared.chunk(), frame.chunk());
  EXPECT_TRUE(slice_of(frame, {}).empty());
}

TEST(FetchResponse, RefersToRecordsInMemoryAndInFiles) {
  const std::vector<Piece> first{ExternalRange{.id = 7, .bytes = 1000}, Slice::copy_of(raw("tail"sv))};
  const std::vector<Piece> second{Slice::copy_of(raw("memory"sv))};
  std::vector<FetchResponse::Partition> partitions(4);
  partitions[0].records = Records::of(first);
  partitions[1].records = Records::of(second);
  partitions[2].records = Records(raw("inline"sv));
  partitions[3].records = Records();
  const FetchResponse::Topic topic{.topic = "t", .partitions = partitions};
  const FetchResponse response{.responses = std::span(&topic, 1)};

  for (const ApiVersion version : {ApiVersion(4), ApiVersion(12)}) {
    const OutgoingFrame frame = encode_response(response, version, 1).value();
    std::size_t bytes = frame.head.size();
    std::vector<std::string> kinds;
    std::string stream = text_of(frame.head);
    for (const Piece& piece : frame.tail) {
      bytes += piece_bytes(piece);
      const auto* slice = std::get_if<Slice>(&piece);
      kinds.push_back(slice == nullptr ? "file" : slice->data() == std::get<Slice>(first[1]).data()  ? "tail"
                                              : slice->data() == std::get<Slice>(second[0]).data() ? "memory"
                                                                                                     : "bytes");
      stream += slice == nullptr ? std::string(1000, 'F') : text_of(*slice);
    }
    EXPECT_EQ(kinds, (std::vector<std::string>{"file", "tail", "bytes", "memory", "bytes"}));
    EXPECT_EQ(bytes, frame.bytes);
    EXPECT_EQ(load_big<std::int32_t>(frame.head.data()), static_cast<std::int32_t>(bytes - 4));

    Arena arena;
    const auto received = parse_response(as_bytes(stream).subspan(4), kFetchApi, version).value();
    const auto decoded = decode<FetchResponse>(received.body, version, arena).value();
    const auto& got = decoded.responses[0].partitions;
    EXPECT_EQ(as_text(got[0].records.bytes()), std::string(1000, 'F') + "tail");
    EXPECT_EQ(as_text(got[1].records.bytes()), "memory");
    EXPECT_EQ(as_text(got[2].records.bytes()), "inline");
    EXPECT_TRUE(got[3].records.is_null());
  }
}

TEST(Encoding, RefusesWhatAVersionCannotSay) {
  const auto code = [](const auto& message, std::int16_t version) {
    return encode_request(message, ApiVersion(version), 0, {}).error().code();
  };
  // Not ignorable: the reader would do something else than asked.
  const MetadataRequest no_creation{.allow_auto_topic_creation = false};
  EXPECT_EQ(code(no_creation, 3), ErrorCode::kUnsupportedVersion);
  EXPECT_TRUE(encode_request(no_creation, ApiVersion(4), 0, {}).ok());
  const FetchRequest replica{.replica_state = {.replica_id = NodeId(1)}};
  EXPECT_EQ(code(replica, 14), ErrorCode::kUnsupportedVersion);
  EXPECT_TRUE(encode_request(replica, ApiVersion(15), 0, {}).ok());
  // Ignorable: silently left out.
  const FetchRequest in_rack{.rack_id = "r1"};
  EXPECT_TRUE(encode_request(in_rack, ApiVersion(4), 0, {}).ok());
  // Null where there is none.
  EXPECT_EQ(code(MetadataRequest{.topics = std::nullopt}, 0), ErrorCode::kInvalidArgument);
  // Nested, with the field's name.
  const ProduceResponse::Partition partition{.current_leader = {.leader_id = NodeId(2)}};
  const ProduceResponse::Topic topic{.partition_responses = std::span(&partition, 1)};
  const Error refusal = encode_response(ProduceResponse{.responses = std::span(&topic, 1)}, ApiVersion(9), 0).error();
  EXPECT_EQ(refusal.code(), ErrorCode::kUnsupportedVersion);
  EXPECT_NE(refusal.detail().find("Produce: field CurrentLeader cannot be sent in version 9"), std::string::npos)
      << refusal.detail();
  // Longer than a length can say, in both forms.
  const std::string long_text(32768, 'x');
  for (const std::int16_t version : {0, 4}) {
    EXPECT_EQ(code(HeartbeatRequest{.group_id = long_text}, version), ErrorCode::kTooLarge);
  }
  EXPECT_EQ(encode_request(HeartbeatRequest{}, ApiVersion(0), 0, long_text).error().code(), ErrorCode::kTooLarge);
  const std::vector<Piece> huge{ExternalRange{.id = 1, .bytes = limits::kFrameBytesMax}};
  const FetchResponse::Partition too_much{.records = Records::of(huge)};
  const FetchResponse::Topic fetched{.partitions = std::span(&too_much, 1)};
  EXPECT_EQ(encode_response(FetchResponse{.responses = std::span(&fetched, 1)}, ApiVersion(4), 0).error().code(),
            ErrorCode::kTooLarge);
}

TEST(KafkaErrors, HaveKafkasCodesAndNames) {
  EXPECT_EQ(static_cast<int>(KafkaError::kNotLeaderOrFollower), 6);
  EXPECT_EQ(kafka_error_name(KafkaError::kNotLeaderOrFollower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(kafka_error_name(static_cast<KafkaError>(12345)), "UNKNOWN");
  EXPECT_EQ(to_kafka_error(ErrorCode::kOutOfRange), KafkaError::kOffsetOutOfRange);
  EXPECT_EQ(to_kafka_error(ErrorCode::kOutcomeUnknown), KafkaError::kRequestTimedOut);
}

}  // namespace
}  // namespace pyralog::protocol
