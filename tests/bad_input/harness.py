"""A raw client, and the base of tests that treat a node badly: after each of them it must serve a good client, and have all
that it acknowledged to it."""

import os
import pathlib
import resource
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest

import wire

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import node_process  # noqa: E402

BINARY = pathlib.Path(os.environ["PYRALOG_BINARY"])
ANSWER_SECONDS_MAX = 30

# Some tests open more than a thousand connections.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
MIB = 1 << 20


class Closed(Exception):
    """The server ended the connection."""


class Client:
    def __init__(self, address, timeout=ANSWER_SECONDS_MAX, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def end(self):
        """Sends no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def receive(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                part = self.socket.recv(min(count - len(data), 1 << 20))
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed
            data += part
        return bytes(data)

    def answer(self):
        """The next answer without its length."""
        return self.receive(struct.unpack(">i", self.receive(4))[0])

    def ask(self, api, *values, correlation=1):
        self.send(api.frame(*values, correlation=correlation))
        data = self.answer()
        assert struct.unpack_from(">i", data)[0] == correlation
        return api.read(data)

    def is_closed(self):
        """Waits for the server to end the connection; false if it sends something instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def produce(self, log, batch, partition=0, acks=-1, api=wire.PRODUCE_V8):
        """The partition's answer."""
        answer = self.ask(api, None, acks, 10_000, [(log, [(partition, batch)])])
        return answer["topics"][0]["partitions"][0]

    def create(self, log, partitions=1, configs=()):
        answer = self.ask(wire.CREATE_TOPICS_V7, [(log, partitions, -1, [], list(configs))], 10_000, False)["topics"][0]
        assert answer["error"] == wire.NONE, answer
        return answer["id"]

    def end_offset(self, log, partition=0):
        answer = self.ask(wire.LIST_OFFSETS_V1, -1, [(log, [(partition, -1)])])["topics"][0]["partitions"][0]
        assert answer["error"] == wire.NONE, answer
        return answer["offset"]

    def fetch(self, log, offset, partition=0, bytes_max=MIB, wait_ms=0):
        answer = self.ask(wire.FETCH_V11, -1, wait_ms, 1, 50 * MIB, 0, 0, -1, [(log, [(partition, -1, offset, -1, bytes_max)])], [], "")
        return answer["topics"][0]["partitions"][0]


def values_of(records):
    """(offset, value) of each record of uncompressed whole batches; fails on damage."""
    found = []
    at = 0
    while len(records) - at > wire.BATCH_HEADER_BYTES:
        base, size = struct.unpack_from(">qi", records, at)
        end = at + 12 + size
        if end > len(records):
            break
        if wire.crc32c(records[at + wire.CRC_POSITION + 4:end]) != struct.unpack_from(">I", records, at + wire.CRC_POSITION)[0]:
            raise AssertionError(f"a batch with a wrong checksum was served at offset {base}")
        count = struct.unpack_from(">i", records, at + 57)[0]
        cursor = wire.Cursor(records[at + wire.BATCH_HEADER_BYTES:end], True)

        def number():
            raw = cursor.varint()
            return raw >> 1 ^ -(raw & 1)

        for _ in range(count):
            number()
            cursor.take(1)
            number()
            delta = number()
            key = number()
            cursor.take(max(key, 0))
            found.append((base + delta, cursor.take(number())))
            assert number() == 0
        at = end
    return found


def read_all(client, log, partition=0, start=0):
    """All values of a log of uncompressed batches, its offsets checked to be without gaps."""
    values = []
    end = client.end_offset(log, partition)
    while start + len(values) < end:
        answer = client.fetch(log, start + len(values), partition)
        assert answer["error"] == wire.NONE, answer
        for offset, value in values_of(answer["records"]):
            if offset >= start + len(values):
                assert offset == start + len(values), (offset, start + len(values))
                values.append(value)
    return values


class BadInputCase(unittest.TestCase):
    """Tests of one class share a node."""

    settings = {}
    prefix = ()
    slow_milliseconds_max = 5000  # for one exchange of the good client while nothing else goes on

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.directory = pathlib.Path(cls.temporary.name)
        cls.stored = []
        cls.start()

    @classmethod
    def start(cls):
        arguments = [f"--set={key}={value}" for key, value in {"node.shards": 2, **cls.settings}.items()]
        cls.node = node_process.Node(BINARY, cls.directory, *arguments, prefix=cls.prefix)

    @classmethod
    def tearDownClass(cls):
        status = cls.node.end()
        said = cls.node.stderr() if status != 0 else ""
        cls.temporary.cleanup()
        assert status == 0, f"the node ended with {status}: {said}"

    def client(self, **options):
        client = Client(self.node.kafka, **options)
        self.addCleanup(client.close)
        return client

    def tearDown(self):
        self.check_good_client()

    def check_good_client(self):
        with self.subTest("a good client is still served, and nothing stored is lost"), Client(self.node.kafka) as client:
            if not self.stored:
                client.create("good")
            value = b"%d %s" % (len(self.stored), self.id().encode())
            before = time.monotonic()
            answer = client.produce("good", wire.batch([value]))
            self.assertEqual((answer["error"], answer["base"]), (wire.NONE, len(self.stored)))
            self.assertLess(time.monotonic() - before, self.slow_milliseconds_max / 1000)
            self.stored.append(value)
            self.assertEqual(read_all(client, "good"), self.stored)

    def assert_closed(self, data, why=None):
        """The server ends a connection on which `data` was sent, without an answer."""
        with self.subTest(why), Client(self.node.kafka) as client:
            try:
                client.send(data)
            except Closed:
                return
            self.assertTrue(client.is_closed(), why)


class MemoryWatch:
    """Asserts that a node's resident memory rises by no more than a bound while the block runs."""

    def __init__(self, case, bytes_max):
        self.case, self.bytes_max = case, bytes_max

    def __enter__(self):
        self.case.node.reset_memory_peak()
        self.before = self.case.node.memory_bytes()
        return self

    def __exit__(self, failed, *_):
        if failed is None:
            grown = self.case.node.memory_bytes("VmHWM") - self.before
            self.case.assertLess(grown, self.bytes_max, f"{grown / MIB:.0f} MiB more, at most {self.bytes_max / MIB:.0f}")
            if os.environ.get("BAD_INPUT_VERBOSE"):
                print(f"  {self.case.id()}: {grown / MIB:.1f} MiB", file=sys.stderr)


class Background:
    """Calls `step` again and again on a thread while the block runs; what it raises fails the block's end."""

    def __init__(self, step):
        self.step, self.failure, self.calls = step, None, 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self.ending.is_set():
                self.step()
                self.calls += 1
        except BaseException as error:  # noqa: BLE001: handed to the main thread
            self.failure = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure
