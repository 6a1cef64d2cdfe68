"""Consumer groups, treated badly: by members that are none, or too many, or silent, or lie; by who writes to their log."""

import json
import os
import resource
import subprocess
import time
import urllib.request

import group_wire as groups
import wire
from harness import BINARY, MIB, BadInputCase, Client, MemoryWatch

PARTITIONS = 4
INTERNAL = "__consumer_offsets"
RANGE = [("range", groups.subscription("log"))]
ANSWER_SECONDS_MAX = 10


class GroupsCase(BadInputCase):
    settings = {"groups.initial_rebalance_delay": "0ms", "groups.session_timeout_min": "100ms",
                "groups.log_partitions": PARTITIONS, "kafka.connection_rate_max": 100_000}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Client(cls.node.kafka) as client:
            client.create("log", partitions=2)
            cls.wait_for_coordinators(client)

    @staticmethod
    def wait_for_coordinators(client):
        until = time.monotonic() + ANSWER_SECONDS_MAX
        assert client.ask(groups.FIND_COORDINATOR_V0, "g")["error"] == wire.NONE
        while client.ask(groups.LIST_GROUPS_V1)["error"] != wire.NONE:
            assert time.monotonic() < until, "the coordinators do not load"

    def setUp(self):
        self.connection = self.client()

    def ask(self, api, *values):
        return self.connection.ask(api, *values)

    def join(self, group, member="", session=10_000, rebalance=10_000, protocols=None, kind="consumer", api=groups.JOIN_GROUP_V3):
        return self.ask(api, group, session, rebalance, member, kind, RANGE if protocols is None else protocols)

    def sync(self, group, member, generation, assignments=()):
        return self.ask(groups.SYNC_GROUP_V1, group, generation, member, list(assignments))

    def enter(self, group, **options):
        """The only member of a group: its id and generation."""
        joined = self.join(group, **options)
        self.assertEqual(joined["error"], wire.NONE, joined)
        synced = self.sync(group, joined["member"], joined["generation"], [(joined["member"], b"mine")])
        self.assertEqual((synced["error"], synced["assignment"]), (wire.NONE, b"mine"))
        return joined["member"], joined["generation"]

    def commit(self, group, offset, member="", generation=-1, log="log", metadata="", partition=0):
        answer = self.ask(groups.OFFSET_COMMIT_V2, group, generation, member, -1, [(log, [(partition, offset, metadata)])])
        return answer["topics"][0]["partitions"][0]["error"]

    def committed(self, group, log="log", partition=0):
        answer = self.ask(groups.OFFSET_FETCH_V2, group, [(log, [partition])])
        self.assertEqual(answer["error"], wire.NONE)
        return answer["topics"][0]["partitions"][0]["offset"]

    def beat(self, group, member, generation):
        return self.ask(groups.HEARTBEAT_V1, group, generation, member)["error"]

    def state(self, group):
        described = self.ask(groups.DESCRIBE_GROUPS_V0, [group])["groups"][0]
        return described["state"], len(described["members"])

    def wait_for_state(self, group, state):
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while self.state(group) != state:
            self.assertLess(time.monotonic(), until, (self.state(group), state))
            time.sleep(0.02)

    def describe_with_cli(self, group):
        done = subprocess.run([BINARY, "group", "describe", group, "-o", "json"], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PYRALOG_BOOTSTRAP": self.node.kafka})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.node.http}/metrics") as answer:
            return answer.read().decode()


