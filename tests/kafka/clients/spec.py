"""What every client has to be able to do against the server, written once for the clients that Python can drive.

A client is driven through an adapter (class Adapter); what the client itself does not offer it leaves out of `features`,
and the checks that need it are not run for it. A missing feature is printed, so that nothing is skipped silently.
"""

import argparse
import dataclasses
import random
import sys
import time
import uuid

from harness import Suite, CheckFailed, expect, expect_equal, shortened, wait_until

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
ACKS = ("0", "1", "all")

# Kafka's error codes that checks ask for, and those that mean "not yet".
RETRIABLE = (3, 5, 6, 9)
UNKNOWN_TOPIC_OR_PARTITION = 3
MESSAGE_TOO_LARGE = 10
INVALID_TOPIC = 17
TOPIC_ALREADY_EXISTS = 36
INVALID_PARTITIONS = 37
INVALID_CONFIG = 40


@dataclasses.dataclass(frozen=True)
class Record:
    """A record as a client sees it. `headers` is a tuple of (str, bytes or None); `timestamp` in ms, None if not compared."""
    key: bytes | None
    value: bytes | None
    headers: tuple = ()
    timestamp: int | None = None


class KafkaErrorCode(Exception):
    """A refusal by the server, with Kafka's number of it; adapters turn their client's own exceptions into this."""

    def __init__(self, code, text=""):
        super().__init__(f"error {code} {text}")
        self.code = code


class Adapter:
    """One client. Methods take and return plain values; see features for what may be left out.

    produce(topic, partition, records, codec, acks, idempotent) -> list of offsets (None with acks=0)
    consume(topic, partition, start, count) -> list of (offset, Record); start is an offset or "earliest"
    consume_new(topic, partition, produce, count): positions at the end, calls produce(), returns the next `count`
    create(topic, partitions, config), delete(topic), add_partitions(topic, total)
    topics(topic=None) -> {name: partitions}; a client that creates by use does so here for the topic it is given
    alter_config(topic, config), describe_config(topic) -> {name: value}
    delete_records(topic, partition, before) -> None
    offsets(topic, partition) -> (earliest, latest)
    offset_for_time(topic, partition, timestamp) -> offset or None
    max_timestamp_offset(topic, partition) -> offset
    """
    name = ""
    codecs = CODECS
    acks = ACKS
    features = frozenset()

    def own_checks(self, spec):
        """Checks of what only this client does: a list of (name, function)."""
        return []

    def close(self):
        pass


ALL_FEATURES = frozenset({
    "headers", "timestamps", "idempotent", "create", "delete", "add_partitions", "alter_config", "describe_config",
    "delete_records", "offset_for_time", "max_timestamp", "consume_new", "errors", "auto_create", "spread", "null_key_and_value",
    "null_headers"})


