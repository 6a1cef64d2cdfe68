#include "client/broker_connection.h"

#include <gtest/gtest.h>

#include "client/scripted_broker.h"
#include "protocol/kafka/metadata.h"

namespace pyralog::client {
namespace {

using namespace protocol;
using testing::ScriptedBroker;

class BrokerConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    connection = world.run(client, BrokerConnection::connect(broker.endpoint(), options)).value();
  }
  void TearDown() override {
    if (connection != nullptr) world.run(client, connection->close());
    connection.reset();
    broker.stop();
  }

  io::VirtualWorld world{7};
  io::VirtualReactor& server = world.add_reactor(NodeId(1), ShardId(0));
  io::VirtualReactor& client = world.add_reactor(NodeId(2), ShardId(0));
  ScriptedBroker broker{world, server};
  BrokerConnection::Options options{.request_timeout = std::chrono::seconds(5)};
  std::unique_ptr<BrokerConnection> connection;
};

OutgoingFrame metadata_request() {
  return encode_request(MetadataRequest(), ApiVersion(12), 0, "test").value();
}

MetadataResponse answer_from(std::string_view cluster_id) {
  MetadataResponse answer;
  answer.cluster_id = cluster_id;
  return answer;
}

TEST_F(BrokerConnectionTest, PicksTheNewestVersionThatBothSidesHave) {
  EXPECT_EQ(connection->version_of(kMetadataApi).value(), ApiVersion(12));
  EXPECT_EQ(connection->version_of(Api{ApiKey::kFetch, "Fetch", {4, 18}, ApiVersion(12)}).error().code(),
            ErrorCode::kUnsupportedVersion);
}

TEST_F(BrokerConnectionTest, CallsAreAnswered) {
  broker.on<MetadataRequest>([](const MetadataRequest&) { return answer_from("first"); });
  const auto reply = world.run(client, connection->call<MetadataRequest, MetadataResponse>(MetadataRequest()));
  ASSERT_TRUE(reply.ok()) << reply.error().to_string();
  EXPECT_EQ(reply->message.cluster_id, "first");
}

TEST_F(BrokerConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
  int served = 0;
  std::string name;
  broker.on<MetadataRequest>([&](const MetadataRequest&) { return answer_from(name = std::to_string(served++)); });
  std::vector<std::string> answers;
  client.enter([&] {
    for (int i = 0; i < 50; ++i) {
      connection->send(metadata_request(), [&answers](Result<Slice> frame) {
        ASSERT_TRUE(frame.ok());
        Arena arena;
        const auto response = parse_response(frame->view(), kMetadataApi, ApiVersion(12)).value();
        answers.emplace_back(*decode<MetadataResponse>(response.body, ApiVersion(12), arena).value().cluster_id);
      });
    }
  });
  world.run_until([&] { return answers.size() == 50; }, world.now() + std::chrono::seconds(5));
  ASSERT_EQ(answers.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(answers[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST_F(BrokerConnectionTest, SilenceFailsEveryRequestOnce) {
  broker.on<MetadataRequest>([](const MetadataRequest&) { return answer_from("late"); });
  world.network().cut_both(NodeId(1), NodeId(2));
  int failures = 0;
  client.enter([&] {
    for (int i = 0; i < 3; ++i) {
      connection->send(metadata_request(), [&failures](Result<Slice> frame) {
        EXPECT_EQ(frame.error().code(), ErrorCode::kTimedOut);
        ++failures;
      });
    }
  });
  world.run_for(std::chrono::seconds(4));
  EXPECT_EQ(failures, 0);
  world.run_for(std::chrono::seconds(2));
  EXPECT_EQ(failures, 3);
  EXPECT_TRUE(connection->failed());
}

TEST_F(BrokerConnectionTest, ALostConnectionFailsWhatIsUnderWayAndWhatComesLater) {
  broker.on<MetadataRequest>([](const MetadataRequest&) { return answer_from("never"); });
  world.network().cut_both(NodeId(1), NodeId(2));
  std::vector<ErrorCode> failures;
  const auto note = [&failures](Result<Slice> frame) { failures.push_back(frame.error().code()); };
  client.enter([&] { connection->send(metadata_request(), note); });
  world.network().reset_connections(NodeId(1), NodeId(2));
  world.network().heal_all();
  world.run_for(std::chrono::seconds(2));
  client.enter([&] { connection->send(metadata_request(), note); });
  EXPECT_EQ(failures, (std::vector{ErrorCode::kConnectionClosed, ErrorCode::kConnectionClosed}));
}

TEST_F(BrokerConnectionTest, AnAnswerOutOfOrderEndsTheConnection) {
  broker.on<MetadataRequest>([](const MetadataRequest&) { return answer_from("x"); });
  broker.confuse_correlation_ids();
  const auto reply = world.run(client, connection->call<MetadataRequest, MetadataResponse>(MetadataRequest()));
  EXPECT_EQ(reply.error().code(), ErrorCode::kCorrupt);
  EXPECT_TRUE(connection->failed());
}

TEST_F(BrokerConnectionTest, UnansweredRequestsTakeNoAnswerOfOthers) {
  int served = 0;
  broker.on<MetadataRequest>([&](const MetadataRequest&) -> std::optional<MetadataResponse> {
    if (++served == 1) return std::nullopt;
    return answer_from("second");
  });
  client.enter([&] { connection->send_unanswered(metadata_request()); });
  const auto reply = world.run(client, connection->call<MetadataRequest, MetadataResponse>(MetadataRequest()));
  ASSERT_TRUE(reply.ok()) << reply.error().to_string();
  EXPECT_EQ(reply->message.cluster_id, "second");
  EXPECT_TRUE(world.run(client, connection->flushed()).ok());
}

TEST(BrokerConnectionConnect, NobodyListeningIsUnavailable) {
  io::VirtualWorld world(3);
  io::VirtualReactor& client = world.add_reactor(NodeId(2), ShardId(0));
  (void)world.add_reactor(NodeId(1), ShardId(0));
  const io::Endpoint nobody{.host = "node-1", .port = 9092};
  const auto connection = world.run(client, BrokerConnection::connect(nobody, {}));
  EXPECT_EQ(connection.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(connection.error().detail().find("node-1:9092"), std::string::npos);
}

}  // namespace
}  // namespace pyralog::client
