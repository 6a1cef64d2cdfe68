"""confluent-kafka (librdkafka) as a member of a group; see member.py."""

from confluent_kafka import Consumer, KafkaError, KafkaException

import member


def main():
    arguments = member.arguments("range", "roundrobin", "cooperative-sticky")
    settings = {"bootstrap.servers": arguments.bootstrap, "group.id": arguments.group, "client.id": "confluent-member",
                "partition.assignment.strategy": arguments.strategy, "session.timeout.ms": arguments.session_ms,
                "heartbeat.interval.ms": member.HEARTBEAT_MS, "enable.auto.commit": False, "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100, "reconnect.backoff.max.ms": 500,
                "error_cb": member.complain, "log_level": 0}
    if arguments.instance:
        settings["group.instance.id"] = arguments.instance
    consumer = Consumer(settings)
    consumer.subscribe([arguments.topic], on_assign=lambda _, partitions: member.gained(partitions),
                       on_revoke=lambda _, partitions: member.gave_up(partitions),
                       on_lost=lambda _, partitions: member.gave_up(partitions))
    leave = member.leave_asked()
    uncommitted = False
    while not leave.is_set():
        messages = [message for message in consumer.consume(100, 0.1) if message.error() is None]
        for message in messages:
            member.record(message.topic(), message.partition(), message.offset(), message.value())
        uncommitted = uncommitted or len(messages) > 0
        if uncommitted:
            try:
                consumer.commit(asynchronous=False)
                uncommitted = False
            except KafkaException as error:
                member.complain(error)
                uncommitted = error.args[0].code() != KafkaError._NO_OFFSET  # what there was belongs to others now
    member.gave_up(consumer.assignment())
    consumer.close()


main()
