"""Bytes that are not what a Kafka client sends: frames, headers, versions, lengths and counts that lie."""

import random
import struct
import time

import wire
from harness import MIB, BadInputCase, Client, Closed, MemoryWatch

LENGTH_MAX = 100 * MIB
# One good request of every API that is served, in a version with and, where these tests know one, without compact lengths.
NO_CURSOR = b"\xff"
GOOD_REQUESTS = [
    (wire.API_VERSIONS_V0, ()),
    (wire.API_VERSIONS_V3, ("split", "1.0")),
    (wire.METADATA_V1, (["split"],)),
    (wire.METADATA_V12, ([(bytes(16), "split")], False, False)),
    (wire.PRODUCE_V8, (None, -1, 1000, [("absent", [(0, wire.batch())])])),
    (wire.FETCH_V11, (-1, 0, 1, MIB, 0, 0, -1, [("split", [(0, -1, 0, -1, MIB)])], [], "")),
    (wire.FETCH_V13, (-1, 0, 1, MIB, 0, 0, -1, [(bytes(16), [(0, -1, 0, -1, -1, MIB)])], [], "")),
    (wire.LIST_OFFSETS_V1, (-1, [("split", [(0, -1)])])),
    (wire.LIST_OFFSETS_V11, (-1, 0, [("split", [(0, -1, -1)])], 100)),
    (wire.CREATE_TOPICS_V2, ([("split", 1, 1, [], [])], 100, True)),
    (wire.CREATE_TOPICS_V7, ([("split", 1, 1, [], [("retention.ms", "5")])], 100, True)),
    (wire.DELETE_TOPICS_V3, (["absent"], 100)),
    (wire.DELETE_TOPICS_V6, ([("absent", bytes(16))], 100)),
    (wire.DELETE_RECORDS_V0, ([("split", [(0, 0)])], 100)),
    (wire.OFFSET_FOR_LEADER_EPOCH_V3, (-1, [("split", [(0, -1, 0)])])),
    (wire.DESCRIBE_CONFIGS_V1, ([(2, "split", ["retention.ms"])], True)),
    (wire.ALTER_CONFIGS_V0, ([(2, "split", [("retention.ms", "5")])], True)),
    (wire.INCREMENTAL_ALTER_CONFIGS_V0, ([(2, "split", [("retention.ms", 0, "5")])], True)),
    (wire.DESCRIBE_LOG_DIRS_V1, ([("split", [0])],)),
    (wire.CREATE_PARTITIONS_V0, ([("split", 2, None)], 100, True)),
    (wire.DESCRIBE_CLUSTER_V0, (False,)),
    (wire.LIST_CONFIG_RESOURCES_V1, ([],)),
    (wire.DESCRIBE_TOPIC_PARTITIONS_V0, ([("split",)], 10, NO_CURSOR)),
]


