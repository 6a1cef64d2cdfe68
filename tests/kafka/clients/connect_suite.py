"""Kafka Connect: workers with a file source and a file sink. A sink's tasks are a consumer group; distributed workers are a group
of another kind ("connect"), and keep their settings, offsets and status in compacted logs."""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid

from harness import WAIT_SECONDS_MAX, CheckFailed, Suite, expect, expect_equal, wait_until
from tools_suite import JVM, LOGGING

START_SECONDS_MAX = 90


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Worker:
    """A Connect worker process; `rest` is the address of its interface."""

    def __init__(self, connect, kind, properties, *connectors):
        self.port = free_port()
        self.rest = f"http://127.0.0.1:{self.port}"
        name = f"worker-{uuid.uuid4().hex[:6]}"
        self.log_path = connect.work / f"{name}.log"
        settings = {"bootstrap.servers": connect.bootstrap, "key.converter": "org.apache.kafka.connect.storage.StringConverter",
                    "value.converter": "org.apache.kafka.connect.storage.StringConverter", "offset.flush.interval.ms": "500",
                    "listeners": self.rest, "rest.advertised.host.name": "127.0.0.1", "plugin.discovery": "only_scan",
                    "consumer.heartbeat.interval.ms": "500", "consumer.session.timeout.ms": "6000", **properties}
        config = connect.write(f"{name}.properties", settings)
        command = ["java", *JVM[1:], "-Xmx192M", f"-Dlog4j2.configurationFile={connect.work}/log4j2.properties", "-cp",
                   f"{connect.libs}/*", f"org.apache.kafka.connect.cli.{kind}", str(config), *map(str, connectors)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, path, body=None):
        request = urllib.request.Request(self.rest + path, method="GET" if body is None else "PUT",
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS_MAX) as answer:
            return json.load(answer)

    def status(self, connector):
        """(state, worker) of the connector and of its tasks; nothing while the worker starts, or the group is sharing out."""
        if self.process.poll() is not None:
            raise CheckFailed(f"the worker ended with {self.process.returncode}: {self.causes()}")
        try:
            status = self.ask(f"/connectors/{connector}/status")
        except (urllib.error.URLError, ConnectionError):
            return None
        return [(part["state"], part["worker_id"]) for part in (status["connector"], *status["tasks"])]

    def causes(self):
        said = [line for line in self.log_path.read_text().splitlines() if line.startswith(("ERROR", "Caused by"))]
        return " | ".join(said[:6])[:1500]

    def wait_running(self, connector):
        def running():
            found = self.status(connector)
            return found and len(found) == 2 and all(state == "RUNNING" for state, _ in found) and found
        return wait_until(running, f"{connector} and its task run", START_SECONDS_MAX)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CheckFailed("the worker did not stop") from None

    def kill(self):
        self.process.kill()
        self.process.wait()


class Connect:
    def __init__(self, bootstrap, libs, suite):
        self.bootstrap, self.libs, self.suite = bootstrap, libs, suite
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="kafka-connect-"))
        (self.work / "log4j2.properties").write_text(LOGGING)
        self.prefix = f"connect-{uuid.uuid4().hex[:6]}"
        self.workers = []

    def run(self):
        for name in ("standalone", "distributed"):
            self.suite.check(f"connect/{name}", self.guarded, getattr(self, name))
        shutil.rmtree(self.work, ignore_errors=True)

    def guarded(self, check):
        try:
            check()
        finally:
            for worker in self.workers:
                if worker.process.poll() is None:
                    worker.kill()
            self.workers.clear()

    def write(self, name, settings):
        path = self.work / name
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return path

    def worker(self, kind, properties, *connectors):
        self.workers.append(Worker(self, kind, properties, *connectors))
        return self.workers[-1]

    def connectors(self, name):
        """Settings of a source and a sink, and their files: what is written to the first arrives in the second."""
        topic, source, sink = f"{self.prefix}-{name}", self.work / f"{name}-in", self.work / f"{name}-out"
        source.touch()
        return ({"name": f"{topic}-source", "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
                 "tasks.max": "1", "file": str(source), "topic": topic},
                {"name": f"{topic}-sink", "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
                 "tasks.max": "1", "file": str(sink), "topics": topic}, source, sink)

    @staticmethod
    def pass_through(source, sink, first, count):
        """Appends lines to the source, and waits until the sink has every line up to the last; returns the sink's lines."""
        with open(source, "a") as file:
            file.writelines(f"line {i}\n" for i in range(first, first + count))
        expected = {f"line {i}" for i in range(first + count)}

        def arrived():
            lines = sink.read_text().splitlines() if sink.exists() else []
            return lines if set(lines) >= expected else None
        return wait_until(arrived, f"{first + count} lines in {sink.name}", START_SECONDS_MAX)

    def standalone(self):
        source, sink, file_in, file_out = self.connectors("standalone")
        properties = {"offset.storage.file.filename": str(self.work / "offsets")}
        files = [self.write("source.properties", source), self.write("sink.properties", sink)]
        worker = self.worker("ConnectStandalone", properties, *files)
        lines = self.pass_through(file_in, file_out, 0, 1000)
        expect_equal(lines, [f"line {i}" for i in range(1000)], "lines in the sink's file")
        worker.stop()
        self.worker("ConnectStandalone", properties, *files)
        lines = self.pass_through(file_in, file_out, 1000, 1000)
        expect_equal(lines, [f"line {i}" for i in range(2000)], "lines in the sink's file after the worker's second start")

    def distributed(self):
        source, sink, file_in, file_out = self.connectors("distributed")
        group = f"{self.prefix}-workers"
        properties = {"group.id": group, "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000",
                      "scheduled.rebalance.max.delay.ms": "0"}
        for kind in ("config", "offset", "status"):
            properties |= {f"{kind}.storage.topic": f"{group}-{kind}", f"{kind}.storage.replication.factor": "1"}
            properties |= {f"{kind}.storage.partitions": "3"} if kind != "config" else {}
        workers = [self.worker("ConnectDistributed", properties) for _ in range(2)]
        for connector in (source, sink):
            wait_until(lambda c=connector: self.configured(workers[0], c), f"{connector['name']} is configured", START_SECONDS_MAX)
        for connector in (source, sink):
            workers[1].wait_running(connector["name"])
        self.pass_through(file_in, file_out, 0, 1000)
        workers[0].kill()
        alive = f"127.0.0.1:{workers[1].port}"
        for connector in (source, sink):
            wait_until(lambda c=connector: all(worker == alive for _, worker in workers[1].wait_running(c["name"])),
                       f"{connector['name']} runs on the worker that is left", START_SECONDS_MAX)
        lines = self.pass_through(file_in, file_out, 1000, 1000)
        expect(len(lines) >= 2000, "lines are missing")

    @staticmethod
    def configured(worker, connector):
        try:
            worker.ask(f"/connectors/{connector['name']}/config", connector)
            return True
        except (urllib.error.URLError, ConnectionError):
            expect(worker.process.poll() is None, f"the worker ended: {worker.causes()}")
            return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--libs", required=True, help="the folder of Kafka's jars")
    parser.add_argument("--check")
    arguments = parser.parse_args()
    suite = Suite("connect", arguments.check)
    Connect(arguments.bootstrap, os.path.abspath(arguments.libs), suite).run()
    sys.exit(suite.finish())


if __name__ == "__main__":
    main()