def sample_records(timestamp_base):
    """Records that show every distinction Kafka's format makes, and enough bulk for several batches."""
    noise = random.Random(7)
    every_byte = bytes(range(256))
    records = [
        Record(None, b"first"),
        Record(b"", b""),
        Record(b"null value", None),
        Record(None, None),
        Record(every_byte, every_byte[::-1] * 3),
        Record(b"headers", b"v", (("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None), ("n\u00e4me", every_byte))),
    ]
    for i in range(200):
        size = (i * 37) % 1500
        body = noise.randbytes(size) if i % 2 else (b"the quick brown fox %d " % i * 80)[:size]
        records.append(Record(b"key-%d" % i, body, (("i", b"%d" % i),) if i % 5 == 0 else ()))
    records.append(Record(b"large", b"".join(b"line %d of a large value\n" % i for i in range(12000))))
    return [dataclasses.replace(r, timestamp=timestamp_base + 10 * i) for i, r in enumerate(records)]


def expect_records(actual, expected, first_offset, what):
    """Compares offsets, which must be dense, and every field of every record."""
    expect_equal(len(actual), len(expected), f"{what}: number of records")
    for i, ((offset, got), want) in enumerate(zip(actual, expected)):
        expect_equal(offset, first_offset + i, f"{what}: offset of record {i}")
        for field in ("key", "value", "headers"):
            expect_equal(getattr(got, field), getattr(want, field), f"{what}: {field} at offset {offset}")
        if want.timestamp is not None and got.timestamp is not None:
            expect_equal(got.timestamp, want.timestamp, f"{what}: timestamp at offset {offset}")


def refused_with(code, call, *arguments):
    try:
        call(*arguments)
    except KafkaErrorCode as error:
        expect_equal(error.code, code, "Kafka's error code")
        return
    raise CheckFailed(f"nothing was refused, error {code} was expected")


class Spec:
    def __init__(self, adapter, suite):
        self.adapter = adapter
        self.suite = suite
        self.prefix = f"{adapter.name}-{uuid.uuid4().hex[:6]}"
        self.count = 0

    def new_topic(self, partitions=1, **config):
        self.count += 1
        topic = f"{self.prefix}.{self.count}"
        if "create" in self.adapter.features:
            self.adapter.create(topic, partitions, {k.replace("_", "."): str(v) for k, v in config.items()})
            self.wait_for_leaders(topic, partitions)
        else:  # made by its first use
            expect(partitions == 1 and not config, "a check that needs more than a default topic")
            wait_until(lambda: topic in self.adapter.topics(topic), f"{topic} made by asking for its metadata")
            self.wait_for_leaders(topic, 1)
        return topic

    def wait_for_leaders(self, topic, partitions):
        """A topic that was just made may not be led yet: Kafka says so with retriable codes, and answers within moments.

        It is listed first, because librdkafka remembers for half a minute that a topic it asked for by name was not there.
        """
        wait_until(lambda: self.adapter.topics().get(topic) == partitions, f"{topic} is listed")

        def led():
            try:
                return all(self.adapter.offsets(topic, p) == (0, 0) for p in range(partitions))
            except KafkaErrorCode as error:
                if error.code not in RETRIABLE:
                    raise
                return False
        wait_until(led, f"every partition of {topic} has a leader")

    def records(self):
        records = sample_records(int(time.time() * 1000) - 3_600_000)
        if "headers" not in self.adapter.features:
            records = [dataclasses.replace(r, headers=()) for r in records]
        if "timestamps" not in self.adapter.features:
            records = [dataclasses.replace(r, timestamp=None) for r in records]
        if "null_headers" not in self.adapter.features:
            records = [dataclasses.replace(r, headers=tuple(h for h in r.headers if h[1] is not None)) for r in records]
        if "null_key_and_value" not in self.adapter.features:
            records = [r if r.key is not None or r.value is not None else dataclasses.replace(r, key=b"key") for r in records]
        return records

    def run(self):
        check, features = self.suite.check, self.adapter.features
        for missing in sorted(ALL_FEATURES - features) + sorted(set(CODECS) - set(self.adapter.codecs)):
            print(f"NOTE {self.adapter.name} does not offer {missing}", flush=True)
        for codec in self.adapter.codecs:
            for acks in self.adapter.acks:
                check(f"roundtrip/{codec}/acks={acks}", self.round_trip, codec, acks)
        for name, run in self.adapter.own_checks(self):
            check(name, run)
        check("consume/from_offset", self.from_offset)
        check("list_offsets/earliest_latest", self.earliest_latest)
        optional = {
            "create": [("admin/create_and_list", self.create_and_list)],
            "spread": [("produce/many_partitions", self.spread)],
            "idempotent": [("produce/idempotent", self.idempotent)],
            "auto_create": [("produce/auto_create", self.auto_create)],
            "consume_new": [("consume/from_end", self.from_end)],
            "offset_for_time": [("list_offsets/by_time", self.by_time)],
            "max_timestamp": [("list_offsets/max_timestamp", self.max_timestamp)],
            "add_partitions": [("admin/add_partitions", self.add_partitions)],
            "alter_config": [("admin/alter_config", self.alter_config),
                             ("produce/log_append_time", self.log_append_time)],
            "describe_config": [("admin/describe_config", self.describe_config)],
            "delete_records": [("admin/delete_records", self.delete_records)],
            "delete": [("admin/delete", self.delete), ("admin/recreate", self.recreate)],
            "errors": [("errors/duplicate_topic", self.duplicate_topic), ("errors/illegal_name", self.illegal_name),
                       ("errors/unknown_topic", self.unknown_topic), ("errors/too_large", self.too_large),
                       ("errors/bad_config", self.bad_config), ("errors/fewer_partitions", self.fewer_partitions)],
        }
        for feature, checks in optional.items():
            if feature in features:
                for name, run in checks:
                    check(name, run)

    def round_trip(self, codec, acks):
        topic, records = self.new_topic(), self.records()
        offsets = self.adapter.produce(topic, 0, records, codec, acks, False)
        if acks != "0" and offsets is not None:
            expect_equal(offsets, list(range(len(records))), "offsets acknowledged")
        expect_records(self.adapter.consume(topic, 0, "earliest", len(records)), records, 0, "from earliest")

    def from_offset(self):
        topic, records = self.new_topic(), self.records()
        self.adapter.produce(topic, 0, records, "none", "all", False)
        for start in (1, 57, len(records) - 1):
            got = self.adapter.consume(topic, 0, start, len(records) - start)
            expect_records(got, records[start:], start, f"from offset {start}")

    def earliest_latest(self):
        several = "create" in self.adapter.features
        topic, last = self.new_topic(2 if several else 1), 1 if several else 0
        expect_equal(self.adapter.offsets(topic, last), (0, 0), "offsets of an empty partition")
        self.adapter.produce(topic, last, self.records()[6:16], "none", "all", False)
        expect_equal(self.adapter.offsets(topic, last), (0, 10), "offsets after ten records")
        if several:
            expect_equal(self.adapter.offsets(topic, 0), (0, 0), "offsets of the other partition")

    def create_and_list(self):
        topic = self.new_topic(7)
        expect_equal(self.adapter.topics().get(topic), 7, "partitions listed")

    def spread(self):
        """Several partitions written in turn, each read back alone."""
        topic, records = self.new_topic(4), self.records()
        for partition in range(4):
            self.adapter.produce(topic, partition, records[partition::4], "lz4" if partition % 2 else "none", "all", False)
        for partition in range(4):
            want = records[partition::4]
            expect_records(self.adapter.consume(topic, partition, "earliest", len(want)), want, 0, f"partition {partition}")

    def idempotent(self):
        topic, records = self.new_topic(), self.records() * 5
        offsets = self.adapter.produce(topic, 0, records, "none", "all", True)
        if offsets is not None:
            expect_equal(offsets, list(range(len(records))), "offsets acknowledged")
        expect_records(self.adapter.consume(topic, 0, "earliest", len(records)), records, 0, "idempotent")
        expect_equal(self.adapter.offsets(topic, 0), (0, len(records)), "offsets")

    def auto_create(self):
        topic = f"{self.prefix}.made.by.use"
        records = self.records()[6:12]
        self.adapter.produce(topic, 0, records, "none", "all", False)
        expect_records(self.adapter.consume(topic, 0, "earliest", len(records)), records, 0, "a topic made by its first use")

    def from_end(self):
        topic, records = self.new_topic(), self.records()
        self.adapter.produce(topic, 0, records[:20], "none", "all", False)
        fresh = records[20:50]
        got = self.adapter.consume_new(topic, 0, lambda: self.adapter.produce(topic, 0, fresh, "none", "all", False), len(fresh))
        expect_records(got, fresh, 20, "from the end")

    def by_time(self):
        topic, records = self.new_topic(), self.records()
        self.adapter.produce(topic, 0, records, "none", "all", False)
        base = records[0].timestamp
        ask = self.adapter.offset_for_time
        expect_equal(ask(topic, 0, base), 0, "offset at the first record's time")
        expect_equal(ask(topic, 0, base - 5000), 0, "offset long before the first record")
        expect_equal(ask(topic, 0, base + 10 * 57), 57, "offset at record 57's time")
        expect_equal(ask(topic, 0, base + 10 * 57 - 3), 57, "offset just before record 57's time")
        expect_equal(ask(topic, 0, base + 10 * 57 + 1), 58, "offset just after record 57's time")
        expect_equal(ask(topic, 0, base + 10 * len(records)), None, "offset after the last record")
        got = self.adapter.consume(topic, 0, ask(topic, 0, base + 10 * 100), len(records) - 100)
        expect_records(got, records[100:], 100, "from a time")

    def max_timestamp(self):
        topic, records = self.new_topic(), self.records()[6:26]
        latest = dataclasses.replace(records[4], timestamp=records[-1].timestamp + 1000)
        shuffled = records[:4] + [latest] + records[5:]
        self.adapter.produce(topic, 0, shuffled, "none", "all", False)
        expect_equal(self.adapter.max_timestamp_offset(topic, 0), 4, "offset of the largest timestamp")

    def add_partitions(self):
        topic, records = self.new_topic(2), self.records()[6:16]
        self.adapter.add_partitions(topic, 5)
        wait_until(lambda: self.adapter.topics().get(topic) == 5, "five partitions listed")
        self.adapter.produce(topic, 4, records, "none", "all", False)
        expect_records(self.adapter.consume(topic, 4, "earliest", len(records)), records, 0, "a partition that was added")

    def alter_config(self):
        topic = self.new_topic()
        self.adapter.alter_config(topic, {"retention.ms": "123456789", "cleanup.policy": "delete"})
        wait_until(lambda: self.adapter.describe_config(topic).get("retention.ms") == "123456789", "retention.ms as altered")

    def log_append_time(self):
        if "timestamps" not in self.adapter.features:
            return
        topic, records = self.new_topic(message_timestamp_type="LogAppendTime"), self.records()[6:26]
        for codec in self.adapter.codecs:
            self.adapter.produce(topic, 0, records, codec, "all", False)
        now = int(time.time() * 1000)
        got = self.adapter.consume(topic, 0, "earliest", len(records) * len(self.adapter.codecs))
        untimed = [dataclasses.replace(r, timestamp=None) for r in records] * len(self.adapter.codecs)
        expect_records(got, untimed, 0, "LogAppendTime")
        for offset, record in got:
            expect(abs(record.timestamp - now) < 600_000, f"timestamp at offset {offset} is the client's, not the server's")

    def describe_config(self):
        topic = self.new_topic(retention_ms=86400000, max_message_bytes=2097152)
        config = self.adapter.describe_config(topic)
        expect_equal(config.get("retention.ms"), "86400000", "retention.ms")
        expect_equal(config.get("max.message.bytes"), "2097152", "max.message.bytes")
        expect_equal(config.get("cleanup.policy"), "delete", "cleanup.policy by default")

    def delete_records(self):
        topic, records = self.new_topic(), self.records()
        self.adapter.produce(topic, 0, records, "none", "all", False)
        self.adapter.delete_records(topic, 0, 30)
        expect_equal(self.adapter.offsets(topic, 0), (30, len(records)), "offsets after deleting up to 30")
        got = self.adapter.consume(topic, 0, "earliest", len(records) - 30)
        expect_records(got, records[30:], 30, "what is left")

    def delete(self):
        topic = self.new_topic(3)
        self.adapter.produce(topic, 0, self.records()[:6], "none", "all", False)
        self.adapter.delete(topic)
        wait_until(lambda: topic not in self.adapter.topics(), "the deleted topic is no longer listed")

    def recreate(self):
        """A topic deleted and made again under its name is empty."""
        topic, records = self.new_topic(), self.records()
        self.adapter.produce(topic, 0, records[:20], "none", "all", False)
        self.adapter.delete(topic)
        wait_until(lambda: topic not in self.adapter.topics(), "the deleted topic is no longer listed")
        self.adapter.create(topic, 1, {})
        self.wait_for_leaders(topic, 1)
        expect_equal(self.adapter.offsets(topic, 0), (0, 0), "offsets of the topic made again")
        self.adapter.produce(topic, 0, records[20:30], "none", "all", False)
        expect_records(self.adapter.consume(topic, 0, "earliest", 10), records[20:30], 0, "the topic made again")

    def duplicate_topic(self):
        refused_with(TOPIC_ALREADY_EXISTS, self.adapter.create, self.new_topic(), 1, {})

    def illegal_name(self):
        refused_with(INVALID_TOPIC, self.adapter.create, "no spaces please", 1, {})

    def unknown_topic(self):
        refused_with(UNKNOWN_TOPIC_OR_PARTITION, self.adapter.delete, f"{self.prefix}.never.made")

    def bad_config(self):
        refused_with(INVALID_CONFIG, self.adapter.create, f"{self.prefix}.bad", 1, {"retention.ms": "soon"})

    def fewer_partitions(self):
        refused_with(INVALID_PARTITIONS, self.adapter.add_partitions, self.new_topic(3), 2)

    def too_large(self):
        topic = self.new_topic(max_message_bytes=1000)
        refused_with(MESSAGE_TOO_LARGE, self.adapter.produce, topic, 0, [Record(None, b"x" * 2000)], "none", "all", False)
        expect_equal(self.adapter.offsets(topic, 0), (0, 0), "offsets after the refusal")


def main(make_adapter):
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--check", help="run only the checks whose name contains this")
    arguments = parser.parse_args()
    adapter = make_adapter(arguments.bootstrap)
    suite = Suite(adapter.name, arguments.check)
    try:
        Spec(adapter, suite).run()
    finally:
        adapter.close()
    sys.exit(suite.finish())