class Members(GroupsCase):
    def test_unknown_members_and_generations(self):
        member, generation = self.enter("known")
        self.assertEqual(self.join("known", "stranger")["error"], groups.UNKNOWN_MEMBER_ID)
        self.assertEqual(self.join("none", "stranger")["error"], groups.UNKNOWN_MEMBER_ID)
        for group, who, which, error in (("known", "stranger", generation, groups.UNKNOWN_MEMBER_ID),
                                         ("known", member, generation + 1, groups.ILLEGAL_GENERATION),
                                         ("known", member, -1, groups.ILLEGAL_GENERATION),
                                         ("known", member, 2**31 - 1, groups.ILLEGAL_GENERATION),
                                         ("none", member, generation, groups.UNKNOWN_MEMBER_ID)):
            with self.subTest((group, who, which)):
                self.assertEqual(self.beat(group, who, which), error)
                self.assertEqual(self.sync(group, who, which)["error"], error)
        self.assertEqual(self.ask(groups.LEAVE_GROUP_V1, "known", "stranger")["error"], groups.UNKNOWN_MEMBER_ID)
        self.assertEqual(self.ask(groups.LEAVE_GROUP_V1, "none", member)["error"], groups.UNKNOWN_MEMBER_ID)
        self.assertEqual(self.beat("known", member, generation), wire.NONE)
        self.assertEqual(self.ask(groups.DELETE_GROUPS_V0, ["known", "none", ""])["results"],
                         [{"group": "known", "error": groups.NON_EMPTY_GROUP}, {"group": "none", "error": groups.GROUP_ID_NOT_FOUND},
                          {"group": "", "error": groups.GROUP_ID_NOT_FOUND}])

    def test_group_ids(self):
        self.assertEqual(self.join("")["error"], groups.INVALID_GROUP_ID)
        self.assertEqual(self.sync("", "m", 1)["error"], groups.INVALID_GROUP_ID)
        self.assertEqual(self.beat("", "m", 1), groups.INVALID_GROUP_ID)
        self.assertEqual(self.ask(groups.LEAVE_GROUP_V1, "", "m")["error"], groups.INVALID_GROUP_ID)
        for group in ("x" * 32767, "a\0b", "a\nb\"c\\d{}", "ünïcödé 🙂", "../../etc/passwd", " "):
            with self.subTest(group[:20]):
                member, generation = self.enter(group)
                self.assertEqual(self.commit(group, 1, member, generation), wire.NONE)
                self.assertEqual(self.committed(group), 1)
                self.assertEqual(self.state(group), ("Stable", 1))
        for line in self.metrics().splitlines():
            self.assertRegex(line, r"^(#.*|[a-z_]+(\{.*\})? -?[0-9.e+-]+)$")

    def test_session_timeouts(self):
        for session in (0, -1, 99, 30 * 60_000 + 1, 2**31 - 1, -2**31):
            self.assertEqual(self.join("timeouts", session=session)["error"], groups.INVALID_SESSION_TIMEOUT, session)
        self.assertEqual(self.state("timeouts"), ("Dead", 0))

    def test_protocols_that_do_not_match(self):
        for kind, protocols in (("consumer", []), ("", RANGE), ("", [])):
            self.assertEqual(self.join("first", kind=kind, protocols=protocols)["error"], groups.INCONSISTENT_GROUP_PROTOCOL)
        self.assertEqual(self.state("first"), ("Dead", 0))
        member, generation = self.enter("strict")
        for kind, protocols in (("consumer", [("roundrobin", b"")]), ("connect", RANGE), ("consumer", []), ("", RANGE)):
            self.assertEqual(self.join("strict", kind=kind, protocols=protocols)["error"], groups.INCONSISTENT_GROUP_PROTOCOL)
        for kind, protocol in ((None, "range"), ("consumer", None), ("connect", "range"), ("consumer", "roundrobin")):
            answer = self.ask(groups.SYNC_GROUP_V5, "strict", generation, member, None, kind, protocol, [])
            self.assertEqual(answer["error"], groups.INCONSISTENT_GROUP_PROTOCOL, (kind, protocol))
        self.assertEqual(self.beat("strict", member, generation), wire.NONE)
        # Twice the same name counts once.
        self.assertEqual(self.join("strict", member, protocols=RANGE * 2)["error"], wire.NONE)

    def test_members_that_never_send_heartbeats(self):
        member, generation = self.enter("silent", session=200)
        self.assertEqual(self.commit("silent", 3, member, generation), wire.NONE)
        self.wait_for_state("silent", ("Empty", 0))
        self.assertEqual(self.beat("silent", member, generation), groups.UNKNOWN_MEMBER_ID)
        self.assertEqual(self.commit("silent", 4, member, generation), groups.UNKNOWN_MEMBER_ID)
        self.assertEqual(self.committed("silent"), 3)

    def test_members_that_never_sync(self):
        with Client(self.node.kafka) as other:
            leader = self.join("lazy", rebalance=400)
            other.send(groups.JOIN_GROUP_V3.frame("lazy", 10_000, 400, "", "consumer", RANGE))
            self.wait_for_state("lazy", ("PreparingRebalance", 2))
            again = self.join("lazy", leader["member"], rebalance=400)
            second = groups.JOIN_GROUP_V3.read(other.answer())
            self.assertEqual((again["error"], second["error"]), (wire.NONE, wire.NONE))
            self.assertEqual(again["leader"], leader["member"], "who leads assigns nothing: it never syncs")
            waited = other.ask(groups.SYNC_GROUP_V1, "lazy", second["generation"], second["member"], [])
            self.assertEqual(waited["error"], groups.REBALANCE_IN_PROGRESS)
            third = other.ask(groups.JOIN_GROUP_V3, "lazy", 10_000, 400, second["member"], "consumer", RANGE)
            self.assertEqual((third["error"], third["leader"]), (wire.NONE, second["member"]))
            self.assertEqual(self.beat("lazy", leader["member"], third["generation"]), groups.UNKNOWN_MEMBER_ID)

    def test_static_members(self):
        first = self.ask(groups.JOIN_GROUP_V5, "static", 10_000, 10_000, "", "machine", "consumer", RANGE)
        self.assertEqual(self.sync("static", first["member"], first["generation"])["error"], wire.NONE)
        second = self.ask(groups.JOIN_GROUP_V5, "static", 10_000, 10_000, "", "machine", "consumer", RANGE)
        self.assertEqual(second["error"], wire.NONE)
        beat = self.ask(groups.HEARTBEAT_V3, "static", first["generation"], first["member"], "machine")
        self.assertEqual(beat["error"], groups.FENCED_INSTANCE_ID)
        beat = self.ask(groups.HEARTBEAT_V3, "static", first["generation"], first["member"], "another")
        self.assertEqual(beat["error"], groups.UNKNOWN_MEMBER_ID)
        long_name = "i" * 32767
        self.assertEqual(self.ask(groups.JOIN_GROUP_V5, "long", 10_000, 10_000, "", long_name, "consumer", RANGE)["error"], wire.NONE)

    def test_subscriptions_that_lie(self):
        readable = (groups.subscription("no such log"), b"\0" * 100_000)  # to another log, and to none, with much behind it
        for number, lie in enumerate((b"", b"\0", b"\xff" * 100, b"\0\0\x7f\xff\xff\xff", b"\0\0\0\0\0\1\x7f\xff",
                                      *readable)):
            group = f"liar-{number}"
            member, generation = self.enter(group, protocols=[("range", lie)])
            described = self.ask(groups.DESCRIBE_GROUPS_V0, [group])["groups"][0]
            self.assertEqual((described["state"], described["members"][0]["metadata"]), ("Stable", lie))
            self.assertEqual(self.commit(group, 5, member, generation), wire.NONE)
            shown = self.describe_with_cli(group)
            self.assertEqual(shown["state"], "Stable")
            self.assertIn(member, json.dumps(shown["problems"]), "the assignment `mine` is none")
            # What cannot be read counts as everything.
            answer = self.ask(groups.OFFSET_DELETE_V0, group, [("log", [(0,)])])["topics"][0]["partitions"][0]["error"]
            self.assertEqual(answer, wire.NONE if lie in readable else groups.GROUP_SUBSCRIBED_TO_TOPIC, lie[:20])


