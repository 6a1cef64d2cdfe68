"""Produce requests whose records are wrong: each is refused with Kafka's code and leaves the log as it was."""

import struct
import time

import bombs
import wire
from harness import MIB, BadInputCase, Client, MemoryWatch, read_all


def now_ms():
    return int(time.time() * 1000)


class Batches(BadInputCase):
    settings = {"kafka.request_memory_bytes_max": "128MiB"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Client(cls.node.kafka) as client:
            client.create("log")
            client.create("full", configs=[("record.validation", "full")])
            client.create("append-time", configs=[("message.timestamp.type", "LogAppendTime")])
            client.create("small", configs=[("max.message.bytes", "1000")])
            client.create("recent", configs=[("message.timestamp.before.max.ms", "60000"), ("message.timestamp.after.max.ms", "60000")])

    def refused(self, code, batch, log="log", api=wire.PRODUCE_V8, why=None):
        with self.subTest(why or code), Client(self.node.kafka) as client:
            before = client.end_offset(log)
            answer = client.produce(log, batch, api=api)
            self.assertEqual(answer["error"], code, answer)
            self.assertEqual(answer["base"], -1)
            self.assertEqual(client.end_offset(log), before)
            return answer

    def test_checksums(self):
        good = wire.batch([b"payload"])
        self.refused(wire.CORRUPT_MESSAGE, wire.batch([b"payload"], crc=0))
        for position in range(wire.CRC_POSITION, len(good)):
            flipped = bytearray(good)
            flipped[position] ^= 0x10
            self.refused(wire.CORRUPT_MESSAGE, bytes(flipped), why=f"a bit flipped at {position}")

    def test_older_formats(self):
        for magic, code in ((0, wire.INVALID_RECORD), (1, wire.INVALID_RECORD), (3, wire.CORRUPT_MESSAGE), (127, wire.CORRUPT_MESSAGE),
                            (-128, wire.CORRUPT_MESSAGE)):
            self.refused(code, wire.batch([b"v"], magic=magic), why=f"magic {magic}")
        # Whole messages of the old formats: offset, size, checksum, magic, attributes, (time,) key, value.
        for magic in (0, 1):
            body = struct.pack(">bb", magic, 0) + (struct.pack(">q", 5) if magic else b"") + struct.pack(">ii", -1, 1) + b"v"
            self.refused(wire.INVALID_RECORD, struct.pack(">qiI", 0, 4 + len(body), 0) + body, why=f"a message of magic {magic}")

    def test_lengths(self):
        good = wire.batch([b"payload"])
        for size in (0, 1, 11, 12, 16, 17, 60, len(good) - 1):
            self.refused(wire.INVALID_RECORD if size == 0 else wire.CORRUPT_MESSAGE, good[:size], why=f"{size} bytes")
        for change in (-1, 1, -len(good), 1000, 2**30):
            self.refused(wire.CORRUPT_MESSAGE if change > 0 or change < -1 else wire.INVALID_RECORD, wire.batch([b"payload"], length_change=change),
                         why=f"a length {change:+}")
        self.refused(wire.INVALID_RECORD, None, why="null")
        self.refused(wire.INVALID_RECORD, good + good, why="two batches")
        self.refused(wire.INVALID_RECORD, good + b"x", why="more than a batch")

    def test_counts_and_deltas_that_disagree(self):
        two = wire.record(b"a", 0) + wire.record(b"b", 1)
        for why, batch in {
            "a count above the records": wire.batch([b"a", b"b"], count=3, last_delta=2),
            "a count below the records": wire.batch([b"a", b"b"], count=1, last_delta=0),
            "count and delta": wire.batch([b"a", b"b"], last_delta=5),
            "a delta of the maximum": wire.batch([b"a", b"b"], last_delta=2**31 - 1),
            "a negative delta": wire.batch([b"a", b"b"], last_delta=-1),
            "a count of the maximum": wire.batch([b"a"], count=2**31 - 1, last_delta=2**31 - 2),
            "no records": wire.batch([], records=b"", count=0, last_delta=-1),
            "no records, delta 0": wire.batch([], records=b"", count=0, last_delta=0),
            "a negative count": wire.batch([b"a"], count=-1),
            "deltas that go back": wire.batch(records=wire.record(b"a", 1) + wire.record(b"b", 0), count=2, last_delta=1),
            "deltas that repeat": wire.batch(records=wire.record(b"a", 0) + wire.record(b"b", 0), count=2, last_delta=1),
            "deltas with a gap": wire.batch(records=wire.record(b"a", 0) + wire.record(b"b", 2), count=2, last_delta=1),
            "a negative record delta": wire.batch(records=wire.record(b"a", -1), count=1, last_delta=0),
            "more after the last record": wire.batch(records=two + b"\0", count=2, last_delta=1),
            "a base offset": wire.batch([b"a"], base=5),
        }.items():
            self.refused(wire.INVALID_RECORD, batch, why=why)

    def test_records(self):
        good = wire.record(b"value", key=b"key", headers=[(b"h", b"x")])
        body = good[1:]
        for why, records in {
            "a length of zero": b"\0",
            "a negative length": wire.zigzag(-1),
            "a length beyond the batch": wire.zigzag(1000) + body,
            "a length short of its fields": wire.zigzag(len(body) - 2) + body,
            "a varint without end": b"\xff" * 12,
            "a key beyond the record": wire.zigzag(8) + b"\0\0\0" + wire.zigzag(100) + b"abcd",
            "a key of length -2": wire.zigzag(6) + b"\0\0\0" + wire.zigzag(-2) + b"\1\0",
            "headers that are not there": wire.zigzag(7) + b"\0\0\0\1\1" + wire.zigzag(1000),
            "a negative header count": wire.zigzag(6) + b"\0\0\0\1\1" + wire.zigzag(-1),
            "a header without key": wire.zigzag(8) + b"\0\0\0\1\1" + wire.zigzag(1) + wire.zigzag(-1) + b"\1",
            "cut off": good[:-1],
        }.items():
            answer = self.refused(wire.INVALID_RECORD, wire.batch(records=records, count=1, last_delta=0), why=why)
            if answer is not None:
                self.assertEqual([error["index"] for error in answer["errors"]], [0], why)

    def test_what_clients_may_not_write(self):
        control = struct.pack(">hh", 0, 1)
        for attributes in (wire.CONTROL, wire.CONTROL | wire.TRANSACTIONAL):
            records = wire.record(b"\0\0\0\0\0\0", key=control)
            code = wire.INVALID_TXN_STATE if attributes & wire.TRANSACTIONAL else wire.INVALID_RECORD
            self.refused(code, wire.batch(records=records, count=1, last_delta=0, attributes=attributes, producer=5, epoch=0, sequence=0),
                         why=f"a control batch, {attributes:#x}")
        self.refused(wire.INVALID_TXN_STATE, wire.batch(attributes=wire.TRANSACTIONAL, producer=5, epoch=0, sequence=0), why="a transaction")
        self.refused(wire.INVALID_TXN_STATE, wire.batch(attributes=wire.TRANSACTIONAL), why="a transaction without producer")
        self.refused(wire.INVALID_RECORD, wire.batch(attributes=0x40), why="a delete horizon")
        for codec in (5, 6, 7):
            self.refused(wire.UNSUPPORTED_COMPRESSION, wire.batch(attributes=codec), why=f"codec {codec}")
        self.refused(wire.UNSUPPORTED_COMPRESSION, wire.batch(records=bombs.compress(wire.ZSTD, wire.record(b"z")), attributes=wire.ZSTD),
                     api=wire.PRODUCE_V3, why="zstd in a version that does not know it")

    def test_timestamps(self):
        self.refused(wire.INVALID_TIMESTAMP, wire.batch(attributes=wire.LOG_APPEND_TIME), log="append-time", why="the server's own kind")
        for log, time_ms in (("recent", now_ms() - 120_000), ("recent", now_ms() + 120_000), ("log", now_ms() + 7_200_000),
                             ("log", 2**63 - 1)):
            self.refused(wire.INVALID_TIMESTAMP, wire.batch(time_ms=time_ms), log=log, why=f"time {time_ms}")
        over = wire.batch(records=wire.record(b"x", time_delta=2**62), count=1, last_delta=0, time_ms=2**62)
        self.refused(wire.INVALID_TIMESTAMP, over, why="a sum beyond 63 bits")

    def test_sizes(self):
        self.refused(wire.MESSAGE_TOO_LARGE, wire.batch([bytes(1000)]), log="small")
        self.refused(wire.MESSAGE_TOO_LARGE, wire.batch([bytes(MIB + 100)]))
        with Client(self.node.kafka) as client:
            self.assertEqual(client.produce("small", wire.batch([bytes(500)]))["error"], wire.NONE)

    def test_compressed_batches_that_are_no_such_thing(self):
        for name, (codec, data) in bombs.BROKEN.items():
            self.refused(wire.INVALID_RECORD, wire.batch(records=data, attributes=codec), log="full", why=name)
        with Client(self.node.kafka) as client:
            for codec in (wire.GZIP, wire.SNAPPY, wire.LZ4, wire.ZSTD):
                data = bombs.compress(codec, wire.record(b"really %d" % codec))
                self.assertEqual(client.produce("full", wire.batch(records=data, attributes=codec))["error"], wire.NONE, codec)
                self.refused(wire.INVALID_RECORD, wire.batch(records=data, attributes=codec, count=2, last_delta=1), log="full", why="count")
                for cut in (1, len(data) // 2, len(data) - 1):
                    self.refused(wire.INVALID_RECORD, wire.batch(records=data[:cut], attributes=codec), log="full", why=f"cut at {cut}")

    def test_decompression_bombs(self):
        with MemoryWatch(self, 160 * MIB), Client(self.node.kafka) as client:
            for name, (codec, data) in bombs.BOMBS.items():
                with self.subTest(name):
                    if len(data) > MIB:
                        continue
                    before = client.end_offset("full")
                    answer = client.produce("full", wire.batch(records=data, attributes=codec))
                    self.assertIn(answer["error"], (wire.INVALID_RECORD, wire.MESSAGE_TOO_LARGE))
                    self.assertEqual(client.end_offset("full"), before)

    def test_bombs_that_are_stored_unopened_do_not_go_off(self):
        """By default compressed batches are not opened; a search by time has to."""
        with MemoryWatch(self, 200 * MIB), Client(self.node.kafka) as client:
            for number, (name, (codec, data)) in enumerate(bombs.BOMBS.items()):
                with self.subTest(name):
                    log = f"unopened-{number}"
                    client.create(log)
                    time_ms = now_ms()
                    answer = client.produce(log, wire.batch(records=data, attributes=codec, time_ms=time_ms - 10, max_time_ms=time_ms))
                    if answer["error"] != wire.NONE:
                        continue
                    found = client.ask(wire.LIST_OFFSETS_V1, -1, [(log, [(0, time_ms)])])["topics"][0]["partitions"][0]
                    self.assertIn(found["error"], (wire.NONE, wire.CORRUPT_MESSAGE, wire.INVALID_RECORD, wire.MESSAGE_TOO_LARGE,
                                                   wire.KAFKA_STORAGE_ERROR))
                    self.assertEqual(client.fetch(log, 0)["error"], wire.NONE)

    def test_batches_that_look_odd_are_kept_byte_for_byte(self):
        with Client(self.node.kafka) as client:
            client.create("odd")
            values = [b"", bytes(range(256)), b"\r\n\0", b"x" * 100_000]
            for value in values:
                self.assertEqual(client.produce("odd", wire.batch([value]))["error"], wire.NONE)
            self.assertEqual(read_all(client, "odd"), values)


class Producers(BadInputCase):
    """Idempotence: sequences and epochs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Client(cls.node.kafka) as client:
            client.create("log", partitions=20)

    def setUp(self):
        self.partition = getattr(type(self), "next_partition", 0)
        type(self).next_partition = self.partition + 1
        self.connection = self.client()
        answer = self.connection.ask(wire.INIT_PRODUCER_ID_V1, None, 0)
        self.assertEqual(answer["error"], wire.NONE)
        self.producer, self.epoch = answer["producer"], answer["epoch"]

    def send(self, sequence, count=1, epoch=None, producer=None):
        """(error, base offset)."""
        batch = wire.batch([b"s%d" % (sequence + i) for i in range(count)], producer=self.producer if producer is None else producer,
                           epoch=self.epoch if epoch is None else epoch, sequence=sequence)
        answer = self.connection.produce("log", batch, self.partition)
        return answer["error"], answer["base"]

    def test_repeated_batches_are_acknowledged_with_their_first_offset(self):
        for sequence in range(6):
            self.assertEqual(self.send(sequence), (wire.NONE, sequence))
        for sequence in range(1, 6):
            self.assertEqual(self.send(sequence), (wire.NONE, sequence), "one of the last five")
        self.assertEqual(self.send(0)[0], wire.OUT_OF_ORDER_SEQUENCE, "older than what is remembered")
        self.assertEqual(self.connection.end_offset("log", self.partition), 6)

    def test_gaps_and_overlaps_are_refused(self):
        self.assertEqual(self.send(0, 3), (wire.NONE, 0))
        for sequence, count in ((4, 1), (2, 5), (100, 1), (2**31 - 1, 1)):
            self.assertEqual(self.send(sequence, count)[0], wire.OUT_OF_ORDER_SEQUENCE, (sequence, count))
        self.assertEqual(self.send(3), (wire.NONE, 3), "the right one is still welcome")
        self.assertEqual(self.connection.end_offset("log", self.partition), 4)

    def test_older_epochs_are_fenced(self):
        self.assertEqual(self.send(0, epoch=5), (wire.NONE, 0))
        self.assertEqual(self.send(0, epoch=6), (wire.NONE, 1))
        for epoch in (5, 0):
            self.assertEqual(self.send(1, epoch=epoch)[0], wire.INVALID_PRODUCER_EPOCH, epoch)
        self.assertEqual(self.send(5, epoch=7)[0], wire.OUT_OF_ORDER_SEQUENCE, "a new epoch begins at 0")
        self.assertEqual(self.send(1, epoch=6), (wire.NONE, 2))

    def test_headers_that_contradict_themselves(self):
        for why, options in {"no epoch": {"epoch": -1}, "no sequence": {"sequence": -1}, "a negative producer": {"producer": -2}}.items():
            with self.subTest(why):
                batch = wire.batch(**{"producer": self.producer, "epoch": 0, "sequence": 0, **options})
                self.assertEqual(self.connection.produce("log", batch, self.partition)["error"], wire.INVALID_RECORD)

    def test_transactional_producers_are_told_that_there_are_no_transactions(self):
        self.assertEqual(self.connection.ask(wire.INIT_PRODUCER_ID_V1, "tx", 1000)["error"], wire.COORDINATOR_NOT_AVAILABLE)
        self.assertEqual(self.connection.ask(wire.INIT_PRODUCER_ID_V1, "", 1000)["error"], wire.INVALID_REQUEST)

    def test_sequences_outlive_a_kill(self):
        self.assertEqual(self.send(0, 2), (wire.NONE, 0))
        self.node.end(9)
        self.start()
        self.connection = self.client()
        self.assertEqual(self.send(0, 2), (wire.NONE, 0), "a repetition")
        self.assertEqual(self.send(3)[0], wire.OUT_OF_ORDER_SEQUENCE)
        self.assertEqual(self.send(2), (wire.NONE, 2))
