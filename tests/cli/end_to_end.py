#!/usr/bin/env python3
"""Runs the pyralog binary as a person would and checks what it prints and how it exits. Argument: the binary."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import node_process  # noqa: E402

BINARY = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
COMMAND_SECONDS_MAX = 120


class Node(node_process.Node):
    def __init__(self, directory, *arguments, **options):
        super().__init__(BINARY, directory, *arguments, **options)


def execute(*arguments, stdin=None, environment=None, cwd=None):
    """(exit status, stdout, stderr) of one command."""
    done = subprocess.run([BINARY, *map(str, arguments)], input=stdin, capture_output=True, timeout=COMMAND_SECONDS_MAX, cwd=cwd,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class CommandLine(unittest.TestCase):
    """What needs no server."""

    def refused(self, status, part, *arguments):
        result = execute(*arguments)
        self.assertEqual(result[0], status, result)
        self.assertEqual(result[1], "", result)
        self.assertIn(part, result[2])
        return result[2]

    def test_usage_errors_exit_with_2(self):
        for arguments in ([], ["frobnicate"], ["log"], ["log", "create"], ["log", "create", "x", "--partitions", "0"],
                          ["consume", "x", "--from", "somewhere"], ["consume", "x", "--format", "%z"],
                          ["produce", "x", "--codec", "brotli"], ["produce", "x", "--header", "novalue"],
                          ["log", "alter", "x"], ["log", "delete-records", "x", "--before", "-3"],
                          ["group"], ["group", "seek", "x"], ["group", "seek", "x", "--to-start", "--to-end"],
                          ["group", "seek", "x", "--to-time", "soon"], ["group", "seek", "x", "--to-end", "--partition", "1"],
                          ["group", "seek", "x", "--to-end", "--log", "a", "--log", "b", "--partition", "1"],
                          ["log", "list", "-o", "yaml"], ["bench", "e2e", "--record-bytes", "10"], ["dev", "--set", "nonsense"]):
            with self.subTest(arguments):
                self.refused(2, "pyralog: ", *arguments)

    def test_help_is_data(self):
        status, out, err = execute("log", "create", "--help")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("--partitions", out)

    def test_version(self):
        self.assertRegex(execute("version")[1], r"^pyralog \d+\.\d+\.\d+\n$")
        self.assertEqual(execute("version"), execute("--version"))

    def test_several_nodes_are_refused_in_one_clear_line(self):
        for arguments in (["dev", "--nodes", "3"], ["start", "--join", "a:1,b:2"], ["start", "--peer", "2=a:1"]):
            error = self.refused(2, "this release runs a single node", *arguments)
            self.assertEqual(error.count("\n"), 1, error)

    def test_settings_are_explained(self):
        status, out, _ = execute("config", "explain", "kafka.listen")
        self.assertEqual(status, 0)
        self.assertIn("127.0.0.1:9092", out)
        self.assertIn("retention.ms", execute("config", "explain", "retention.ms")[1])
        self.refused(1, 'did you mean "kafka.listen"', "config", "explain", "kafka.lisen")
        listed = {row["key"]: row for row in json.loads(execute("config", "list", "-o", "json")[1])}
        self.assertEqual(listed["kafka.listen"]["default"], "127.0.0.1:9092")
        for key in listed:
            self.assertEqual(execute("config", "explain", key)[0], 0, key)

    def test_nobody_listening_is_one_line(self):
        error = self.refused(1, "127.0.0.1:1", "log", "list", "--bootstrap", "127.0.0.1:1")
        self.assertEqual(error.count("\n"), 1, error)
        self.refused(2, "--bootstrap", "log", "list", "--bootstrap", "nonsense")

    def test_starting_fails_with_one_line(self):
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "c.toml"
            config.write_text("[kafka]\nlisten = '127.0.0.1:0'\nlissen = 'x'\n")
            cases = [(["start", "--config", config], "kafka.listen"),
                     (["start", "--config", f"{directory}/none.toml"], "none.toml"),
                     (["start", "--data-dir", "/proc/pyralog", "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0"], "/proc/pyralog"),
                     (["start", "--set", "kafka.idle_timeout=5 parsecs"], "parsecs"),
                     (["start", "--data-dir", directory, "--kafka", "0.0.0.0:0", "--http", "127.0.0.1:0"], "insecure")]
            for arguments, part in cases:
                with self.subTest(arguments):
                    status, out, err = execute(*arguments, cwd=directory)
                    self.assertEqual((status, out), (1, ""), err)
                    last = err.rstrip("\n").split("\n")[-1]
                    self.assertIn("pyralog: ", last)
                    self.assertIn(part, last)


class WithNode(unittest.TestCase):
    """Commands against one node, which all tests share; each has its own logs."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.node = Node(cls.directory.name)
        cls.environment = {"PYRALOG_BOOTSTRAP": cls.node.kafka}

    @classmethod
    def tearDownClass(cls):
        status = cls.node.end()
        cls.directory.cleanup()
        if status != 0:
            raise AssertionError(f"the node ended with {status}")

    def run_ok(self, *arguments, stdin=None):
        status, out, err = execute(*arguments, stdin=stdin, environment=self.environment)
        self.assertEqual(status, 0, (arguments, out, err))
        return out

    def run_failed(self, *arguments, stdin=None):
        status, out, err = execute(*arguments, stdin=stdin, environment=self.environment)
        self.assertEqual(status, 1, (arguments, out, err))
        self.assertRegex(err, r"(^|\n)pyralog: [^\n]+\n$")
        return err

    def describe(self, log):
        return json.loads(self.run_ok("log", "describe", log, "-o", "json"))

    def metrics(self):
        """{series: value}"""
        with urllib.request.urlopen(f"http://{self.node.http}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def test_http_answers_where_the_ready_line_says(self):
        for path, part in (("/healthz", ""), ("/readyz", ""), ("/metrics", "# TYPE ")):
            with urllib.request.urlopen(f"http://{self.node.http}{path}", timeout=30) as answer:
                self.assertEqual(answer.status, 200)
                self.assertIn(part, answer.read().decode())

    def test_a_log_is_created_shown_changed_and_deleted(self):
        self.assertEqual(self.run_ok("log", "create", "life", "--partitions", 3, "--set", "retention.ms=60000"), "")
        self.assertIn("life", self.run_failed("log", "create", "life"))
        self.run_ok("log", "create", "life", "--if-absent")
        shown = self.describe("life")
        self.assertEqual([p["partition"] for p in shown["partitions"]], [0, 1, 2])
        self.assertEqual(shown["settings"], {"retention.ms": "60000"})
        self.run_ok("topic", "alter", "life", "--set", "retention.bytes=1000000", "--unset", "retention.ms", "--partitions", 5)
        shown = self.describe("life")
        self.assertEqual(shown["settings"], {"retention.bytes": "1000000"})
        self.assertEqual(len(shown["partitions"]), 5)
        self.run_failed("log", "alter", "life", "--partitions", 2)
        self.run_failed("log", "alter", "life", "--set", "retention.ms=soon")
        listed = {log["log"]: log for log in json.loads(self.run_ok("log", "list", "-o", "json"))}
        self.assertEqual(listed["life"]["partitions"], 5)
        self.assertIn("retention.bytes=1000000", self.run_ok("log", "describe", "life"))
        self.run_ok("log", "delete", "life")
        self.run_failed("log", "describe", "life")
        self.run_failed("log", "delete", "life")

    def test_lines_go_in_and_come_out(self):
        self.run_ok("produce", "lines", "--key-separator", ":", "--header", "from=test", stdin=b"a:1\nb:2\n\nno newline")
        self.assertEqual(self.run_ok("consume", "lines"), "1\n2\n\nno newline\n")
        self.assertEqual(self.run_ok("consume", "lines", "--format", r"%p/%o %k=%v %h\n", "--count", 2),
                         "0/0 a=1 from=test\n0/1 b=2 from=test\n")
        self.assertEqual(self.run_ok("consume", "lines", "--from", "-1", "-o", "raw"), "no newline")
        self.assertEqual(self.run_ok("consume", "lines", "--from=1", "--count", 1), "2\n")
        self.assertEqual(self.run_ok("consume", "lines", "--from", "end"), "")
        self.assertEqual(self.run_ok("consume", "lines", "--from", "@0"), self.run_ok("consume", "lines"))
        self.assertEqual(self.run_ok("consume", "lines", "--from", "@2100-01-01"), "")
        rows = [json.loads(row) for row in self.run_ok("consume", "lines", "-o", "json").splitlines()]
        self.assertEqual([(row["offset"], row["key"], row["value"]) for row in rows],
                         [(0, "a", "1"), (1, "b", "2"), (2, None, ""), (3, None, "no newline")])
        self.assertEqual(rows[0]["headers"], [{"key": "from", "value": "test"}])
        self.assertIn("from 0 to 4", self.run_failed("consume", "lines", "--from", "5"))
        self.run_failed("consume", "lines", "--partition", 7)
        self.run_failed("consume", "absent")
        self.run_failed("produce", "lines", "--partition", 7, stdin=b"x")

    def test_bytes_survive_every_codec_and_acks(self):
        data = b"".join(b"%d %d \xff\x00\n" % (i, i * i) for i in range(20_000))
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                self.run_ok("produce", f"codec-{codec}", "--codec", codec, "--batch-bytes", 10_000, stdin=data)
                out = subprocess.run([BINARY, "consume", f"codec-{codec}", "--bootstrap", self.node.kafka], check=True,
                                     capture_output=True, timeout=COMMAND_SECONDS_MAX).stdout
                self.assertEqual(out, data)
        for acks in ("0", "1", "all"):
            with self.subTest(acks):
                self.run_ok("produce", f"acks-{acks}", "--acks", acks, "--no-idempotence", stdin=b"1\n2\n3\n")
                self.assertEqual(self.run_ok("consume", f"acks-{acks}", "--follow", "--count", 3), "1\n2\n3\n")

    def test_keys_choose_partitions_and_keyless_records_spread(self):
        self.run_ok("log", "create", "spread", "--partitions", 4)
        self.run_ok("produce", "spread", "--key-separator", "=", stdin=b"".join(b"k%d=%d\n" % (i % 50, i) for i in range(1000)))
        partition_of = {}
        for row in map(json.loads, self.run_ok("consume", "spread", "-o", "json").splitlines()):
            self.assertEqual(partition_of.setdefault(row["key"], row["partition"]), row["partition"])
        self.assertEqual(set(partition_of.values()), {0, 1, 2, 3})
        self.run_ok("log", "create", "even", "--partitions", 4)
        self.run_ok("produce", "even", "--batch-bytes", 1024, stdin=b"x" * 100 + b"\n" * 1 + (b"y" * 100 + b"\n") * 399)
        ends = [p["end"] for p in self.describe("even")["partitions"]]
        self.assertEqual(sum(ends), 400)
        self.assertGreater(min(ends), 50)

    def test_following_shows_what_comes_later(self):
        self.run_ok("log", "create", "later")
        reader = subprocess.Popen([BINARY, "consume", "later", "--follow", "--from", "start", "--bootstrap", self.node.kafka],
                                  stdout=subprocess.PIPE)
        try:
            for word in (b"one\n", b"two\n"):
                self.run_ok("produce", "later", stdin=word)
                self.assertEqual(reader.stdout.readline(), word)
            self.assertIsNone(reader.poll())
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()

    def test_records_are_deleted_from_the_front(self):
        self.run_ok("produce", "front", stdin=b"1\n2\n3\n")
        self.assertEqual(json.loads(self.run_ok("log", "delete-records", "front", "--before", 2, "-o", "json")),
                         [{"partition": 0, "start": 2}])
        self.assertEqual(self.run_ok("consume", "front"), "3\n")
        self.run_failed("log", "delete-records", "front", "--before", 9)
        self.run_ok("log", "delete-records", "front", "--before", "end")
        self.assertEqual(self.describe("front")["partitions"][0]["start"], 3)

    def test_a_group_is_set_shown_moved_and_deleted(self):
        """Without members; groups with real ones are in tests/kafka."""
        self.run_ok("log", "create", "read", "--partitions", 2)
        self.run_ok("produce", "read", "--partition", 0, stdin=b"1\n2\n3\n4\n")
        self.run_failed("group", "describe", "readers")
        self.assertIn("--log", self.run_failed("group", "seek", "readers", "--to-end"))
        plan = json.loads(self.run_ok("group", "seek", "readers", "--to-offset", 1, "--log", "read", "-o", "json"))
        self.assertEqual([(p["partition"], p["committed"], p["seek_to"], p["change"]) for p in plan],
                         [(0, None, 1, None), (1, None, 0, None)])
        self.run_failed("group", "describe", "readers")  # a plan changes nothing
        self.run_ok("group", "seek", "readers", "--to-offset", 1, "--log", "read", "--partition", 0, "--execute")
        shown = json.loads(self.run_ok("group", "describe", "readers", "-o", "json"))
        self.assertEqual((shown["state"], shown["lag"], shown["members"]), ("Empty", 3, []))
        self.assertEqual([(p["committed"], p["end"], p["lag"], p["member"]) for p in shown["partitions"]],
                         [(1, 4, 3, None), (None, 0, 0, None)])  # what nothing is committed to is shown, too
        self.run_ok("group", "seek", "readers", "--shift", 0, "--execute")
        self.run_ok("group", "seek", "readers", "--to-offset", 1, "--execute")
        shown = json.loads(self.run_ok("group", "describe", "readers", "-o", "json"))
        self.assertEqual([p["committed"] for p in shown["partitions"]], [1, 0])
        self.assertEqual(shown["partitions"][1]["lag_seconds"], 0)
        self.assertIn(shown["partitions"][0]["lag_seconds"], range(60))
        self.assertEqual(len(shown["problems"]), 1)
        place = '{consumergroup="readers",topic="read",partition='
        for _ in range(2):  # the second time, of what the first has read
            metrics = self.metrics()
            self.assertEqual([metrics[f"kafka_consumergroup_{what}{place}\"0\"}}"] for what in ("current_offset", "lag")], [1, 3])
            self.assertIn(metrics[f"kafka_consumergroup_lag_seconds{place}\"0\"}}"], range(60))
            self.assertEqual(metrics[f"kafka_consumergroup_lag_seconds{place}\"1\"}}"], 0)
        for target, offset in ((["--shift", -5], 0), (["--to-time", "2100-01-01"], 4), (["--to-start"], 0), (["--shift", 2], 2)):
            self.run_ok("group", "seek", "readers", *target, "--log", "read", "--partition", 0, "--execute")
            shown = json.loads(self.run_ok("group", "describe", "readers", "-o", "json"))
            self.assertEqual(shown["partitions"][0]["committed"], offset, target)
        self.run_failed("group", "seek", "readers", "--to-end", "--log", "read", "--partition", 2)
        self.assertIn("nobody reads", self.run_ok("group", "describe", "readers"))
        self.assertIn(("readers", "Empty"), [(g["group"], g["state"]) for g in json.loads(self.run_ok("group", "list", "-o", "json"))])
        self.run_ok("group", "delete", "readers")
        self.run_failed("group", "describe", "readers")
        self.run_failed("group", "delete", "readers")

    def test_the_cluster_has_one_node(self):
        status = json.loads(self.run_ok("cluster", "status", "-o", "json"))
        self.assertEqual([(node["node"], node["address"], node["controller"]) for node in status["nodes"]],
                         [(1, self.node.kafka, True)])
        self.assertEqual(status["partitions_without_leader"], 0)
        self.assertIn(status["cluster"], self.run_ok("cluster", "status"))

    def test_bench_counts_what_the_log_then_holds(self):
        report = json.loads(self.run_ok("bench", "produce", "--log", "load", "--create", "--partitions", 3, "--records", 3000,
                                        "--warmup", 0, "--record-bytes", 100, "--batch-bytes", 2000, "--connections", 2,
                                        "--server-pid", self.node.process.pid, "-o", "json"))
        held = sum(p["end"] for p in self.describe("load")["partitions"])
        self.assertEqual(report["records"], held)
        self.assertGreaterEqual(held, 3000)
        self.assertEqual((report["errors_total"], report["unanswered"]), (0, 0))
        self.assertEqual(report["latency_ms"]["count"], report["requests"])
        self.assertGreater(report["server_memory_bytes"], 0)
        for acks in ("0", "1"):
            self.run_ok("bench", "produce", "--log", "load", "--records", 300, "--warmup", 0, "--acks", acks, "--batches", 3)
        report = json.loads(self.run_ok("bench", "consume", "--log", "load", "--warmup", 0, "--verify", "--connections", 2, "-o", "json"))
        self.assertEqual(report["records"], sum(p["end"] for p in self.describe("load")["partitions"]))
        report = json.loads(self.run_ok("bench", "e2e", "--log", "tail", "--create", "--rate", 200, "--seconds", 1, "--warmup", 0.2,
                                        "-o", "json"))
        self.assertEqual(report["latency_ms"]["count"], report["tail"]["latency_ms"]["count"])
        self.assertEqual(report["tail"]["missing_records"], 0)
        self.run_failed("bench", "produce", "--log", "absent-load")

    def test_bench_echo_needs_no_server(self):
        status, out, err = execute("bench", "echo", "--rate", 200, "--seconds", 1, "--warmup", 0, "-o", "json")
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["latency_ms"]["count"], 200)