class Frames(BadInputCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Client(cls.node.kafka) as client:
            client.create("split")
            client.produce("split", wire.batch([b"kept"]))

    def test_lengths_that_cannot_be(self):
        for size in (-1, -2, -(1 << 31), LENGTH_MAX + 1, (1 << 31) - 1):
            self.assert_closed(struct.pack(">i", size), size)
        for size in range(8):
            self.assert_closed(struct.pack(">i", size) + bytes(size), f"{size} bytes hold no header")

    def test_announced_bytes_that_never_come_take_no_memory(self):
        with MemoryWatch(self, 16 * MIB):
            clients = [self.client() for _ in range(100)]
            for client in clients:
                client.send(struct.pack(">ihh", LENGTH_MAX, wire.PRODUCE, 8))
            self.check_good_client()
        for client in clients:
            client.close()

    def test_a_length_beyond_what_follows_waits_and_is_dropped_with_the_connection(self):
        for api, values in GOOD_REQUESTS:
            with self.subTest(api.key), Client(self.node.kafka) as client:
                whole = api.frame(*values)
                client.send(struct.pack(">i", len(whole)) + whole[4:])
                client.end()
                self.assertTrue(client.is_closed())

    def test_a_length_short_of_what_follows_is_malformed(self):
        for api, values in GOOD_REQUESTS:
            whole = api.frame(*values)
            if len(api.body(*values)) < 2:
                continue
            self.assert_closed(struct.pack(">i", len(whole) - 5) + whole[4:] + bytes(64), api.key)

    def test_requests_cut_off_anywhere_are_refused(self):
        """Each prefix of a request's body, in a frame of its own length."""
        for api, values in GOOD_REQUESTS:
            body = api.body(*values)
            cuts = range(len(body)) if len(body) < 40 else sorted({*range(12), *range(12, len(body), 5)})
            for cut in cuts:
                if api.key == wire.METADATA and cut == 0:
                    continue
                self.assert_closed(api.frame_of(body[:cut]), (api.key, api.version, cut))

    def test_requests_split_at_every_byte_are_answered_as_whole_ones(self):
        with Client(self.node.kafka) as client:
            for api, values in GOOD_REQUESTS:
                with self.subTest((api.key, api.version)):
                    frame = api.frame(*values)
                    client.send(frame)
                    whole = client.answer()
                    for cut in range(1, len(frame)):
                        client.send(frame[:cut])
                        client.send(frame[cut:])
                        split = client.answer()
                        if api.key not in (wire.CREATE_TOPICS, wire.DESCRIBE_LOG_DIRS):
                            self.assertEqual(split, whole, cut)
                    for byte in frame:
                        client.send(bytes([byte]))
                    self.assertEqual(len(client.answer()), len(whole))

    def test_apis_that_are_not_served_end_the_connection(self):
        for key in (-1, 4, 5, 6, 7, 17, 24, 25, 26, 28, 36, 50, 64, 68, 76, 127, 128, 1000, 32767, -32768):
            self.assert_closed(wire.frame(key, 0, bytes(64)), key)

    def test_versions_that_are_not_served_end_the_connection(self):
        with Client(self.node.kafka) as client:
            served = client.ask(wire.API_VERSIONS_V0)["keys"]
        self.assertEqual(len(served), 29)
        for api in served:
            if api["key"] == wire.API_VERSIONS:
                continue
            for version in (api["max"] + 1, api["min"] - 1, 100, 32767, -1, -32768):
                self.assert_closed(wire.frame(api["key"], version, bytes(64)), (api, version))

    def test_api_versions_of_any_version_is_answered_in_version_0(self):
        for version in (5, 99, 32767, -1):
            with self.subTest(version), Client(self.node.kafka) as client:
                client.send(wire.frame(wire.API_VERSIONS, version, b"\x07garbage", flex=True))
                answer = wire.API_VERSIONS_V0.read(client.answer())
                self.assertEqual(answer["error"], wire.UNSUPPORTED_VERSION)
                self.assertEqual(answer["keys"], [{"key": wire.API_VERSIONS, "min": 0, "max": 4}])
                self.assertEqual(client.ask(wire.API_VERSIONS_V0)["error"], wire.NONE, "the connection goes on")

    def test_clients_may_not_call_themselves_anything(self):
        with Client(self.node.kafka) as client:
            for name, version in (("", "1"), ("a", ""), ("a b", "1"), ("-a", "1"), ("a", "1\n"), ("x" * 30_000 + "!", "1")):
                self.assertEqual(client.ask(wire.API_VERSIONS_V3, name, version)["error"], wire.INVALID_REQUEST)

    def test_client_ids_of_any_kind(self):
        with Client(self.node.kafka) as client:
            for name in (None, b"", b"\xff\xfe", b"a\nb\r\n", bytes(range(256)), b"x" * 32767):
                client.send(wire.frame(wire.API_VERSIONS, 0, b"", client=name))
                self.assertEqual(wire.API_VERSIONS_V0.read(client.answer())["error"], wire.NONE)
        self.assert_closed(struct.pack(">ihhih", 10, wire.API_VERSIONS, 0, 1, 32767), "a client id longer than its frame")
        self.assert_closed(struct.pack(">ihhih", 10, wire.API_VERSIONS, 0, 1, -2), "a client id of negative length")

    def test_other_protocols(self):
        self.assert_closed(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "HTTP")
        self.assert_closed(bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + bytes(512), "TLS")
        self.assert_closed(b"SSH-2.0-OpenSSH_9.6\r\n", "SSH")

    def test_noise(self):
        seed = random.SystemRandom().getrandbits(32)
        noise = random.Random(seed)
        with self.subTest(seed=seed), MemoryWatch(self, 64 * MIB):
            for _ in range(300):
                with Client(self.node.kafka) as client:
                    api, values = noise.choice(GOOD_REQUESTS)
                    data = bytearray(api.frame(*values))
                    for _ in range(noise.randint(1, 8)):
                        data[noise.randrange(4, len(data))] = noise.choice((0, 1, 0x7F, 0x80, 0xFF, noise.randrange(256)))
                    # What was hit may have become something harmless, or a wait: the answer is of no interest.
                    try:
                        client.send(bytes(data))
                        client.end()
                        while client.socket.recv(1 << 16):
                            pass
                    except (Closed, ConnectionResetError):
                        pass


class Counts(BadInputCase):
    """Counts, sizes and repetitions that ask for more memory than their bytes are worth."""

    settings = {"kafka.request_memory_bytes_max": "128MiB"}
    memory_max = 128 * MIB

    def test_array_counts(self):
        arrays = [(wire.METADATA_V1, b""), (wire.PRODUCE_V8, struct.pack(">hhi", -1, -1, 1000)), (wire.LIST_OFFSETS_V1, struct.pack(">i", -1)),
                  (wire.FETCH_V11, struct.pack(">iiiibii", -1, 0, 1, MIB, 0, 0, -1)), (wire.CREATE_TOPICS_V2, b""),
                  (wire.DELETE_TOPICS_V3, b""), (wire.DELETE_RECORDS_V0, b""), (wire.OFFSET_FOR_LEADER_EPOCH_V3, struct.pack(">i", -1)),
                  (wire.DESCRIBE_CONFIGS_V1, b""), (wire.ALTER_CONFIGS_V0, b""), (wire.INCREMENTAL_ALTER_CONFIGS_V0, b""),
                  (wire.DESCRIBE_LOG_DIRS_V1, b""), (wire.CREATE_PARTITIONS_V0, b"")]
        compact = [(wire.METADATA_V12, b""), (wire.CREATE_TOPICS_V7, b""), (wire.DELETE_TOPICS_V6, b""),
                   (wire.LIST_OFFSETS_V11, struct.pack(">ib", -1, 0)), (wire.DESCRIBE_TOPIC_PARTITIONS_V0, b""),
                   (wire.LIST_CONFIG_RESOURCES_V1, b""), (wire.FETCH_V13, struct.pack(">iiiibii", -1, 0, 1, MIB, 0, 0, -1))]
        with MemoryWatch(self, 32 * MIB):
            for api, before in arrays:
                for count in (2**31 - 1, 2**31, 2**32 - 2, 1_000_000):
                    self.assert_closed(api.frame_of(before + struct.pack(">I", count) + bytes(200)), (api.key, count))
            for api, before in compact:
                for count in (2**32 - 1, 2**31, 1_000_000):
                    self.assert_closed(api.frame_of(before + wire.varint(count) + bytes(200)), (api.key, count))
                self.assert_closed(api.frame_of(before + b"\xff" * 12), "a varint without end")

    def test_tagged_fields(self):
        plain = wire.DESCRIBE_CLUSTER_V0.body(False)[:-1]

        def tagged(tags):
            return wire.DESCRIBE_CLUSTER_V0.frame_of(plain + wire.varint(len(tags)) + b"".join(
                wire.varint(number) + wire.varint(len(data)) + data for number, data in tags))

        with MemoryWatch(self, 32 * MIB):
            with Client(self.node.kafka) as client:
                client.send(tagged([(1000 + i, b"unknown") for i in range(100)]))
                self.assertEqual(wire.DESCRIBE_CLUSTER_V0.read(client.answer())["error"], wire.NONE, "unknown tags are skipped")
            for count in (129, 10_000):
                self.assert_closed(tagged([(i, b"") for i in range(count)]), f"{count} tags")
            self.assert_closed(tagged([(1, bytes(65 << 10))]), "a large tag")
            self.assert_closed(tagged([(1, bytes(40 << 10)), (2, bytes(40 << 10))]), "large tags together")
            self.assert_closed(wire.DESCRIBE_CLUSTER_V0.frame_of(plain + b"\x01\x01\xff\xff\xff\xff\x0f"), "a tag beyond its frame")
            # In every struct of a deep message, and in the header.
            topics = b"".join(wire.length(8, True, "") + b"tag-%04d" % i + b"\x05\x01\x01" * 1 + b"\0" for i in range(1000))
            self.assert_closed(wire.DESCRIBE_TOPIC_PARTITIONS_V0.frame_of(wire.varint(1001) + topics), "tags in a thousand structs")
            head = struct.pack(">hhih", wire.DESCRIBE_CLUSTER, 0, 1, -1) + wire.varint(200) + b"".join(
                wire.varint(i) + b"\0" for i in range(200)) + plain + b"\0"
            self.assert_closed(struct.pack(">i", len(head)) + head, "tags in the header")

    def test_the_same_thing_many_times(self):
        """Short entries whose answers, or whose work, would be long."""
        with Client(self.node.kafka) as client:
            client.create("wide", partitions=300)
            with MemoryWatch(self, self.memory_max):
                answer = client.ask(wire.METADATA_V1, ["wide"] * 200_000)
                self.assertEqual([len(topic["partitions"]) for topic in answer["topics"]], [300])
            with MemoryWatch(self, self.memory_max):
                answer = client.ask(wire.DESCRIBE_CONFIGS_V1, [(4, "1", None)] * 50_000, True)
                self.assertEqual(sum(1 for resource in answer["resources"] if resource["error"] == wire.NONE), 1)
                answer = client.ask(wire.DESCRIBE_CONFIGS_V1, [(4, "1".zfill(width), None) for width in range(1, 1000)], True)
                self.assertEqual(sum(1 for resource in answer["resources"] if resource["error"] == wire.NONE), 1)
            with MemoryWatch(self, self.memory_max):
                answer = client.ask(wire.LIST_OFFSETS_V1, -1, [("wide", [(i % 300, -1) for i in range(100_000)])])
                self.assertEqual({p["error"] for p in answer["topics"][0]["partitions"]}, {wire.NONE})
            with MemoryWatch(self, self.memory_max):
                client.ask(wire.DESCRIBE_LOG_DIRS_V1, [("wide", list(range(300)))] * 300)

    def test_entries_without_end(self):
        """Requests of mostly empty entries, near the largest frame."""
        entries = 6_000_000
        with MemoryWatch(self, self.memory_max):
            body = struct.pack(">hhi", -1, 1, 1000) + struct.pack(">i", 1) + struct.pack(">h", 6) + b"absent" + struct.pack(">i", entries)
            self.assert_closed(wire.PRODUCE_V8.frame_of(body + bytes(8) * entries), "produce")
        with MemoryWatch(self, self.memory_max):
            self.assert_closed(wire.DELETE_TOPICS_V3.frame_of(struct.pack(">i", 20_000_000) + bytes(40_000_004)), "delete topics")
        with MemoryWatch(self, self.memory_max):
            partitions = b"".join(struct.pack(">iq", i % 1000, -1) for i in range(1000)) * 1000
            body = struct.pack(">ii", -1, 1) + struct.pack(">h", 6) + b"absent" + struct.pack(">i", 1_000_000) + partitions
            self.assert_closed(wire.LIST_OFFSETS_V1.frame_of(body), "list offsets")

    def test_many_large_requests_at_once(self):
        """Twenty clients begin frames of 50 MiB and stop just short of the end: more than all requests may take."""
        clients = [self.client() for _ in range(20)]
        with MemoryWatch(self, 160 * MIB):
            body = struct.pack(">hhih", wire.PRODUCE, 8, 1, -1) + bytes(MIB)
            until = time.monotonic() + 3
            for client in clients:
                client.socket.settimeout(0.2)
                sent = 0
                try:
                    client.send(struct.pack(">i", 50 * MIB))
                    while sent < 49 * MIB and time.monotonic() < until:
                        client.send(body)
                        sent += len(body)
                except (TimeoutError, Closed):
                    pass
            self.check_good_client()
        for client in clients:
            client.close()
