"""kafka-python: a client in pure Python."""

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.errors import BrokerResponseError

import spec
from harness import WAIT_SECONDS_MAX, CheckFailed, expect, wait_until


def refusals(call, *arguments, **options):
    try:
        return call(*arguments, **options)
    except BrokerResponseError as error:
        raise spec.KafkaErrorCode(error.errno, str(error)) from error


class KafkaPythonAdapter(spec.Adapter):
    name = "kafka-python"
    features = spec.ALL_FEATURES - {"null_key_and_value", "null_headers"}

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def close(self):
        self.admin.close()

    def create(self, topic, partitions, config):
        refusals(self.admin.create_topics, {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": config}})

    def delete(self, topic):
        refusals(self.admin.delete_topics, [topic])

    def topics(self, topic=None):
        return {t["name"]: len(t["partitions"]) for t in self.admin.describe_topics() if t["error_code"] == 0}

    def add_partitions(self, topic, total):
        refusals(self.admin.create_partitions, {topic: total})

    def alter_config(self, topic, config):
        for incremental in (True, False):  # IncrementalAlterConfigs, and the older AlterConfigs with it
            result = self.admin.alter_configs([ConfigResource("topic", topic, config)], incremental=incremental)
            expect(result["topic"][topic] == "OK", f"alter_configs answered {result}")

    def describe_config(self, topic):
        described = refusals(self.admin.describe_configs, [ConfigResource("topic", topic)], config_filter="all")
        return {name: entry["value"] for name, entry in described["topic"][topic].items()}

    def delete_records(self, topic, partition, before):
        refusals(self.admin.delete_records, {TopicPartition(topic, partition): before})

    def offset_of(self, topic, partition, what):
        where = TopicPartition(topic, partition)
        return refusals(self.admin.list_partition_offsets, {where: what})[where].offset

    def offsets(self, topic, partition):
        return (self.offset_of(topic, partition, OffsetSpec.EARLIEST), self.offset_of(topic, partition, OffsetSpec.LATEST))

    def offset_for_time(self, topic, partition, timestamp):
        consumer, where = self.consumer(), TopicPartition(topic, partition)
        try:
            found = consumer.offsets_for_times({where: timestamp})[where]
            return None if found is None else found.offset
        finally:
            consumer.close()

    def max_timestamp_offset(self, topic, partition):
        return self.offset_of(topic, partition, OffsetSpec.MAX_TIMESTAMP)

    def produce(self, topic, partition, records, codec, acks, idempotent):
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec,
                                 acks="all" if acks == "all" else int(acks), enable_idempotence=idempotent, linger_ms=5)
        try:
            futures = [refusals(producer.send, topic, value=r.value, key=r.key, headers=list(r.headers), partition=partition,
                                timestamp_ms=r.timestamp) for r in records]
            producer.flush(WAIT_SECONDS_MAX)
            done = [refusals(future.get, WAIT_SECONDS_MAX) for future in futures]
            return None if acks == "0" else [metadata.offset for metadata in done]
        finally:
            producer.close(WAIT_SECONDS_MAX)

    def consumer(self):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False, check_crcs=True)

    def collect(self, consumer, count):
        got = []

        def enough():
            for messages in consumer.poll(timeout_ms=200).values():
                got.extend((m.offset, spec.Record(m.key, m.value, tuple(m.headers), m.timestamp)) for m in messages)
            return len(got) >= count

        try:
            wait_until(enough, f"{count} records consumed")
        except CheckFailed as timeout:
            raise CheckFailed(f"{timeout}; {len(got)} arrived") from timeout
        return got

    def consume(self, topic, partition, start, count):
        consumer, where = self.consumer(), TopicPartition(topic, partition)
        try:
            consumer.assign([where])
            if start == "earliest":
                consumer.seek_to_beginning(where)
            else:
                consumer.seek(where, start)
            return self.collect(consumer, count)
        finally:
            consumer.close()

    def consume_new(self, topic, partition, produce, count):
        consumer, where = self.consumer(), TopicPartition(topic, partition)
        try:
            consumer.assign([where])
            consumer.seek_to_end(where)
            consumer.position(where)  # resolves "end" now, before anything new is written
            produce()
            return self.collect(consumer, count)
        finally:
            consumer.close()


if __name__ == "__main__":
    spec.main(KafkaPythonAdapter)
