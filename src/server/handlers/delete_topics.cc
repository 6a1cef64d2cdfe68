#include "server/controller.h"
#include "server/group_service.h"
#include "server/handlers/admin_answers.h"
#include "server/handlers/handlers.h"
#include "server/node.h"
#include "server/shard.h"

namespace pyralog::server {
namespace {

using namespace protocol;
using TopicAnswer = DeleteTopicsResponse::Topic;

io::Task<> delete_one(Request& request, TopicAnswer& answer) {
  const cluster::ImagePtr image = request.shard.image();
  const bool by_id = !answer.name.has_value();
  const auto* log = by_id ? image->find_log(answer.topic_id) : image->find_log(*answer.name);
  if (log == nullptr) {
    answer.error_code = by_id ? KafkaError::kUnknownTopicId : KafkaError::kUnknownTopicOrPartition;
    co_return;
  }
  answer.name = request.arena.copy(log->name);
  answer.topic_id = log->id;
  if (is_internal_log(log->name)) {
    co_return refuse(request, answer, KafkaError::kInvalidTopicException,
                     "Internal topics cannot be deleted; delete groups instead");
  }
  auto deleted = co_await request.shard.node().controller().propose(cluster::DeleteLog{.id = log->id});
  if (!deleted.ok()) {
    refuse(request, answer, admin_error(deleted.error(), KafkaError::kInvalidRequest), deleted.error().to_string());
  }
}

}  // namespace

io::Task<Result<DeleteTopicsResponse>> handle_delete_topics(Request& request, const DeleteTopicsRequest& message) {
  DeleteTopicsResponse response;
  const bool names_only = request.version() < ApiVersion(6);
  auto answers = request.arena.make<TopicAnswer>(names_only ? message.topic_names.size() : message.topics.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (names_only) {
      answers[i].name = message.topic_names[i];
    } else {
      answers[i].name = message.topics[i].name;
      answers[i].topic_id = message.topics[i].topic_id;
      if (answers[i].name.has_value() && !answers[i].topic_id.is_zero()) {
        refuse(request, answers[i], KafkaError::kInvalidRequest, "A topic is named by its name or by its id, not by both");
        continue;
      }
    }
    co_await delete_one(request, answers[i]);
  }
  response.responses = answers;
  co_return response;
}

}  // namespace pyralog::server
