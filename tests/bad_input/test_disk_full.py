"""A disk that fills up while a node is produced to: a small file system of the node's own, which needs the right to mount."""

import os
import pathlib
import signal
import tempfile
import time
import unittest

import wire
from harness import BINARY, MIB, Client, node_process, read_all

DISK_BYTES = 512 * MIB
FREE_BYTES_MIN = 64 * MIB
JOURNAL_FILE_BYTES = 64 * MIB
RESUME_SECONDS_MAX = 20
# The mount is seen by the node only.
OWN_DISK = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"', str(DISK_BYTES)]


class DiskFull(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        (self.directory / "disk").mkdir()
        self.node = node_process.Node(BINARY, self.directory, "--data-dir", "disk/data", "--set=node.shards=1",
                                      f"--set=storage.free_bytes_min={FREE_BYTES_MIN}B", prefix=[*OWN_DISK, str(self.directory / "disk")])
        self.addCleanup(self.end)
        self.disk = pathlib.Path(f"/proc/{self.node.process.pid}/root{self.directory}/disk")
        self.client = Client(self.node.kafka)
        self.addCleanup(self.client.close)

    def end(self):
        if self.node.process.poll() is None:
            self.node.end(signal.SIGKILL)

    def free_bytes(self):
        state = os.statvfs(self.disk)
        return state.f_bavail * state.f_frsize

    def wait_for_journal(self):
        """Until both of its first files have their space."""
        until = time.monotonic() + 30
        while sum(path.stat().st_blocks * 512 for path in self.disk.glob("data/journal/*/*.journal")) < 2 * JOURNAL_FILE_BYTES:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def fill_with_ballast(self, leave):
        self.wait_for_journal()
        with open(self.disk / "ballast", "wb") as ballast:
            for _ in range(max(0, self.free_bytes() - leave) // MIB):
                ballast.write(bytes(MIB))

    def produce_until_refused(self, log, seconds=60):
        """What was acknowledged, and the error that ended it."""
        values = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            value = b"%d " % len(values) + bytes(900_000)
            answer = self.client.produce(log, wire.batch([value]))
            if answer["error"] != wire.NONE:
                return values, answer["error"]
            values.append(value)
        self.fail("the disk does not fill up")

    def wait_until_accepted(self, log):
        until = time.monotonic() + RESUME_SECONDS_MAX
        while self.client.produce(log, wire.batch([b"again"]))["error"] != wire.NONE:
            self.assertLess(time.monotonic(), until, "writes do not resume though there is space")
            time.sleep(0.1)

    def test_writes_are_refused_before_the_disk_is_full_and_go_on_when_it_is_not(self):
        self.client.create("kept")
        self.client.create("spare")
        self.assertEqual(self.client.produce("spare", wire.batch([b"s"]))["error"], wire.NONE)
        self.fill_with_ballast(leave=FREE_BYTES_MIN + 24 * MIB)
        values, error = self.produce_until_refused("kept")
        self.assertIn(error, (wire.KAFKA_STORAGE_ERROR, wire.POLICY_VIOLATION))
        self.assertGreater(len(values), 5)
        self.assertGreater(self.free_bytes(), FREE_BYTES_MIN // 2)
        # Nothing of it disturbs the rest.
        self.assertEqual(self.client.end_offset("kept"), len(values))
        self.assertEqual(read_all(self.client, "kept"), values)
        self.client.create("made-while-full")
        self.assertEqual(self.client.produce("made-while-full", wire.batch())["error"], error)
        deleted = self.client.ask(wire.DELETE_RECORDS_V0, [("spare", [(0, -1)])], 10_000)["topics"][0]["partitions"][0]
        self.assertEqual((deleted["error"], deleted["low"]), (wire.NONE, 1))
        self.assertEqual([t["error"] for t in self.client.ask(wire.DELETE_TOPICS_V3, ["spare"], 10_000)["topics"]], [wire.NONE])
        (self.disk / "ballast").unlink()
        self.wait_until_accepted("kept")
        self.assertEqual(read_all(self.client, "kept"), values + [b"again"])
        self.assertEqual(self.node.end(), 0)

    def test_deleting_a_log_makes_room(self):
        self.client.create("large")
        self.client.create("other")
        self.fill_with_ballast(leave=FREE_BYTES_MIN + 40 * MIB)
        values, error = self.produce_until_refused("large")
        self.assertGreater(len(values), 20)
        self.assertEqual(self.client.produce("other", wire.batch())["error"], error)
        self.assertEqual([t["error"] for t in self.client.ask(wire.DELETE_TOPICS_V3, ["large"], 10_000)["topics"]], [wire.NONE])
        self.wait_until_accepted("other")
        self.assertEqual(self.node.end(), 0)