class Commits(GroupsCase):
    def test_metadata_beyond_its_limit(self):
        asked = [("log", [(0, 7, "m" * 4096), (1, 8, "m" * 4097)])]
        answer = self.ask(groups.OFFSET_COMMIT_V2, "wordy", -1, "", -1, asked)["topics"][0]["partitions"]
        self.assertEqual([partition["error"] for partition in answer], [wire.NONE, groups.OFFSET_METADATA_TOO_LARGE])
        self.assertEqual((self.committed("wordy"), self.committed("wordy", partition=1)), (7, -1))
        self.assertEqual(self.commit("mute", 1, metadata="m" * 32767), groups.OFFSET_METADATA_TOO_LARGE)
        self.assertEqual(self.state("mute"), ("Dead", 0))

    def test_deleted_logs(self):
        self.connection.create("passing")
        self.assertEqual(self.commit("witness", 5, log="passing"), wire.NONE)
        self.assertEqual(self.commit("witness", 6), wire.NONE)
        deleted = self.ask(wire.DELETE_TOPICS_V3, ["passing"], 1000)["topics"]
        self.assertEqual(deleted[0]["error"], wire.NONE)
        self.assertEqual(self.commit("witness", 6, log="passing"), wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(self.commit("witness", 6, log="never"), wire.UNKNOWN_TOPIC_OR_PARTITION)
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while self.committed("witness", "passing") != -1:
            self.assertLess(time.monotonic(), until, "what was committed for a deleted log stays")
        self.connection.create("passing")
        self.assertEqual((self.committed("witness", "passing"), self.committed("witness")), (-1, 6))

    def test_old_generations(self):
        member, old = self.enter("aged")
        self.assertEqual(self.commit("aged", 5, member, old), wire.NONE)
        self.join("aged", member)  # its leader, who wants a rebalance
        self.assertEqual(self.commit("aged", 9, member, old), groups.ILLEGAL_GENERATION)
        self.assertEqual(self.commit("aged", 9, member, old + 1), groups.REBALANCE_IN_PROGRESS)
        self.assertEqual(self.sync("aged", member, old + 1, [(member, b"")])["error"], wire.NONE)
        self.assertEqual(self.commit("aged", 9), groups.UNKNOWN_MEMBER_ID)
        self.assertEqual(self.committed("aged"), 5)

    def test_groups_that_there_are_not(self):
        partitions = [("log", [(0, 1, -1, None)])]
        for generation, error in ((5, groups.GROUP_ID_NOT_FOUND), (0, groups.GROUP_ID_NOT_FOUND)):
            answer = self.ask(groups.OFFSET_COMMIT_V9, "nowhere", generation, "m", None, partitions)
            self.assertEqual(answer["topics"][0]["partitions"][0]["error"], error)
        self.assertEqual(self.commit("nowhere", 1, "m", 5), groups.ILLEGAL_GENERATION, "what version 2 knows")
        self.assertEqual(self.committed("nowhere"), -1)
        self.assertEqual(self.ask(groups.OFFSET_DELETE_V0, "nowhere", [("log", [(0,)])])["error"], groups.GROUP_ID_NOT_FOUND)
        self.assertNotIn("nowhere", [group["group"] for group in self.ask(groups.LIST_GROUPS_V1)["groups"]])


class InternalLog(GroupsCase):
    def test_clients_may_not_write_it(self):
        self.assertEqual(self.connection.produce(INTERNAL, wire.batch([b"v"]))["error"], wire.INVALID_TOPIC)
        self.assertEqual(self.ask(wire.DELETE_TOPICS_V3, [INTERNAL], 1000)["topics"][0]["error"], wire.INVALID_TOPIC)
        grown = self.ask(wire.CREATE_PARTITIONS_V0, [(INTERNAL, PARTITIONS + 1, None)], 1000, False)["topics"][0]
        self.assertEqual(grown["error"], wire.INVALID_TOPIC)
        emptied = self.ask(wire.DELETE_RECORDS_V0, [(INTERNAL, [(0, -1)])], 1000)["topics"][0]["partitions"][0]
        self.assertEqual(emptied["error"], wire.INVALID_TOPIC)
        created = self.ask(wire.CREATE_TOPICS_V7, [(INTERNAL, 1, 1, [], [])], 1000, False)["topics"][0]
        self.assertIn(created["error"], (wire.INVALID_TOPIC, wire.TOPIC_ALREADY_EXISTS))

    def alter(self, *changes):
        answer = self.ask(wire.INCREMENTAL_ALTER_CONFIGS_V0, [(2, INTERNAL, list(changes))], False)["resources"][0]
        return answer["error"], answer["message"]

    def test_settings_that_would_lose_offsets(self):
        self.assertEqual(self.commit("kept", 5), wire.NONE)
        for change in (("cleanup.policy", 0, "delete"), ("cleanup.policy", 2, "delete"), ("cleanup.policy", 1, None),
                       ("write.caching", 0, "true")):
            error, message = self.alter(change)
            self.assertEqual(error, wire.INVALID_CONFIG, change)
            self.assertIn(change[0], message)
        replaced = self.ask(wire.ALTER_CONFIGS_V0, [(2, INTERNAL, [("segment.ms", "100000")])], False)["resources"][0]
        self.assertEqual(replaced["error"], wire.INVALID_CONFIG, "a full replacement would leave out cleanup.policy")
        # As in Kafka, the others are the operator's.
        self.assertEqual(self.alter(("segment.ms", 0, "100000"))[0], wire.NONE)
        self.assertEqual(self.committed("kept"), 5)


class Crowd(GroupsCase):
    """An unlimited group: the delay gathers all of the crowd."""

    # Each has a connection, since those of one are served one after another; fewer where not so many files may be open.
    MEMBERS = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500)
    settings = {**GroupsCase.settings, "groups.initial_rebalance_delay": "10s", "groups.members_max": 1_000_000,
                "kafka.connections_max": 20_000, "kafka.connections_per_address_max": 20_000}

    def test_ten_thousand_join_at_once(self):
        connections = [self.client() for _ in range(self.MEMBERS)]
        with MemoryWatch(self, 256 * MIB):
            frame = groups.JOIN_GROUP_V3.frame("crowd", 60_000, 10_000, "", "consumer", RANGE)
            for connection in connections:
                connection.send(frame)
            answers = [groups.JOIN_GROUP_V3.read(connection.answer()) for connection in connections]
            self.assertEqual({answer["error"] for answer in answers}, {wire.NONE})
            self.assertEqual({answer["generation"] for answer in answers}, {1})
            self.assertEqual(len({answer["member"] for answer in answers}), self.MEMBERS)
            leaders = [answer for answer in answers if answer["members"]]
            self.assertEqual([len(leader["members"]) for leader in leaders], [self.MEMBERS])
            assigned = [(answer["member"], answer["member"].encode()) for answer in answers]
            synced = self.sync("crowd", leaders[0]["member"], 1, assigned)
            self.assertEqual((synced["error"], synced["assignment"]), (wire.NONE, leaders[0]["member"].encode()))
        self.assertEqual(self.state("crowd"), ("Stable", self.MEMBERS))
        # The rest never syncs: it is put out when its time is over.
        until = time.monotonic() + 30
        while self.state("crowd")[1] > 1:
            self.assertLess(time.monotonic(), until, self.state("crowd"))
            time.sleep(0.2)

    def test_ids_that_nobody_comes_back_with(self):
        frame = groups.JOIN_GROUP_V4.frame("pending", 60_000, 60_000, "", "consumer", RANGE)
        with MemoryWatch(self, 64 * MIB):
            for _ in range(11):
                self.connection.send(frame * 1000)
                errors = {groups.JOIN_GROUP_V4.read(self.connection.answer())["error"] for _ in range(1000)}
        self.assertEqual(errors, {groups.GROUP_MAX_SIZE_REACHED}, "the last thousand of eleven")


