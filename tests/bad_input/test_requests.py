"""Requests that are well formed and ask for what cannot be: each part is answered with Kafka's code, the others are served."""

import wire
from harness import BadInputCase, Client, read_all

NO_ID = bytes(16)
STRANGE_ID = bytes(range(1, 17))
TOPIC, BROKER = 2, 4
ILLEGAL_NAMES = ["", ".", "..", "a/b", "/", "a b", "ä", "a\0b", "a\nb", "x" * 250, "a:b", "*", "../../etc/passwd", "a\\b"]
NO_CURSOR = b"\xff"


def cursor(name, partition):
    return b"\x01" + wire.length(len(name), True, "") + name.encode() + partition.to_bytes(4, "big", signed=True) + b"\0"


def errors(topics, key="error"):
    return [topic[key] for topic in topics]


class Requests(BadInputCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Client(cls.node.kafka) as client:
            cls.log_id = client.create("log", partitions=3)
            for number in range(10):
                client.produce("log", wire.batch([b"%d" % number], time_ms=wire.NOW_MS + number * 1000))

    def setUp(self):
        self.connection = self.client()

    def ask(self, api, *values):
        return self.connection.ask(api, *values)

    # --- names ---

    def test_illegal_names(self):
        asked = [(name, 1, 1, [], []) for name in ILLEGAL_NAMES]
        answer = self.ask(wire.CREATE_TOPICS_V7, asked, 1000, False)
        self.assertEqual(errors(answer["topics"]), [wire.INVALID_TOPIC] * len(ILLEGAL_NAMES))
        self.assertTrue(all(topic["message"] and topic["id"] == NO_ID for topic in answer["topics"]))
        answer = self.ask(wire.METADATA_V12, [(NO_ID, name) for name in ILLEGAL_NAMES], True, False)
        self.assertEqual(errors(answer["topics"]), [wire.INVALID_TOPIC] * len(ILLEGAL_NAMES), "nor created on demand")
        for name in ILLEGAL_NAMES:
            with self.subTest(name):
                self.assertEqual(self.connection.produce(name, wire.batch())["error"], wire.UNKNOWN_TOPIC_OR_PARTITION)
        files = {path.name for path in (self.directory / "pyralog-data").iterdir()}
        self.assertLessEqual(files, {"journal", "lock", "logs", "meta", "node.toml"})

    def test_names_that_are_one_in_metrics(self):
        self.connection.create("a.b_c")
        answer = self.ask(wire.CREATE_TOPICS_V7, [("a_b.c", 1, 1, [], []), ("a.b_c", 1, 1, [], [])], 1000, False)
        self.assertEqual(errors(answer["topics"]), [wire.INVALID_TOPIC, wire.TOPIC_ALREADY_EXISTS])
        self.assertIn("a.b_c", answer["topics"][0]["message"])
        self.assertEqual(errors(self.ask(wire.METADATA_V12, [(NO_ID, "a.b.c")], True, False)["topics"]), [wire.INVALID_TOPIC])

    def test_the_longest_name(self):
        self.connection.create("y" * 249)
        self.assertEqual(self.connection.produce("y" * 249, wire.batch([b"v"]))["error"], wire.NONE)
        self.assertEqual(read_all(self.connection, "y" * 249), [b"v"])

    # --- Metadata ---

    def test_metadata(self):
        self.assertEqual(errors(self.ask(wire.METADATA_V12, [(NO_ID, "none")], False, False)["topics"]), [wire.UNKNOWN_TOPIC_OR_PARTITION])
        topics = self.ask(wire.METADATA_V12, [(self.log_id, None), (STRANGE_ID, None)], False, False)["topics"]
        self.assertEqual([(t["error"], t["name"], t["id"]) for t in topics],
                         [(wire.NONE, "log", self.log_id), (wire.UNKNOWN_TOPIC_ID, None, STRANGE_ID)])
        self.assertEqual(self.ask(wire.METADATA_V12, [], False, False)["topics"], [], "an empty list asks for none")
        self.assertIn("log", [topic["name"] for topic in self.ask(wire.METADATA_V12, None, False, False)["topics"]], "null asks for all")
        self.assertEqual(errors(self.ask(wire.METADATA_V12, [(NO_ID, "on-demand")], True, False)["topics"]), [wire.NONE])

    # --- Produce and Fetch ---

    def test_produce(self):
        good = wire.batch([b"v"])
        self.connection.create("target")
        answer = self.ask(wire.PRODUCE_V8, None, -1, 1000, [("target", [(0, good), (1, good), (-1, good), (2**31 - 1, good)]),
                                                            ("none", [(0, good)]), ("target", [])])
        self.assertEqual([errors(topic["partitions"]) for topic in answer["topics"]],
                         [[wire.NONE] + [wire.UNKNOWN_TOPIC_OR_PARTITION] * 3, [wire.UNKNOWN_TOPIC_OR_PARTITION], []])
        for acks in (2, -2, 32767):
            self.assertEqual(self.connection.produce("target", good, acks=acks)["error"], wire.INVALID_REQUIRED_ACKS, acks)
        answer = self.ask(wire.PRODUCE_V13, None, -1, 1000, [(STRANGE_ID, [(0, good)]), (NO_ID, [(0, good)])])
        self.assertEqual([errors(topic["partitions"]) for topic in answer["topics"]], [[wire.UNKNOWN_TOPIC_ID]] * 2)
        self.assertEqual(self.connection.end_offset("target"), 1)
        self.assertEqual(self.ask(wire.PRODUCE_V8, None, -1, 1000, [])["topics"], [])

    def test_produce_without_acknowledgement_ends_the_connection_on_failure(self):
        self.connection.send(wire.PRODUCE_V8.frame(None, 0, 1000, [("none", [(0, wire.batch())])]))
        self.assertTrue(self.connection.is_closed())

    def test_too_few_copies_for_what_a_log_demands(self):
        answer = self.ask(wire.CREATE_TOPICS_V7, [("two-copies", 1, 1, [], [("min.insync.replicas", "2")])], 1000, False)
        self.assertEqual(errors(answer["topics"]), [wire.NONE])
        self.assertEqual(self.connection.produce("two-copies", wire.batch(), acks=-1)["error"], wire.NOT_ENOUGH_REPLICAS)
        self.assertEqual(self.connection.produce("two-copies", wire.batch(), acks=1)["error"], wire.NONE)
        self.assertEqual(self.connection.end_offset("two-copies"), 1)

    def test_fetch_offsets(self):
        for offset, code in ((10, wire.NONE), (11, wire.OFFSET_OUT_OF_RANGE), (-1, wire.OFFSET_OUT_OF_RANGE), (-2, wire.OFFSET_OUT_OF_RANGE),
                             (2**63 - 1, wire.OFFSET_OUT_OF_RANGE), (-2**63, wire.OFFSET_OUT_OF_RANGE)):
            answer = self.connection.fetch("log", offset)
            self.assertEqual((answer["error"], answer["records"]), (code, b""), offset)
        for partition in (3, -1, 2**31 - 1):
            self.assertEqual(self.connection.fetch("log", 0, partition)["error"], wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(self.connection.fetch("none", 0)["error"], wire.UNKNOWN_TOPIC_OR_PARTITION)

    def test_fetch_sizes(self):
        for size in (0, -1, 1, -2**31):
            answer = self.connection.fetch("log", 0, bytes_max=size)
            self.assertEqual(answer["error"], wire.NONE)
            self.assertGreater(len(answer["records"]), 0, "the first batch is served whatever its size")
        answer = self.ask(wire.FETCH_V11, -1, -5, -1, -1, 0, 0, -1, [("log", [(0, -1, 0, -1, -1)])], [], "")
        self.assertEqual(answer["error"], wire.NONE)

    def test_fetch_by_id_and_epoch(self):
        answer = self.ask(wire.FETCH_V13, -1, 0, 1, 1000, 0, 0, -1,
                          [(STRANGE_ID, [(0, -1, 0, -1, -1, 100)]), (self.log_id, [(0, -1, 10, -1, -1, 100), (1, 2**31 - 1, 0, -1, -1, 100)])], [], "")
        found = {(topic["id"], p["index"]): p["error"] for topic in answer["topics"] for p in topic["partitions"]}
        self.assertEqual(found, {(STRANGE_ID, 0): wire.UNKNOWN_TOPIC_ID, (self.log_id, 0): wire.NONE, (self.log_id, 1): wire.UNKNOWN_LEADER_EPOCH})

    def test_fetch_sessions(self):
        def fetch(session, epoch, topics=()):
            return self.ask(wire.FETCH_V11, -1, 0, 1, 1000, 0, session, epoch, list(topics), [], "")

        self.assertEqual(fetch(12345, 1)["error"], wire.FETCH_SESSION_ID_NOT_FOUND)
        self.assertEqual(fetch(-1, 7)["error"], wire.FETCH_SESSION_ID_NOT_FOUND)
        first = fetch(0, 0, [("log", [(0, -1, 10, -1, 100)])])
        self.assertNotEqual(first["session"], 0)
        self.assertEqual(fetch(first["session"], 2)["error"], wire.INVALID_FETCH_SESSION_EPOCH)
        self.assertEqual((fetch(first["session"], 1)["error"], fetch(first["session"], 1)["error"]),
                         (wire.NONE, wire.INVALID_FETCH_SESSION_EPOCH))
        # A session that names what does not exist tells so again and again.
        odd = fetch(0, 0, [("none", [(0, -1, 0, -1, 100)]), ("log", [(77, -1, 0, -1, 100)])])
        self.assertEqual([errors(t["partitions"]) for t in odd["topics"]], [[wire.UNKNOWN_TOPIC_OR_PARTITION]] * 2)
        self.assertEqual(len(fetch(odd["session"], 1)["topics"]), 2)

    # --- offsets ---

    def test_list_offsets(self):
        def find(time, partition=0, log="log", epoch=-1, isolation=0):
            answer = self.ask(wire.LIST_OFFSETS_V11, -1, isolation, [(log, [(partition, epoch, time)])], 1000)["topics"][0]["partitions"][0]
            return answer["error"], answer["offset"], answer["time"]

        self.assertEqual(find(-1), (wire.NONE, 10, -1))
        self.assertEqual(find(-2), (wire.NONE, 0, -1))
        self.assertEqual(find(-3), (wire.NONE, 9, wire.NOW_MS + 9000), "the largest timestamp")
        self.assertEqual(find(-4), (wire.NONE, 0, -1), "all of it is local")
        self.assertEqual(find(-5)[:2], (wire.NONE, -1), "nothing is tiered")
        self.assertEqual(find(0), (wire.NONE, 0, wire.NOW_MS))
        self.assertEqual(find(wire.NOW_MS + 3500), (wire.NONE, 4, wire.NOW_MS + 4000))
        self.assertEqual(find(wire.NOW_MS + 9001), (wire.NONE, -1, -1), "no record is that late")
        self.assertEqual(find(2**63 - 1), (wire.NONE, -1, -1))
        self.assertEqual([find(time, partition=1) for time in (-1, -2, -3, 5)],
                         [(wire.NONE, 0, -1), (wire.NONE, 0, -1), (wire.NONE, -1, -1), (wire.NONE, -1, -1)], "an empty partition")
        self.assertEqual(find(-1, isolation=1), (wire.NONE, 10, -1))
        for time in (-7, -100, -2**63):
            self.assertIn(find(time)[0], (wire.NONE, wire.INVALID_REQUEST, wire.UNSUPPORTED_VERSION), time)
        self.assertEqual(find(-1, partition=3)[0], wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(find(-1, log="none")[0], wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(find(-1, epoch=1000)[0], wire.UNKNOWN_LEADER_EPOCH)

    def test_offset_for_leader_epoch(self):
        def end(epoch, current=-1, partition=0, log="log"):
            answer = self.ask(wire.OFFSET_FOR_LEADER_EPOCH_V3, -1, [(log, [(partition, current, epoch)])])["topics"][0]["partitions"][0]
            return answer["error"], answer["epoch"], answer["end"]

        error, current, offset = end(2**31 - 2)
        self.assertEqual((error, offset), (wire.NONE, -1), "an epoch that has not been")
        current = self.ask(wire.METADATA_V12, [(NO_ID, "log")], False, False)["topics"][0]["partitions"][0]["epoch"]
        self.assertEqual(end(current), (wire.NONE, current, 10))
        self.assertEqual(end(current, current=current), (wire.NONE, current, 10))
        self.assertEqual(end(current, current=current + 1)[0], wire.UNKNOWN_LEADER_EPOCH)
        if current > 0:
            self.assertEqual(end(current, current=current - 1)[0], wire.FENCED_LEADER_EPOCH)
        self.assertEqual(end(0, partition=3)[0], wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(end(0, log="none")[0], wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(end(-1)[:1] + end(-1)[2:], (wire.NONE, -1))

    def test_delete_records(self):
        self.connection.create("front")
        for _ in range(5):
            self.connection.produce("front", wire.batch([b"v"]))

        def delete(offset, partition=0, log="front"):
            answer = self.ask(wire.DELETE_RECORDS_V0, [(log, [(partition, offset)])], 1000)["topics"][0]["partitions"][0]
            return answer["error"], answer["low"]

        for offset in (6, -2, 2**63 - 1, -2**63):
            self.assertEqual(delete(offset), (wire.OFFSET_OUT_OF_RANGE, -1), offset)
        self.assertEqual(delete(2), (wire.NONE, 2))
        self.assertEqual(delete(1), (wire.NONE, 2), "already gone")
        self.assertEqual(delete(0, partition=1), (wire.UNKNOWN_TOPIC_OR_PARTITION, -1))
        self.assertEqual(delete(0, log="none"), (wire.UNKNOWN_TOPIC_OR_PARTITION, -1))
        self.assertEqual(self.connection.fetch("front", 1)["error"], wire.OFFSET_OUT_OF_RANGE)
        self.assertEqual(delete(-1), (wire.NONE, 5), "up to the high watermark")
        self.assertEqual(self.connection.fetch("front", 5)["error"], wire.NONE)

    # --- topics ---

    def test_create_topics(self):
        def create(name="new", partitions=1, copies=1, assignments=(), configs=(), validate=False):
            return self.ask(wire.CREATE_TOPICS_V7, [(name, partitions, copies, list(assignments), list(configs))], 1000, validate)["topics"][0]

        for partitions in (0, -2, -2**31):
            self.assertEqual(create(partitions=partitions)["error"], wire.INVALID_PARTITIONS, partitions)
        self.assertIn(create(partitions=2**31 - 1)["error"], (wire.INVALID_PARTITIONS, wire.POLICY_VIOLATION, wire.INVALID_REPLICATION_FACTOR))
        for copies in (0, -2, 2, 32767):
            self.assertEqual(create(copies=copies)["error"], wire.INVALID_REPLICATION_FACTOR, copies)
        for why, assignments in {"a gap": [(1, [1])], "twice": [(0, [1]), (0, [1])], "nowhere": [(0, [])], "strange": [(0, [99])],
                                 "one node twice": [(0, [1, 1])], "negative": [(-1, [1])]}.items():
            self.assertEqual(create(partitions=-1, copies=-1, assignments=assignments)["error"], wire.INVALID_REPLICA_ASSIGNMENT, why)
        self.assertEqual(create(partitions=1, assignments=[(0, [1])])["error"], wire.INVALID_REPLICA_ASSIGNMENT)
        for config in (("no.such", "1"), ("retention.ms", "soon"), ("retention.ms", ""), ("retention.ms", "-2"), ("segment.bytes", "99999999999"),
                       ("cleanup.policy", "shrink"), ("max.message.bytes", None), ("remote.storage.enable", "true")):
            self.assertEqual(create(configs=[config])["error"], wire.INVALID_CONFIG, config)
        twice = self.ask(wire.CREATE_TOPICS_V7, [("twice", 1, 1, [], []), ("twice", 1, 1, [], []), ("once", 1, 1, [], [])], 1000, True)
        self.assertEqual(errors(twice["topics"]), [wire.INVALID_REQUEST, wire.INVALID_REQUEST, wire.NONE])
        checked = create(validate=True)
        self.assertEqual((checked["error"], checked["id"]), (wire.NONE, NO_ID))
        names = [topic["name"] for topic in self.ask(wire.METADATA_V12, None, False, False)["topics"]]
        self.assertFalse({"new", "once", "twice"} & set(names), "nothing of this was created")
        self.assertEqual(create()["error"], wire.NONE)
        self.assertEqual(create()["error"], wire.TOPIC_ALREADY_EXISTS)
        self.assertEqual(create(validate=True)["error"], wire.TOPIC_ALREADY_EXISTS)

    def test_delete_topics(self):
        self.connection.create("doomed")
        doomed = self.connection.create("doomed-too")
        answer = self.ask(wire.DELETE_TOPICS_V6, [("none", NO_ID), (None, STRANGE_ID), (None, NO_ID), ("doomed", doomed), (None, doomed)], 1000)
        self.assertEqual([(t["error"], t["name"]) for t in answer["topics"]],
                         [(wire.UNKNOWN_TOPIC_OR_PARTITION, "none"), (wire.UNKNOWN_TOPIC_ID, None), (wire.UNKNOWN_TOPIC_ID, None),
                          (wire.INVALID_REQUEST, "doomed"), (wire.NONE, "doomed-too")])
        answer = self.ask(wire.DELETE_TOPICS_V3, ["doomed", "doomed", "none"], 1000)
        self.assertEqual(sorted(errors(answer["topics"])), [wire.NONE, wire.UNKNOWN_TOPIC_OR_PARTITION, wire.UNKNOWN_TOPIC_OR_PARTITION])

    def test_create_partitions(self):
        def grow(count, name="growing", assignments=None, validate=False):
            return self.ask(wire.CREATE_PARTITIONS_V0, [(name, count, assignments)], 1000, validate)["topics"][0]["error"]

        self.connection.create("growing", partitions=3)
        for count in (3, 2, 0, -1, -2**31):
            self.assertEqual(grow(count), wire.INVALID_PARTITIONS, count)
        self.assertIn(grow(2**31 - 1), (wire.INVALID_PARTITIONS, wire.POLICY_VIOLATION, wire.INVALID_REPLICATION_FACTOR))
        self.assertEqual(grow(5, name="none"), wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(grow(4, assignments=[([1],), ([1],)]), wire.INVALID_REPLICA_ASSIGNMENT)
        self.assertEqual(grow(4, assignments=[([7],)]), wire.INVALID_REPLICA_ASSIGNMENT)
        self.assertEqual(grow(4, validate=True), wire.NONE)
        self.assertEqual(grow(4, assignments=[([1],)]), wire.NONE)
        twice = self.ask(wire.CREATE_PARTITIONS_V0, [("growing", 9, None), ("growing", 10, None)], 1000, False)
        self.assertEqual(errors(twice["topics"]), [wire.INVALID_REQUEST] * 2)
        self.assertEqual(len(self.ask(wire.METADATA_V1, ["growing"])["topics"][0]["partitions"]), 4)

    def test_describe_topic_partitions_in_pages(self):
        self.connection.create("page-a", partitions=3)
        self.connection.create("page-b", partitions=2)

        def page(limit, at=NO_CURSOR, names=("page-b", "page-a", "page-none")):
            answer = self.ask(wire.DESCRIBE_TOPIC_PARTITIONS_V0, [(name,) for name in names], limit, at)
            return [(t["name"], t["error"], [p["index"] for p in t["partitions"]]) for t in answer["topics"]], answer["cursor"]

        gone = ("page-none", wire.UNKNOWN_TOPIC_OR_PARTITION, [])
        self.assertEqual(page(100), ([("page-a", 0, [0, 1, 2]), ("page-b", 0, [0, 1]), gone], None))
        self.assertEqual(page(2), ([("page-a", 0, [0, 1])], {"name": "page-a", "index": 2}))
        self.assertEqual(page(2, cursor("page-a", 2)), ([("page-a", 0, [2]), ("page-b", 0, [0])], {"name": "page-b", "index": 1}))
        self.assertEqual(page(2, cursor("page-b", 1)), ([("page-b", 0, [1]), gone], None))
        self.assertEqual(page(0)[0], [("page-a", 0, [0])], "a limit below 1 is 1")
        self.assertEqual(page(-5)[0], [("page-a", 0, [0])])
        for name, index in (("page-a", 99), ("page-a", 2**31 - 1), ("page-a", -7), ("zzz", 0), ("", 0)):
            shown, _ = page(100, cursor(name, index))
            self.assertLessEqual(len(shown), 3, (name, index))
        self.assertEqual(page(100, names=("page-a", "page-a"))[0], [("page-a", 0, [0, 1, 2])])

    # --- configurations ---

    def test_describe_configs(self):
        answer = self.ask(wire.DESCRIBE_CONFIGS_V1, [(TOPIC, "none", None), (TOPIC, "log", ["retention.ms", "no.such"]), (TOPIC, "log", []),
                                                     (BROKER, "7", None), (BROKER, "x", None), (BROKER, "01", None), (BROKER, "1", ["node.id"]),
                                                     (16, "metrics", None), (0, "", None), (-5, "log", None)], False)["resources"]
        # A resource that is named twice is answered once.
        self.assertEqual(errors(answer), [wire.UNKNOWN_TOPIC_OR_PARTITION, wire.NONE, wire.INVALID_REQUEST] + [wire.INVALID_REQUEST] * 3 +
                         [wire.NONE] + [wire.INVALID_REQUEST] * 3)
        self.assertEqual([config["name"] for config in answer[1]["configs"]], ["retention.ms"])
        none = self.ask(wire.DESCRIBE_CONFIGS_V1, [(TOPIC, "log", [])], False)["resources"][0]
        self.assertEqual((none["error"], none["configs"]), (wire.NONE, []), "an empty list of names asks for none")

    def test_what_a_node_says_of_itself(self):
        configs = self.ask(wire.DESCRIBE_CONFIGS_V1, [(BROKER, "1", None)], False)["resources"][0]["configs"]
        shown = {config["name"]: config["value"] for config in configs}
        self.assertEqual((shown["node.id"], shown["broker.id"], shown["log.dirs"]), ("1", "1", "./pyralog-data"))
        self.assertEqual(shown["listeners"], f"default://{self.node.kafka}")
        self.assertEqual(shown["advertised.listeners"], f"default://{self.node.kafka}")
        self.assertEqual(shown["max.connection.creation.rate"], "2000")
        self.assertTrue(all(config["readonly"] for config in configs if config["name"] in ("node.id", "listeners", "log.dirs")))

    def test_alter_configs(self):
        def alter(resources, validate=False):
            return errors(self.ask(wire.ALTER_CONFIGS_V0, resources, validate)["resources"])

        def change(resources, validate=False):
            return errors(self.ask(wire.INCREMENTAL_ALTER_CONFIGS_V0, resources, validate)["resources"])

        self.connection.create("tuned", configs=[("retention.ms", "1000")])
        self.assertEqual(alter([(TOPIC, "none", []), (TOPIC, "tuned", [("retention.ms", "x")]), (BROKER, "9", []), (77, "a", [])]),
                         [wire.UNKNOWN_TOPIC_OR_PARTITION, wire.INVALID_CONFIG, wire.INVALID_REQUEST, wire.INVALID_REQUEST])
        self.assertEqual(alter([(TOPIC, "tuned", [("retention.ms", None)])]), [wire.INVALID_REQUEST])
        self.assertEqual(alter([(TOPIC, "tuned", []), (TOPIC, "tuned", [])]), [wire.INVALID_REQUEST] * 2)
        self.assertEqual(alter([(BROKER, "1", [("listeners", "x://y:1")])]), [wire.INVALID_CONFIG], "read-only")
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 2, "5")])]), [wire.INVALID_CONFIG], "append to a number")
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 9, "5")])]), [wire.INVALID_CONFIG], "no such operation")
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 0, None)])]), [wire.INVALID_REQUEST])
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 0, "5"), ("retention.ms", 0, "6")])]), [wire.INVALID_CONFIG])
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 0, "7000")])], validate=True), [wire.NONE])

        def retention():
            return self.ask(wire.DESCRIBE_CONFIGS_V1, [(TOPIC, "tuned", ["retention.ms"])], False)["resources"][0]["configs"][0]["value"]

        self.assertEqual(retention(), "1000", "nothing of this has changed anything")
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 0, "5000")]), (TOPIC, "none", [])]), [wire.NONE, wire.UNKNOWN_TOPIC_OR_PARTITION])
        self.assertEqual(retention(), "5000")
        self.assertEqual(change([(TOPIC, "tuned", [("retention.ms", 1, None)])]), [wire.NONE])
        self.assertEqual(retention(), "604800000")

    def test_describe_log_dirs(self):
        answer = self.ask(wire.DESCRIBE_LOG_DIRS_V1, [("none", [0]), ("log", [0, 5, -1])])["dirs"]
        self.assertEqual([(t["name"], [p["index"] for p in t["partitions"]]) for t in answer[0]["topics"]], [("log", [0])])
        self.assertEqual(self.ask(wire.DESCRIBE_LOG_DIRS_V1, [])["dirs"][0]["topics"], [])

    def test_list_config_resources(self):
        found = self.ask(wire.LIST_CONFIG_RESOURCES_V1, [BROKER])["resources"]
        self.assertEqual(found, [{"name": "1", "type": BROKER}])
        self.assertIn({"name": "log", "type": TOPIC}, self.ask(wire.LIST_CONFIG_RESOURCES_V1, [])["resources"])
        self.assertEqual(self.ask(wire.LIST_CONFIG_RESOURCES_V1, [16, 99, -1])["resources"], [])
