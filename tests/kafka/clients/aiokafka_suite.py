"""aiokafka: the asyncio client."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

import spec
from harness import WAIT_SECONDS_MAX, CheckFailed, expect_equal


async def refusals(awaitable):
    try:
        return await asyncio.wait_for(awaitable, WAIT_SECONDS_MAX)
    except KafkaError as error:
        if error.errno is None or error.errno < 0:
            raise
        raise spec.KafkaErrorCode(error.errno, str(error)) from error


def refused(code, text):
    if code:
        raise spec.KafkaErrorCode(code, text or "")


class AiokafkaAdapter(spec.Adapter):
    name = "aiokafka"
    features = spec.ALL_FEATURES - {"max_timestamp", "null_headers", "null_key_and_value"}

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.admin = self.run(self.started(AIOKafkaAdminClient))

    async def started(self, kind, **options):
        client = kind(bootstrap_servers=self.bootstrap, **options)
        await asyncio.wait_for(client.start(), WAIT_SECONDS_MAX)
        return client

    def close(self):
        self.run(self.admin.close())
        self.runner.close()

    def create(self, topic, partitions, config):
        topics = [NewTopic(topic, partitions, 1, topic_configs=config)]
        for _, code, text, *_ in self.run(refusals(self.admin.create_topics(topics))).topic_errors:
            refused(code, text)

    def delete(self, topic):
        for _, code, *_ in self.run(refusals(self.admin.delete_topics([topic]))).topic_error_codes:
            refused(code, "")

    def topics(self, topic=None):
        described = self.run(refusals(self.admin.describe_topics()))
        return {t["topic"]: len(t["partitions"]) for t in described if t["error_code"] == 0}

    def add_partitions(self, topic, total):
        self.run(refusals(self.admin.create_partitions({topic: NewPartitions(total)})))

    def alter_config(self, topic, config):
        (answer,) = self.run(refusals(self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])))
        for code, text, *_ in answer.resources:
            refused(code, text)

    def describe_config(self, topic):
        (answer,) = self.run(refusals(self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])))
        ((code, text, _, _, entries),) = answer.resources
        refused(code, text)
        return {entry[0]: entry[1] for entry in entries}

    def delete_records(self, topic, partition, before):
        where = TopicPartition(topic, partition)
        watermark = self.run(refusals(self.admin.delete_records({where: RecordsToDelete(before)})))[where]
        expect_equal(watermark, before, "low watermark answered")

    def with_consumer(self, use, where):
        async def run():
            consumer = await self.started(AIOKafkaConsumer, group_id=None, enable_auto_commit=False)
            try:
                consumer.assign([where])
                return await use(consumer)
            finally:
                await consumer.stop()
        return self.run(run())

    def offsets(self, topic, partition):
        where = TopicPartition(topic, partition)

        async def ask(consumer):
            earliest = await refusals(consumer.beginning_offsets([where]))
            latest = await refusals(consumer.end_offsets([where]))
            return earliest[where], latest[where]
        return self.with_consumer(ask, where)

    def offset_for_time(self, topic, partition, timestamp):
        where = TopicPartition(topic, partition)

        async def ask(consumer):
            found = (await refusals(consumer.offsets_for_times({where: timestamp})))[where]
            return None if found is None else found.offset
        return self.with_consumer(ask, where)

    async def send_all(self, topic, partition, records, codec, acks, idempotent):
        producer = await self.started(AIOKafkaProducer, compression_type=None if codec == "none" else codec,
                                      acks="all" if acks == "all" else int(acks), enable_idempotence=idempotent, linger_ms=5)
        try:
            futures = [await refusals(producer.send(topic, value=r.value, key=r.key, headers=list(r.headers), partition=partition,
                                                    timestamp_ms=r.timestamp)) for r in records]
            done = [await refusals(future) for future in futures]
            return None if acks == "0" else [metadata.offset for metadata in done]
        finally:
            await producer.stop()

    def produce(self, topic, partition, records, codec, acks, idempotent):
        return self.run(self.send_all(topic, partition, records, codec, acks, idempotent))

    @staticmethod
    async def collect(consumer, count):
        got = []
        try:
            while len(got) < count:
                m = await asyncio.wait_for(consumer.getone(), WAIT_SECONDS_MAX)
                got.append((m.offset, spec.Record(m.key, m.value, tuple(m.headers), m.timestamp)))
        except TimeoutError as timeout:
            raise CheckFailed(f"{count} records: only {len(got)} arrived") from timeout
        return got

    def consume(self, topic, partition, start, count):
        where = TopicPartition(topic, partition)

        async def read(consumer):
            if start == "earliest":
                await refusals(consumer.seek_to_beginning(where))
            else:
                consumer.seek(where, start)
            return await self.collect(consumer, count)
        return self.with_consumer(read, where)

    def consume_new(self, topic, partition, produce, count):
        """`produce` runs the event loop itself, which a running loop cannot do: the steps are run one by one instead."""
        where = TopicPartition(topic, partition)

        async def at_end():
            consumer = await self.started(AIOKafkaConsumer, group_id=None, enable_auto_commit=False)
            consumer.assign([where])
            await refusals(consumer.seek_to_end(where))
            await refusals(consumer.position(where))
            return consumer

        consumer = self.run(at_end())
        try:
            produce()
            return self.run(self.collect(consumer, count))
        finally:
            self.run(consumer.stop())


if __name__ == "__main__":
    spec.main(AiokafkaAdapter)
