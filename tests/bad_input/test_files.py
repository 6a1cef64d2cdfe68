"""Damaged, missing, foreign and newer files in the data directory. A node either starts and has everything, or refuses with
one line that names the file and says what to do, and has everything once the file is as it was."""

import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import wire
from harness import BINARY, Client, Closed, node_process, read_all

REFUSAL_SECONDS_MAX = 30
SETTINGS = ["--set=node.shards=2", "--set=kafka.connection_rate_max=100000"]
ADDRESSES = ["--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]


def start(directory):
    return node_process.Node(BINARY, directory, *SETTINGS)


# A command more than the metadata log keeps without a snapshot.
COMMANDS_PER_SNAPSHOT = 10_000


def change_settings(client, count):
    """So many commands, sent without waiting for answers in between."""
    for begin in range(0, count, 500):
        numbers = range(begin, min(begin + 500, count))
        client.send(b"".join(wire.INCREMENTAL_ALTER_CONFIGS_V0.frame([(2, "plain", [("segment.ms", 0, str(10**9 + i))])], False)
                             for i in numbers))
        for _ in numbers:
            assert wire.INCREMENTAL_ALTER_CONFIGS_V0.read(client.answer())["resources"][0]["error"] == wire.NONE


def fill(directory, end_signal, large, commands=0):
    """A data directory with several logs, and what they hold: of one, with `large` several sealed segments with their indexes;
    of a producer, sequences; of all, a tail. Killed, the tail is in one journal file of each shard only: it is produced
    after the checkpoints, and a moment before the end, so that no slowness of the disk lets a later checkpoint cover it."""
    node = start(directory)
    held = {}
    with Client(node.kafka) as client:
        client.create("rolled", configs=[("segment.bytes", "1048576")])
        client.create("plain", partitions=2)
        client.create("idempotent")
        held["rolled", 0] = [b"%04d" % i + bytes(200_000 if large else 20_000) for i in range(16)]
        held["plain", 0] = [b"p%d" % i for i in range(16)]
        held["plain", 1] = [b"q%d" % i for i in range(4)]
        held["idempotent", 0] = [b"s0", b"s1", b"s2"]
        for value in held["rolled", 0]:
            assert client.produce("rolled", wire.batch([value], producer=77, epoch=0, sequence=int(value[:4])))["error"] == wire.NONE
        for sequence, value in enumerate(held["idempotent", 0]):
            batch = wire.batch([value], producer=5, epoch=0, sequence=sequence)
            assert client.produce("idempotent", batch)["error"] == wire.NONE
        change_settings(client, commands)
        # The second checkpoint of each shard: the first was made before there was anything.
        until = time.monotonic() + 30
        while len(list((directory / "pyralog-data/journal").glob("*/*-b.checkpoint"))) < 2:
            assert time.monotonic() < until, "no checkpoint comes"
            time.sleep(0.05)
        for partition in (1, 0):
            for value in held["plain", partition]:
                assert client.produce("plain", wire.batch([value]), partition)["error"] == wire.NONE
    node.end(end_signal)
    return held


def flip(path, position, bit=0x10):
    data = bytearray(path.read_bytes())
    data[position] ^= bit
    path.write_bytes(data)


def cut(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


class FilesCase(unittest.TestCase):
    temporary = None
    templates = {}

    @classmethod
    def setUpClass(cls):
        if FilesCase.temporary is not None:
            return
        FilesCase.temporary = tempfile.TemporaryDirectory()
        unittest.addModuleCleanup(FilesCase.temporary.cleanup)
        for name, number in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
            directory = pathlib.Path(FilesCase.temporary.name) / name
            directory.mkdir()
            FilesCase.templates[name] = (directory, fill(directory, number, large=name == "stopped"))

    def copy(self, template):
        """A node's directory like the template's."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.temporary.name))
        # Journals are mostly zeros: --sparse keeps them small.
        subprocess.run(["cp", "-r", "--sparse=always", self.templates[template][0] / "pyralog-data", directory], check=True)
        self.addCleanup(shutil.rmtree, directory)
        return directory

    def check_all(self, directory, template, unreadable=()):
        """Starts a node and compares all it holds; partitions that are `unreadable` may answer with an error instead."""
        node = start(directory)
        try:
            with Client(node.kafka) as client:
                for (log, partition), values in self.templates[template][1].items():
                    if (log, partition) not in unreadable:
                        self.assertEqual(read_all(client, log, partition), values, (log, partition))
                again = client.produce("idempotent", wire.batch([b"s2"], producer=5, epoch=0, sequence=2))
                self.assertEqual((again["error"], again["base"]), (wire.NONE, 2), "a repetition is known as one")
                client.create("afterwards")
                self.assertEqual(client.produce("afterwards", wire.batch([b"new"]))["error"], wire.NONE)
        finally:
            status = node.end()
        self.assertEqual(status, 0)

    def refusal(self, directory):
        """The line with which a node refuses to start."""
        done = subprocess.run([BINARY, "dev", *ADDRESSES, *SETTINGS], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=REFUSAL_SECONDS_MAX)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        lines = [line for line in done.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("pyralog: "), lines[0])
        return lines[0]

    def check_refused(self, template, relative, damage, pattern):
        """`damage(path)` makes a node refuse; with the file as it was, everything is there."""
        directory = self.copy(template)
        path = self.find(directory, relative)
        with self.subTest(f"{template}: {relative}: {getattr(damage, '__name__', damage)}"):
            before = path.read_bytes()
            damage(path)
            line = self.refusal(directory)
            self.assertIn(path.name, line)
            self.assertRegex(line, pattern)
            self.assertEqual(self.refusal(directory), line, "it stays with that")
            path.write_bytes(before)
            self.check_all(directory, template)

    def check_repaired(self, template, relative, damage, unreadable=()):
        directory = self.copy(template)
        with self.subTest(f"{template}: {relative}: {getattr(damage, '__name__', damage)}"):
            damage(self.find(directory, relative))
            self.check_all(directory, template, unreadable)

    def find(self, directory, pattern):
        found = sorted((directory / "pyralog-data").glob(pattern))
        self.assertTrue(found, pattern)
        return found[0]


def remove(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(bytes((i * 131 + 7) % 256 for i in range(min(path.stat().st_size, 4096))))


def halve(path):
    cut(path, path.stat().st_size // 2)


def flip_start(path):
    flip(path, 0)


def flip_header(path):
    flip(path, 40)


def flip_middle(path):
    flip(path, path.stat().st_size // 2)


def flip_end(path):
    flip(path, path.stat().st_size - 1)


class NodeFile(FilesCase):
    def test_missing(self):
        directory = self.copy("killed")
        path = directory / "pyralog-data/node.toml"
        before = path.read_bytes()
        path.unlink()
        line = self.refusal(directory)
        self.assertIn("node.toml", line)
        self.assertIn("restore", line)
        path.write_bytes(before)
        self.check_all(directory, "killed")

    def test_damaged(self):
        for damage in (empty, noise, halve, flip_start):
            self.check_refused("killed", "node.toml", damage, "corrupt.*restore")

    def test_newer_foreign_and_edited(self):
        def replaced(before, after):
            def edit(path):
                path.write_text(re.sub(before, after, path.read_text()))
            edit.__name__ = after
            return edit

        self.check_refused("killed", "node.toml", replaced(r"format_version = \d+", "format_version = 99"), "later release")
        self.check_refused("killed", "node.toml", replaced(r"node_id = \d+", "node_id = -5"), "node_id")
        self.check_refused("killed", "node.toml", replaced(r'cluster_id = "..', 'cluster_id = "00'), "belongs to")
        directory = self.copy("killed")
        path = directory / "pyralog-data/node.toml"
        before = path.read_bytes()
        replaced(r'disk_uuid = "..', 'disk_uuid = "00')(path)
        self.assertRegex(self.refusal(directory), "journal/0/.* belongs to another disk")
        path.write_bytes(before)
        self.check_all(directory, "killed")
        directory = self.copy("stopped")
        done = subprocess.run([BINARY, "dev", *ADDRESSES, *SETTINGS, "--node-id", "9"], cwd=directory, capture_output=True, text=True,
                              timeout=REFUSAL_SECONDS_MAX, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("node 1's, not node 9's", done.stderr)
        self.check_all(directory, "stopped")

    def test_a_directory_in_its_place(self):
        directory = self.copy("stopped")
        path = directory / "pyralog-data/node.toml"
        before = path.read_bytes()
        path.unlink()
        path.mkdir()
        self.assertIn("node.toml", self.refusal(directory))
        path.rmdir()
        path.write_bytes(before)
        self.check_all(directory, "stopped")


class JournalFiles(FilesCase):
    def test_checkpoints(self):
        """There are two; either will do, and none will not."""
        for damage in (remove, empty, noise, flip_start, flip_header):
            self.check_repaired("stopped", "journal/0/*-a.checkpoint", damage)
            self.check_repaired("stopped", "journal/0/*-b.checkpoint", damage)
        directory = self.copy("stopped")
        found = {path: path.read_bytes() for path in (directory / "pyralog-data/journal/1").glob("*.checkpoint")}
        self.assertEqual(len(found), 2)
        for path in found:
            flip(path, 30)
        line = self.refusal(directory)
        self.assertIn("journal/1", line)
        self.assertIn("checkpoint", line)
        for path, data in found.items():
            path.write_bytes(data)
        self.check_all(directory, "stopped")

    def journal_with(self, directory, tail):
        """The one journal file that holds `tail`. Which number it has depends on how soon the larger files were ready."""
        found = [path for path in (directory / "pyralog-data/journal").glob("*/*.journal") if tail in path.read_bytes()]
        self.assertEqual(len(found), 1, f"{tail} is in {found}")
        return found[0]

    def test_journals_that_are_needed(self):
        for tail in (b"p10", b"q3"):
            for damage in (remove, empty, noise):
                directory = self.copy("killed")
                path = self.journal_with(directory, tail)
                with self.subTest(f"{path.name} with {tail}: {damage.__name__}"):
                    before = path.read_bytes()
                    damage(path)
                    self.assertIn(str(path.parent.relative_to(directory)), self.refusal(directory))
                    path.write_bytes(before)
                    self.check_all(directory, "killed")

    def test_a_damaged_round_is_not_taken_for_the_end(self):
        """A bit flipped in what was acknowledged, with good rounds after it."""
        directory = self.copy("killed")
        path = self.journal_with(directory, b"p10")
        data = path.read_bytes()
        flip(path, data.find(b"p10"))
        line = self.refusal(directory)
        self.assertIn(str(path.parent.relative_to(directory)), line)
        self.assertIn("damaged", line)
        path.write_bytes(data)
        self.check_all(directory, "killed")

    def test_the_journal_of_another_node(self):
        directory, other = self.copy("killed"), self.copy("stopped")
        shutil.rmtree(directory / "pyralog-data/journal")
        shutil.copytree(other / "pyralog-data/journal", directory / "pyralog-data/journal")
        self.assertRegex(self.refusal(directory), "journal/.*(another|belongs|foreign)|(another|belongs|foreign).*journal/")


class SegmentFiles(FilesCase):
    def test_segments_that_are_gone_or_short(self):
        for damage in (remove, empty, halve):
            self.check_refused("stopped", "logs/rolled~*/0/*00.log", damage, "missing|too short")

    def test_segments_with_a_flipped_bit(self):
        """The damage is not spread: all else is served, nothing is cut off, and `log check` names the file."""
        for damage in (flip_header, flip_middle):
            directory = self.copy("stopped")
            path = self.find(directory, "logs/rolled~*/0/*05.log")
            with self.subTest(damage.__name__):
                damage(path)
                self.check_all(directory, "stopped", unreadable={("rolled", 0)})
                node = start(directory)
                with Client(node.kafka) as client:
                    values = self.templates["stopped"][1]["rolled", 0]
                    self.assertEqual(read_all(client, "rolled", start=10), values[10:])
                    self.assertEqual(client.end_offset("rolled"), len(values))
                self.assertEqual(node.end(), 0)
                done = subprocess.run([BINARY, "log", "check", "pyralog-data"], cwd=directory, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertIn(path.name, done.stdout + done.stderr)

    def test_indexes_and_snapshots_are_made_again(self):
        for kind in ("index", "timeindex", "snapshot"):
            for damage in (remove, empty, noise, halve, flip_start, flip_middle, flip_end):
                self.check_repaired("stopped", f"logs/rolled~*/0/*05.{kind}", damage)
        self.check_repaired("stopped", "logs/rolled~*/0/*15.snapshot", remove)

    def test_files_that_are_not_ours(self):
        directory = self.copy("stopped")
        data = directory / "pyralog-data"
        for path in ("README", "logs/lost+found/x", "logs/strange~name/0/00000000000000000000.log", "meta/notes.txt", "journal/old/1"):
            (data / path).parent.mkdir(parents=True, exist_ok=True)
            (data / path).write_text("somebody's")
        rolled = self.find(directory, "logs/rolled~*/0")
        for name in ("00000000000000000003.log.tmp", "0.log", "99999999999999999999.index", "x"):
            (rolled / name).write_text("somebody's")
        self.check_all(directory, "stopped")
        self.assertEqual((data / "README").read_text(), "somebody's")


class MetadataFiles(FilesCase):
    def test_the_log(self):
        for damage in (remove, empty, halve, flip_start, flip_middle, flip_end):
            directory = self.copy("stopped")
            path = self.find(directory, "meta/log/*.log")
            with self.subTest(damage.__name__):
                before = path.read_bytes()
                damage(path)
                self.assertIn("pyralog-data/meta/log", self.refusal(directory))
                path.write_bytes(before)
                self.check_all(directory, "stopped")


class MetadataImages(FilesCase):
    """The snapshot that stands for the deleted start of the metadata log."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = pathlib.Path(FilesCase.temporary.name) / "imaged"
        directory.mkdir()
        FilesCase.templates["imaged"] = (directory, fill(directory, signal.SIGTERM, False, COMMANDS_PER_SNAPSHOT))

    @staticmethod
    def rewritten(name, change):
        """Damage with good checksums: what another release or node could have written."""
        def rewrite(path):
            image = bytearray(path.read_bytes()[:-4])
            change(image)
            struct.pack_into("<I", image, 16, wire.crc32c(image[:16] + image[20:]))
            path.write_bytes(image + struct.pack("<I", wire.crc32c(image)))
        rewrite.__name__ = name
        return rewrite

    def test_damaged(self):
        for damage in (empty, noise, halve, flip_start, flip_header, flip_middle, flip_end):
            self.check_refused("imaged", "meta/*.image", damage, "restore the file")

    def test_newer(self):
        def raise_version(image):
            struct.pack_into("<H", image, 4, 99)
        self.check_refused("imaged", "meta/*.image", self.rewritten("newer", raise_version), "version 99.*later release")

    def test_foreign(self):
        def raise_index(image):
            struct.pack_into("<Q", image, 36, struct.unpack_from("<Q", image, 36)[0] + 1)
        self.check_refused("imaged", "meta/*.image", self.rewritten("another index", raise_index), "name and its content")
        # Another cluster's, whole and of the same name.
        directory = self.copy("imaged")
        path = self.find(directory, "meta/*.image")
        before = path.read_bytes()

        def change_cluster(image):
            image[20] ^= 0xFF
        self.rewritten("another cluster", change_cluster)(path)
        self.assertRegex(self.refusal(directory), "node.toml names cluster .* the metadata beside it cluster .*restore")
        path.write_bytes(before)
        self.check_all(directory, "imaged")

    def test_missing(self):
        directory = self.copy("imaged")
        path = self.find(directory, "meta/*.image")
        moved = path.with_suffix(".moved")
        path.rename(moved)
        self.assertRegex(self.refusal(directory), r"no snapshot .*meta/\*\.image.*|meta/log.*restore.*no snapshot")
        moved.rename(path)
        self.check_all(directory, "imaged")

    def test_one_that_was_not_finished(self):
        """Left by a crash: the one before it counts."""
        directory = self.copy("imaged")
        path = self.find(directory, "meta/*.image")
        path.with_name("00000000000000020000.image.new").write_bytes(path.read_bytes()[:100])
        self.check_all(directory, "imaged")


class Start(FilesCase):
    """What else keeps a node from starting."""

    def refused(self, part, *arguments, cwd=None):
        done = subprocess.run([BINARY, "start", *ADDRESSES, *arguments], cwd=cwd or self.temporary.name, capture_output=True, text=True,
                              timeout=REFUSAL_SECONDS_MAX, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        lines = [line for line in done.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(part, lines[0])

    def test_settings(self):
        for text, part in (("kafka.lisen=x", 'did you mean "kafka.listen"'), ("log_defaults.retention.m=1", 'did you mean "retention.ms"'),
                           ("kafka.idle_timeout=5", "5"), ("kafka.idle_timeout=5 lightyears", "lightyears"), ("storage.free_bytes_min=5MB!", "5MB!"),
                           ("kafka.connections_max=0", "from 1 to"), ("kafka.connections_max=many", "many"), ("io.backend=aio", "auto, posix"),
                           ("security.insecure=perhaps", "neither true nor false"), ("kafka.listen=nowhere", "nowhere"), ("kafka.listen=127.0.0.1:99999", "99999"),
                           ("kafka.listen=192.0.2.1:0", "insecure"), ("log.a/b.partitions=1", "a/b"), ("log.x.partitions=0", "partitions"),
                           ("kafka.request_memory_bytes_max=16MiB", "request_bytes_max")):
            with self.subTest(text):
                self.refused(part, "--set", text)

    def test_files_of_settings(self):
        for text, part in (("[kafka\n", "line 1"), ("[kafka]\nlisten = 5\n", "listen"), ("[kafak]\nlisten = 'x:1'\n", "kafka"), ("\xff\xfe", "c.toml"),
                           ("[node]\nid = 1\nid = 2\n", "line 3"), ("[" * 100_000, "c.toml")):
            with self.subTest(text[:30]):
                path = pathlib.Path(self.temporary.name) / "c.toml"
                path.write_bytes(text.encode("latin-1"))
                self.refused(part, "--config", str(path))
        self.refused(self.temporary.name, "--config", self.temporary.name)

    def test_places(self):
        with tempfile.TemporaryDirectory(dir=self.temporary.name) as directory:
            (pathlib.Path(directory) / "file").write_text("x")
            self.refused("file", "--data-dir", f"{directory}/file")
            self.refused("file", "--data-dir", f"{directory}/file/below")
            self.refused("/proc/pyralog", "--data-dir", "/proc/pyralog")
            self.refused("x" * 50, "--data-dir", f"{directory}/{'x' * 300}")

    def test_ports(self):
        with socket.socket() as taken, tempfile.TemporaryDirectory(dir=self.temporary.name) as directory:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for key in ("kafka.listen", "http.listen", "rpc.listen"):
                with self.subTest(key):
                    self.refused(address, "--set", f"{key}={address}", "--data-dir", f"{directory}/data")
            self.refused("127.0.0.9", "--set", "kafka.listener.a.listen=127.0.0.9:" + address.rsplit(":", 1)[1], "--set", "kafka.listener.b.listen=127.0.0.9:" +
                         address.rsplit(":", 1)[1], "--data-dir", f"{directory}/data")
            # What failed so left nothing behind that keeps a later start from working.
            node = node_process.Node(BINARY, directory, "--data-dir", f"{directory}/data", *SETTINGS)
            self.assertEqual(node.end(), 0)


class Kill(FilesCase):
    def test_what_was_acknowledged_outlives_kills_during_produce(self):
        """Several producers, killed at a random moment, again and again: all acknowledged is there, once and in order, and
        nothing that was not sent."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.temporary.name))
        acknowledged = {partition: [] for partition in range(4)}
        sent = {partition: set() for partition in range(4)}
        for round_number in range(5):
            node = node_process.Node(BINARY, directory, *SETTINGS)
            with Client(node.kafka) as client:
                if round_number == 0:
                    client.create("killed", partitions=4, configs=[("segment.bytes", "1048576")])
                for partition, values in acknowledged.items():
                    self.check_partition(client, partition, values, sent[partition])
            threads = [threading.Thread(target=self.produce_until_killed, args=(node, round_number, partition, acknowledged, sent))
                       for partition in acknowledged]
            for thread in threads:
                thread.start()
            time.sleep(random.SystemRandom().uniform(0.1, 0.5))
            node.end(signal.SIGKILL)
            for thread in threads:
                thread.join()
        node = node_process.Node(BINARY, directory, *SETTINGS)
        with Client(node.kafka) as client:
            for partition, values in acknowledged.items():
                self.check_partition(client, partition, values, sent[partition])
        self.assertEqual(node.end(), 0)
        self.assertGreater(sum(map(len, acknowledged.values())), 50)

    def produce_until_killed(self, node, round_number, partition, acknowledged, sent):
        number = 0
        try:
            with Client(node.kafka) as client:
                while True:
                    value = b"%d-%d-%d " % (round_number, partition, number) + bytes(number * 37 % 9000)
                    sent[partition].add(value)
                    answer = client.produce("killed", wire.batch([value]), partition)
                    if answer["error"] == wire.NONE:
                        acknowledged[partition].append((answer["base"], value))
                    number += 1
        except (Closed, OSError):
            pass

    def check_partition(self, client, partition, values, sent):
        held = read_all(client, "killed", partition)
        for offset, value in values:
            self.assertLess(offset, len(held), "acknowledged, and gone")
            self.assertEqual(held[offset], value)
        self.assertEqual(len(set(held)), len(held), "each once")
        self.assertLessEqual(set(held), sent, "nothing invented")