class Limits(GroupsCase):
    settings = {**GroupsCase.settings, "node.shards": 1, "groups.members_max": 3, "groups.member_bytes_max": "64KiB",
                "groups.groups_max": 3, "groups.initial_rebalance_delay": "1s"}

    def test_a_full_group(self):
        others = [self.client() for _ in range(4)]
        for other in others:
            other.send(groups.JOIN_GROUP_V3.frame("full", 10_000, 1_000, "", "consumer", RANGE))
        self.wait_for_state("full", ("PreparingRebalance", 3))
        self.assertEqual(self.join("full")["error"], groups.GROUP_MAX_SIZE_REACHED)
        answers = [groups.JOIN_GROUP_V3.read(other.answer())["error"] for other in others]
        self.assertEqual(sorted(answers), [wire.NONE] * 3 + [groups.GROUP_MAX_SIZE_REACHED])
        self.assertIn("groups.members_max", self.node.stderr())

    def test_members_that_say_too_much(self):
        answer = self.join("wordy", protocols=[("range", bytes(70_000))])
        self.assertEqual(answer["error"], groups.GROUP_MAX_SIZE_REACHED)
        self.assertEqual(self.state("wordy"), ("Dead", 0))

    def test_too_many_groups(self):
        there = {group["group"] for group in self.ask(groups.LIST_GROUPS_V1)["groups"]}
        self.ask(groups.DELETE_GROUPS_V0, sorted(there))
        there = len(self.ask(groups.LIST_GROUPS_V1)["groups"])
        for number in range(there, 3):
            self.assertEqual(self.commit(f"some-{number}", 1), wire.NONE)
        self.assertEqual(self.commit("one-more", 1), wire.POLICY_VIOLATION)
        self.assertEqual(self.join("one-more")["error"], wire.POLICY_VIOLATION)
        self.assertEqual(self.commit("some-2", 2), wire.NONE)
        self.assertIn("groups.groups_max", self.node.stderr())
        self.assertRegex(self.metrics(), r"pyralog_groups_refused_total [1-9]")
        self.assertEqual(self.ask(groups.DELETE_GROUPS_V0, ["some-2"])["results"][0]["error"], wire.NONE)
        self.assertEqual(self.commit("one-more", 1), wire.NONE)


