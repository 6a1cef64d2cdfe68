"""confluent-kafka for Python: the newest librdkafka."""

from confluent_kafka import (OFFSET_BEGINNING, OFFSET_END, TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException,
                             Producer, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

import spec
from harness import WAIT_SECONDS_MAX, CheckFailed, wait_until

LEADER_NOT_AVAILABLE = 5


def refusals(call, *arguments, **options):
    try:
        return call(*arguments, **options)
    except KafkaException as error:
        code = error.args[0].code()
        # The client's own word for a topic that has no leader yet.
        raise spec.KafkaErrorCode(LEADER_NOT_AVAILABLE if code == KafkaError._NOENT else code, str(error)) from error


class ConfluentAdapter(spec.Adapter):
    name = "confluent-kafka"
    features = spec.ALL_FEATURES

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def result(self, futures):
        (future,) = futures.values()
        return refusals(future.result, WAIT_SECONDS_MAX)

    def create(self, topic, partitions, config):
        self.result(self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))

    def delete(self, topic):
        self.result(self.admin.delete_topics([topic]))

    def topics(self, topic=None):
        listed = refusals(self.admin.list_topics, timeout=WAIT_SECONDS_MAX).topics
        return {name: len(topic.partitions) for name, topic in listed.items()
                if topic.error is None and all(p.leader >= 0 for p in topic.partitions.values())}

    def add_partitions(self, topic, total):
        self.result(self.admin.create_partitions([NewPartitions(topic, total)]))

    def alter_config(self, topic, config):
        entries = [ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self.result(self.admin.incremental_alter_configs([resource]))

    def describe_config(self, topic):
        entries = self.result(self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
        return {name: entry.value for name, entry in entries.items()}

    def delete_records(self, topic, partition, before):
        self.result(self.admin.delete_records([TopicPartition(topic, partition, before)]))

    def offset_of(self, topic, partition, what):
        return self.result(self.admin.list_offsets({TopicPartition(topic, partition): what})).offset

    def offsets(self, topic, partition):
        return (self.offset_of(topic, partition, OffsetSpec.earliest()),
                self.offset_of(topic, partition, OffsetSpec.latest()))

    def offset_for_time(self, topic, partition, timestamp):
        offset = self.offset_of(topic, partition, OffsetSpec.for_timestamp(timestamp))
        return None if offset < 0 else offset

    def max_timestamp_offset(self, topic, partition):
        return self.offset_of(topic, partition, OffsetSpec.max_timestamp())

    def produce(self, topic, partition, records, codec, acks, idempotent):
        producer = Producer({"bootstrap.servers": self.bootstrap, "compression.type": codec, "acks": acks,
                             "enable.idempotence": idempotent, "linger.ms": 5, "batch.num.messages": 50})
        offsets, errors = [], []

        def delivered(error, message):
            errors.append(error) if error else offsets.append(message.offset())

        for record in records:
            options = {"timestamp": record.timestamp} if record.timestamp is not None else {}
            producer.produce(topic, record.value, record.key, partition, headers=list(record.headers),
                             on_delivery=delivered, **options)
            producer.poll(0)
        left = producer.flush(WAIT_SECONDS_MAX)
        if errors:
            raise spec.KafkaErrorCode(errors[0].code(), errors[0].str())
        if left:
            raise CheckFailed(f"{left} of {len(records)} records were not delivered within {WAIT_SECONDS_MAX} s")
        return None if acks == "0" else offsets

    def consumer(self):
        # librdkafka wants a group's name even where partitions are assigned; nothing is committed to it.
        return Consumer({"bootstrap.servers": self.bootstrap, "group.id": "assigns-by-hand", "enable.auto.commit": False,
                         "enable.partition.eof": True, "check.crcs": True})

    def collect(self, consumer, count):
        got = []

        def enough():
            for message in consumer.consume(1000, 0.2):
                error = message.error()
                if error is None:
                    kind, stamp = message.timestamp()
                    got.append((message.offset(), spec.Record(
                        message.key(), message.value(), tuple(message.headers() or ()),
                        None if kind == TIMESTAMP_NOT_AVAILABLE else stamp)))
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise CheckFailed(f"consuming failed: {error}")
            return len(got) >= count

        try:
            wait_until(enough, f"{count} records consumed")
        except CheckFailed as timeout:
            raise CheckFailed(f"{timeout}; {len(got)} arrived") from timeout
        return got

    def consume(self, topic, partition, start, count):
        consumer = self.consumer()
        try:
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING if start == "earliest" else start)])
            return self.collect(consumer, count)
        finally:
            consumer.close()

    def consume_new(self, topic, partition, produce, count):
        consumer = self.consumer()
        try:
            consumer.assign([TopicPartition(topic, partition, OFFSET_END)])

            def at_end():
                message = consumer.poll(0.2)
                return message is not None and message.error() and message.error().code() == KafkaError._PARTITION_EOF

            wait_until(at_end, "the consumer stands at the end")
            produce()
            return self.collect(consumer, count)
        finally:
            consumer.close()


if __name__ == "__main__":
    spec.main(ConfluentAdapter)
