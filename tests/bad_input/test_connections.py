"""Connections that idle, dawdle, never read, come in crowds or hold memory, while a good client is served as if alone."""

import socket
import struct
import subprocess
import time
import urllib.request

import wire
from harness import BINARY, MIB, BadInputCase, Background, Client, Closed, MemoryWatch, node_process


def metric(node, name):
    """The sum of a metric's series."""
    with urllib.request.urlopen(f"http://{node.http}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{")))


def wait_for(case, is_so, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not is_so():
        case.assertLess(time.monotonic(), deadline, what)
        time.sleep(0.02)


class Crowds(BadInputCase):
    settings = {"kafka.request_memory_bytes_max": "128MiB", "kafka.request_bytes_max": "32MiB"}
    prefix = ["sh", "-c", 'ulimit -Sn 1024 && exec "$@"', "sh"]  # which the node raises

    def exchange_milliseconds(self, client, times):
        """Of a produce, the median and the slowest."""
        taken = []
        for _ in range(times):
            before = time.monotonic()
            answer = client.produce("pace", wire.batch([b"x" * 100]))
            taken.append((time.monotonic() - before) * 1000)
            self.assertEqual(answer["error"], wire.NONE)
        taken.sort()
        return taken[len(taken) // 2], taken[-1]

    def test_a_thousand_idle_and_slow_connections(self):
        good = self.client()
        good.create("pace")
        alone, _ = self.exchange_milliseconds(good, 50)
        with MemoryWatch(self, 64 * MIB):
            idle = [self.client() for _ in range(1000)]
            slow = [self.client() for _ in range(100)]
            frame = wire.METADATA_V1.frame(["pace"])
            with Background(lambda: self.send_a_byte_each(slow, frame)) as dawdling:
                among_them, slowest = self.exchange_milliseconds(good, 200)
                while dawdling.calls < len(frame):
                    time.sleep(0.01)
        self.assertLess(among_them, 5 * alone + 10, f"{alone:.1f} ms alone")
        self.assertLess(slowest, 1000)
        # All of them are served yet.
        for client in idle[::100]:
            self.assertEqual(client.ask(wire.API_VERSIONS_V0)["error"], wire.NONE)
        for client in slow:
            self.assertEqual(wire.METADATA_V1.read(client.answer())["topics"][0]["name"], "pace")
        self.assertGreaterEqual(metric(self.node, "pyralog_connections"), 1100)
        for client in idle + slow:
            client.close()

    def send_a_byte_each(self, clients, frame):
        if not hasattr(self, "sent"):
            self.sent = 0
        if self.sent == len(frame):
            time.sleep(0.01)
            return
        for client in clients:
            client.send(frame[self.sent:self.sent + 1])
        self.sent += 1

    def test_readers_that_never_read(self):
        good = self.client()
        good.create("pace-2")
        good.create("bulk")
        for _ in range(40):
            good.produce("bulk", wire.batch([bytes(500_000)]))
        good.create("wide", partitions=2000)
        fetch = wire.FETCH_V11.frame(-1, 0, 1, 50 * MIB, 0, 0, -1, [("bulk", [(0, -1, 0, -1, 50 * MIB)])], [], "")
        metadata = wire.METADATA_V1.frame(["wide"])
        with MemoryWatch(self, 96 * MIB):
            deaf = [self.client(receive_buffer=4096) for _ in range(60)]
            for number, client in enumerate(deaf):
                client.socket.settimeout(0.2)
                try:
                    client.send((fetch if number % 2 else metadata) * 64)
                except (TimeoutError, Closed):
                    pass
            for _ in range(20):
                before = time.monotonic()
                self.assertEqual(good.produce("pace-2", wire.batch())["error"], wire.NONE)
                self.assertLess(time.monotonic() - before, 2)
            # The node has done what it will do for them: no request is taken up any more.
            taken = []

            def is_steady():
                taken.append(metric(self.node, "pyralog_kafka_requests_total"))
                return len(taken) > 10 and taken[-1] == taken[-10]

            wait_for(self, is_steady, "the node goes on working for who never reads")
        # Who begins to read after all gets every answer, in order.
        client = deaf[1]
        client.socket.settimeout(30)
        self.assertEqual(client.answer()[:4], struct.pack(">i", 1))
        for client in deaf:
            client.close()

    def test_large_frames_that_stand_still_cost_the_slow_only(self):
        """Slow senders take all memory for large requests: small ones do not notice, large ones get it after a while."""
        good = self.client()
        good.create("patience", configs=[("max.message.bytes", "2000000")])
        stalled = [self.client() for _ in range(6)]
        head = struct.pack(">ihh", 31 * MIB, wire.PRODUCE, 8)
        for client in stalled:
            client.send(head + bytes(100_000))
        wait_for(self, lambda: metric(self.node, "pyralog_request_memory_waits_total") > 0, "the memory is not used up")
        for _ in range(20):
            before = time.monotonic()
            self.assertEqual(good.produce("patience", wire.batch())["error"], wire.NONE)
            self.assertLess(time.monotonic() - before, 1)
        before = time.monotonic()
        self.assertEqual(good.produce("patience", wire.batch([bytes(1_000_000)]))["error"], wire.NONE)
        self.assertLess(time.monotonic() - before, 25)
        self.assertGreater(metric(self.node, "pyralog_frames_given_up_total"), 0)
        for client in stalled:
            client.close()

    def test_clients_that_leave_at_any_time(self):
        good = self.client()
        good.create("left")
        frame = wire.PRODUCE_V8.frame(None, -1, 1000, [("left", [(0, wire.batch([b"v"]))])])
        for cut in range(0, len(frame) + 1, 7):
            client = Client(self.node.kafka)
            client.send(frame[:cut])
            if cut % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves with a reset
            client.close()
        wait_for(self, lambda: metric(self.node, "pyralog_connections") == 1, "connections of clients that have left stay open")
        self.assertLess(good.end_offset("left"), 2)

    def test_clients_that_leave_during_a_long_poll(self):
        """Not only the end of the wait, in five minutes, ends such a connection; that more was asked behind changes nothing."""
        good = self.client()
        good.create("poll", partitions=8)  # on both shards
        poll = wire.FETCH_V11.frame(-1, 300_000, 1, MIB, 0, 0, -1, [("poll", [(p, -1, 0, -1, MIB) for p in range(8)])], [], "")
        waited = metric(self.node, "pyralog_fetch_waits_total")
        clients = [self.client() for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(poll + (poll + wire.API_VERSIONS_V0.frame() if number % 3 == 0 else b""))
        wait_for(self, lambda: metric(self.node, "pyralog_fetch_waits_total") >= waited + 50, "they do not wait")
        self.assertGreaterEqual(metric(self.node, "pyralog_connections"), 51)
        for number, client in enumerate(clients):
            if number % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves with a reset
            client.close()
        wait_for(self, lambda: metric(self.node, "pyralog_connections") == 1, "connections of clients that have left stay open")
        # Who only sends nothing more is answered.
        ending = self.client()
        ending.send(poll)
        ending.end()
        self.assertEqual(wire.FETCH_V11.read(ending.answer())["error"], wire.NONE)
        self.assertTrue(ending.is_closed())

    def test_many_at_once_over_one_connection(self):
        """Answers come in the order of the requests, far more of which are sent than may be under way."""
        with Client(self.node.kafka) as client:
            client.create("order")
            frames = b"".join(wire.PRODUCE_V8.frame(None, 1, 1000, [("order", [(0, wire.batch())])], correlation=i) if i % 2 else
                              wire.API_VERSIONS_V0.frame(correlation=i) for i in range(1000))
            client.send(frames)
            self.assertEqual([struct.unpack_from(">i", client.answer())[0] for _ in range(1000)], list(range(1000)))


class Limits(BadInputCase):
    """Connection limits, set low."""

    settings = {"kafka.connections_max": 40, "kafka.connections_per_address_max": 30, "kafka.idle_timeout": "2s",
                "kafka.connection_rate_max": 1000, "node.shards": 1}

    def test_connections_per_address(self):
        clients = []
        for _ in range(30):
            clients.append(self.client())
            clients[-1].ask(wire.API_VERSIONS_V0)
        before = metric(self.node, "pyralog_connections_refused_total")
        for _ in range(5):
            with Client(self.node.kafka) as client:
                self.assertTrue(client.is_closed())
        self.assertEqual(metric(self.node, "pyralog_connections_refused_total") - before, 5)
        # Another address is not affected, up to the limit of all.
        others = []
        for _ in range(10):
            other = socket.create_connection(("127.0.0.1", int(self.node.kafka.rsplit(":", 1)[1])), 30, ("127.0.0.9", 0))
            self.addCleanup(other.close)
            other.sendall(wire.API_VERSIONS_V0.frame())
            self.assertEqual(len(other.recv(4)), 4)
            others.append(other)
        over = socket.create_connection(("127.0.0.1", int(self.node.kafka.rsplit(":", 1)[1])), 30, ("127.0.0.8", 0))
        self.addCleanup(over.close)
        self.assertEqual(over.recv(1), b"")
        for connection in clients + others:
            connection.close()
        wait_for(self, lambda: metric(self.node, "pyralog_connections") == 0, "connections of clients that have left stay open")

    def test_silence_ends_a_connection_but_waiting_for_an_answer_does_not(self):
        with Client(self.node.kafka) as good:
            good.create("silent")
            good.create("loud")
            for _ in range(20):
                good.produce("loud", wire.batch([bytes(500_000)]))
        silent, waiting, deaf, begun = self.client(), self.client(), self.client(receive_buffer=4096), self.client()
        deaf.send(wire.FETCH_V11.frame(-1, 0, 1, 50 * MIB, 0, 0, -1, [("loud", [(0, -1, 0, -1, 50 * MIB)])], [], "") * 60)
        waiting.send(wire.FETCH_V11.frame(-1, 2**31 - 1, 1, MIB, 0, 0, -1, [("silent", [(0, -1, 0, -1, MIB)])], [], ""))
        begun.send(struct.pack(">ih", 1000, wire.FETCH))
        started = time.monotonic()
        self.assertTrue(silent.is_closed())
        self.assertTrue(begun.is_closed())
        self.assertGreater(time.monotonic() - started, 1.5)
        self.assertLess(time.monotonic() - started, 4.5)
        self.assertEqual(wire.FETCH_V11.read(waiting.answer())["error"], wire.NONE, "answered, without data")
        self.assertGreater(time.monotonic() - started, 1.5)
        wait_for(self, lambda: metric(self.node, "pyralog_connections") == 0, "who does not read its answers is silent too")


class Rate(BadInputCase):
    settings = {"kafka.connection_rate_max": 20, "node.shards": 1}

    def test_connections_beyond_the_rate_wait_and_are_then_served(self):
        before = time.monotonic()
        clients = [self.client() for _ in range(60)]
        for client in clients:
            self.assertEqual(client.ask(wire.API_VERSIONS_V0)["error"], wire.NONE)
        taken = time.monotonic() - before
        self.assertGreater(taken, 1.5, "60 connections, 20 at once and 20 a second")
        self.assertLess(taken, 10)
        self.assertGreaterEqual(metric(self.node, "pyralog_connections_delayed_total"), 30)
        for client in clients:
            client.close()


class Listeners(BadInputCase):
    def test_each_listener_tells_its_own_address(self):
        """Two listeners of one node: clients are told what belongs to the one they came through."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        directory = self.directory / "two"
        directory.mkdir()
        (directory / "c.toml").write_text(
            "[kafka.listener.inside]\nlisten = '127.0.0.1:0'\n"
            f"[kafka.listener.outside]\nlisten = '127.0.0.1:{port}'\nadvertise = 'log.example.net:19092'\n")
        process = subprocess.Popen([BINARY, "start", "--config", "c.toml", "--set", "http.listen=127.0.0.1:0", "--set", "rpc.listen=127.0.0.1:0"],
                                   cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            found = node_process.READY.match(process.stdout.readline())
            inside = found.group(1)
            for address, told in ((inside, inside), (f"127.0.0.1:{port}", "log.example.net:19092")):
                with Client(address) as client:
                    for api, values in ((wire.METADATA_V1, ([],)), (wire.METADATA_V12, ([], False, False)), (wire.DESCRIBE_CLUSTER_V0, (False,))):
                        brokers = client.ask(api, *values)["brokers"]
                        self.assertEqual([f"{b['host']}:{b['port']}" for b in brokers], [told])
                    configs = client.ask(wire.DESCRIBE_CONFIGS_V1, [(4, "1", ["listeners", "advertised.listeners"])], False)["resources"][0]["configs"]
                    shown = {config["name"]: config["value"] for config in configs}
                    self.assertEqual(shown, {"listeners": f"inside://{inside},outside://127.0.0.1:{port}",
                                             "advertised.listeners": f"inside://{inside},outside://log.example.net:19092"})
        finally:
            process.terminate()
            self.assertEqual(process.wait(30), 0)
            process.stdout.close()


class Http(BadInputCase):
    def talk(self, data, end=True):
        """The status line's code; none if the server says nothing."""
        host, port = self.node.http.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 30) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            except OSError:  # it may end the connection at any time
                return None
        return int(answer.split()[1]) if answer else None

    def test_garbage(self):
        for data in (b"\r\n", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"G\xffT / HTTP/1.1\r\n\r\n", bytes(range(256)) * 4,
                     b"GET /metrics HTTP/1.1\r\n: empty\r\n\r\n", wire.API_VERSIONS_V0.frame(), b"GET  /  HTTP/1.1\r\n\r\n"):
            with self.subTest(data[:30]):
                self.assertIn(self.talk(data), (400, None))
        self.assertIn(self.talk(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"), (400, 431, None))
        self.assertIn(self.talk(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n"), (400, 431, None))
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"):
            self.assertIn(self.talk(method + b" /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), (405, 400), method)
        self.assertEqual(self.talk(b"GET /../../etc/passwd HTTP/1.1\r\n\r\n"), 404)
        self.assertEqual(self.talk(b"GET /metrics?x=y HTTP/1.1\r\n\r\n"), 200)
        self.assertEqual(self.talk(b"HEAD /healthz HTTP/1.0\r\n\r\n"), 200)

    def test_crowds(self):
        host, port = self.node.http.rsplit(":", 1)
        idle = [socket.create_connection((host, int(port)), 30) for _ in range(200)]
        try:
            self.check_good_client()
        finally:
            for connection in idle:
                connection.close()
        wait_for(self, lambda: self.talk(b"GET /healthz HTTP/1.1\r\n\r\n") == 200, "the HTTP port does not recover")