class DamagedSegments(GroupsCase):
    GROUPS = [f"group-{number}" for number in range(20)]

    def restart_with(self, partition, damage):
        """Damages the segment of one partition of the internal log while the node is down."""
        self.assertEqual(self.node.end(), 0)
        segments = list((self.directory / "pyralog-data/logs").glob(f"{INTERNAL}~*/{partition}/*.log"))
        self.assertEqual(len(segments), 1)
        good = segments[0].read_bytes()
        segments[0].write_bytes(damage(good))
        type(self).start()
        self.connection = self.client()
        return segments[0], good

    def fetch_error(self, group):
        return self.ask(groups.OFFSET_FETCH_V2, group, [("log", [0])])["error"]

    def wait_for(self, groups_of, error):
        until = time.monotonic() + ANSWER_SECONDS_MAX
        for group in groups_of:
            while self.fetch_error(group) != error:
                self.assertLess(time.monotonic(), until, (group, self.fetch_error(group)))
                time.sleep(0.02)

    def test_the_groups_of_other_partitions_work(self):
        for number, group in enumerate(self.GROUPS):
            self.assertEqual(self.commit(group, number), wire.NONE)
        hit = [group for group in self.GROUPS if groups.partition_of(group, PARTITIONS) == 1]
        rest = [group for group in self.GROUPS if group not in hit]
        self.assertTrue(hit and rest)

        # A batch's value: what it says is missing, and told.
        position = wire.BATCH_HEADER_BYTES + 20
        path, good = self.restart_with(1, lambda data: data[:position] + bytes([data[position] ^ 1]) + data[position + 1:])
        self.wait_for(self.GROUPS, wire.NONE)
        lost = [group for group in self.GROUPS if self.committed(group) != self.GROUPS.index(group)]
        self.assertEqual(len(lost), 1)
        self.assertIn(lost[0], hit)
        self.assertRegex(self.node.stderr(), r"groups: partition 1 of the internal log, batch at offset 0: .*what it says is missing")

        # Bytes that are no batch at all: none of its groups is served, and the error says why.
        self.restart_with(1, lambda _: bytes([good[0] ^ 0x40]) + good[1:12] + bytes(len(good) - 12))
        self.wait_for(rest, wire.NONE)
        self.wait_for(hit, groups.COORDINATOR_NOT_AVAILABLE)
        for group in rest:
            self.assertEqual(self.committed(group), self.GROUPS.index(group))
            self.assertEqual(self.commit(group, self.GROUPS.index(group)), wire.NONE)
        self.assertEqual(self.commit(hit[0], 1), groups.COORDINATOR_NOT_AVAILABLE)
        self.assertRegex(self.node.stderr(), r"groups: partition 1 of the internal log cannot be read, its groups stay unavailable: ")

        # The file is brought back.
        self.restart_with(1, lambda _: good)
        self.wait_for(self.GROUPS, wire.NONE)
        for group in self.GROUPS:
            self.assertEqual(self.committed(group), self.GROUPS.index(group))