class Lives(unittest.TestCase):
    """A node's start, stop and files."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def execute_ok(self, *arguments, stdin=None):
        status, out, err = execute(*arguments, stdin=stdin, cwd=self.directory.name)
        self.assertEqual(status, 0, (arguments, out, err))
        return out

    def test_records_outlive_a_stop_and_a_kill(self):
        for number, status in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
            node = Node(self.directory.name)
            self.execute_ok("produce", "kept", "--bootstrap", node.kafka, stdin=b"x\n")
            self.assertEqual(node.end(number), status, node.directory)
        node = Node(self.directory.name)
        self.assertEqual(self.execute_ok("consume", "kept", "--bootstrap", node.kafka), "x\nx\nx\n")
        self.assertEqual(node.end(), 0)
        self.assertTrue((pathlib.Path(self.directory.name) / "pyralog-data").is_dir())

    def test_the_number_of_shards_may_change(self):
        lines = "".join(f"{i}\n" for i in range(12))
        for shards, ending in (("1", signal.SIGKILL), ("3", signal.SIGKILL), ("2", signal.SIGTERM)):
            node = Node(self.directory.name, "--shards", shards)
            self.execute_ok("produce", "kept", "--bootstrap", node.kafka, stdin=b"x\n")
            log = f"of-{shards}"
            self.execute_ok("log", "create", log, "--partitions", "4", "--bootstrap", node.kafka)
            self.execute_ok("produce", log, "--bootstrap", node.kafka, stdin=lines.encode())
            node.end(ending)
        node = Node(self.directory.name)
        self.assertEqual(self.execute_ok("consume", "kept", "--bootstrap", node.kafka), "x\nx\nx\n")
        for log in ("of-1", "of-3", "of-2"):
            found = self.execute_ok("consume", log, "--bootstrap", node.kafka).splitlines()
            self.assertEqual(sorted(found, key=int), lines.splitlines(), log)
        self.assertEqual(node.end(), 0)

    def test_a_directory_and_a_port_serve_one_node(self):
        node = Node(self.directory.name)
        with tempfile.TemporaryDirectory() as other:
            common = ["--http", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]
            for arguments, part in ((["--kafka", "127.0.0.1:0", "--data-dir", f"{self.directory.name}/pyralog-data"], "locked"),
                                    (["--kafka", node.kafka, "--data-dir", other], node.kafka)):
                status, out, err = execute("dev", *arguments, *common)
                self.assertEqual((status, out), (1, ""))
                self.assertIn(part, err.rstrip("\n").split("\n")[-1])
        self.assertEqual(execute("log", "check", f"{self.directory.name}/pyralog-data")[0], 1)
        self.assertEqual(node.end(), 0)

    def test_files_are_checked_and_dumped_offline(self):
        node = Node(self.directory.name)
        for line in (b"k:hello", b"k:world"):
            self.execute_ok("produce", "files", "--bootstrap", node.kafka, "--key-separator", ":", stdin=line)
        self.assertEqual(node.end(), 0)
        rows = [row for row in json.loads(self.execute_ok("log", "check", "pyralog-data", "-o", "json"))]
        self.assertEqual([(row["records"], row["problems"]) for row in rows], [(2, 0)])
        dumped = self.execute_ok("log", "dump", "pyralog-data", "--records")
        self.assertIn('"hello"', dumped)
        self.assertIn('"world"', dumped)
        self.assertNotIn('"hello"', self.execute_ok("log", "dump", rows[0]["directory"]))
        (segment,) = pathlib.Path(self.directory.name, rows[0]["directory"]).glob("*.log")
        damaged = bytearray(segment.read_bytes())
        damaged[damaged.index(b"hello")] ^= 1
        segment.write_bytes(damaged)
        status, _, err = execute("log", "check", "pyralog-data", cwd=self.directory.name)
        self.assertEqual(status, 1, err)

    def test_settings_come_from_file_environment_and_flags(self):
        config = pathlib.Path(self.directory.name) / "node.toml"
        config.write_text("[node]\nid = 5\nrack = 'file'\n[logging]\nformat = 'json'\n[log.declared]\npartitions = 2\n")
        node = Node(self.directory.name, "--config", config, "--data-dir", "data", "--set", "replication.partitions=3",
                    command="start", environment={"PYRALOG_NODE__RACK": "environment"})
        try:
            self.assertEqual(node.id, "5")
            status = json.loads(self.execute_ok("cluster", "status", "-o", "json", "--bootstrap", node.kafka))
            self.assertEqual(status["nodes"][0]["rack"], "environment")
            self.execute_ok("log", "create", "defaults", "--bootstrap", node.kafka)
            listed = json.loads(self.execute_ok("log", "list", "-o", "json", "--bootstrap", node.kafka))
            self.assertEqual({log["log"]: log["partitions"] for log in listed}, {"declared": 2, "defaults": 3})
            lines = [json.loads(line) for line in node.stderr().splitlines()]
            self.assertEqual({"time", "level", "message"}, set(lines[0]))
        finally:
            self.assertEqual(node.end(), 0)


if __name__ == "__main__":
    if BINARY is None:
        sys.exit("usage: end_to_end.py BINARY [unittest arguments]")
    unittest.main(verbosity=2)
