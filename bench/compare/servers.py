"""Starts and stops the servers that tests/kafka and bench/compare drive: Apache Kafka from Maven artifacts, and Pyralog.

Both are started on loopback, on free ports, from an empty data directory, and stopped by process id. Waits are bounded.
"""

import base64
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
KAFKA_DIST_DEFAULT = REPOSITORY / "build" / "kafka-dist"
START_SECONDS_MAX = 90
STOP_SECONDS_MAX = 60

# What bin/kafka-server-start.sh and bin/kafka-run-class.sh of the distribution pass to the JVM of a broker. Their MaxInlineLevel=15
# is the JVM's own default since Java 14.
KAFKA_JVM = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15",
             "-Djava.awt.headless=true"]

KAFKA_LOGGING = """\
status = warn
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.stdout.ref = stdout
"""


class ServerError(Exception):
    """A server that did not start or did not stop; the text says why and where its log is."""


def pinned_kafka_version():
    text = (HERE / "kafka-dist.pom.xml").read_text()
    return re.search(r"<kafka.version>([^<]+)</kafka.version>", text).group(1)


def newest_kafka_version():
    """Asks Maven for the newest release; a release counts once its broker and its tools are both there."""
    plugin = "org.codehaus.mojo:versions-maven-plugin:2.16.2:display-property-updates"
    # Only an older version than the newest is reported as updatable, so the question is asked from the oldest one supported.
    out = subprocess.run(["mvn", "-B", "-f", HERE / "kafka-dist.pom.xml", plugin, "-Dkafka.version=4.0.0",
                          "-DincludeProperties=kafka.version", r"-Dmaven.version.ignore=.*(?i:rc|alpha|beta).*"],
                         capture_output=True, text=True, timeout=300)
    found = re.search(r"\$\{kafka\.version\}.*->\s*(\S+)", out.stdout)
    if out.returncode != 0 or not found:
        raise ServerError("Maven did not name a newest Kafka:\n" + out.stdout[-2000:])
    return found.group(1)


def kafka_dist(cache=KAFKA_DIST_DEFAULT, version=None):
    """Returns the folder with Kafka's jars, filling it through Maven at the first call, and when the list of jars has changed."""
    version = version or pinned_kafka_version()
    libs = pathlib.Path(cache) / version / "libs"
    complete = libs.parent / "complete"
    wanted = hashlib.sha256((HERE / "kafka-dist.pom.xml").read_bytes()).hexdigest() + "\n"
    if complete.exists() and complete.read_text() == wanted:
        return libs
    shutil.rmtree(libs.parent, ignore_errors=True)
    libs.mkdir(parents=True)
    out = subprocess.run(["mvn", "-B", "-q", "-f", HERE / "kafka-dist.pom.xml", "dependency:copy-dependencies",
                          "-DincludeScope=runtime", f"-DoutputDirectory={libs}", f"-Dkafka.version={version}"],
                         capture_output=True, text=True, timeout=900)
    if out.returncode != 0 or not any(libs.glob("kafka_2.13-*.jar")):
        raise ServerError(f"Maven could not fetch Apache Kafka {version}:\n" + (out.stdout + out.stderr)[-2000:])
    complete.write_text(wanted)
    return libs


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def pinned(command, cpus):
    return ["taskset", "-c", cpus, *command] if cpus else list(command)


def api_versions_answered(host, port):
    """True when the server answers an ApiVersions request: it serves, not merely listens."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            request = struct.pack(">hhih", 18, 0, 1, -1)
            connection.sendall(struct.pack(">i", len(request)) + request)
            connection.settimeout(2)
            return len(connection.recv(4, socket.MSG_WAITALL)) == 4
    except OSError:
        return False


class Server:
    """A running server process: `bootstrap`, `pid`, `data_dir`, `log_path`."""

    def __init__(self, name, work_dir):
        self.name = name
        self.work_dir = pathlib.Path(work_dir)
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = self.work_dir / "data"
        self.log_path = self.work_dir / "server.log"
        self.process = None
        self.bootstrap = None

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """SIGTERM, then a bounded wait; returns the exit status. A server that ignores SIGTERM is killed and reported."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(f"{self.name} did not stop within {STOP_SECONDS_MAX} s of SIGTERM; log: {self.log_path}")

    def kill(self):
        """SIGKILL: what a crash leaves. start() then takes up the same directory and address."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def fail(self, why):
        tail = self.log_path.read_text(errors="replace")[-3000:] if self.log_path.exists() else ""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None
        raise ServerError(f"{self.name}: {why}\n--- end of {self.log_path}\n{tail}")


class KafkaServer(Server):
    """Apache Kafka as one KRaft node that is broker and controller, with the distribution's settings.

    `properties` overrides server properties; `advertise` is the HOST:PORT told to clients, if not the listener itself.
    """

    def __init__(self, work_dir, libs, cpus=None, properties=None, advertise=None):
        super().__init__("Apache Kafka", work_dir)
        self.libs = pathlib.Path(libs)
        self.cpus = cpus
        self.properties = properties or {}
        self.advertise = advertise

    def start(self):
        """The first time on an empty directory; after stop() or kill() on what is there."""
        self.config = self.work_dir / "server.properties"
        java = ["java", f"-Dlog4j2.configurationFile={self.work_dir}/log4j2.properties", "-cp", f"{self.libs}/*"]
        with open(self.log_path, "ab") as log:
            if self.bootstrap is None:
                self.format(java, log)
            command = pinned(["java", *KAFKA_JVM, *java[1:], "kafka.Kafka", str(self.config)], self.cpus)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not api_versions_answered("127.0.0.1", int(self.bootstrap.rpartition(":")[2])):
            if self.process.poll() is not None:
                self.fail(f"ended with status {self.process.returncode} while starting")
            if time.monotonic() > deadline:
                self.fail(f"was not ready after {START_SECONDS_MAX} s")
            time.sleep(0.05)
        return self

    def format(self, java, log):
        """Chooses the address, writes the settings and makes the data directory."""
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        settings = {
            "process.roles": "broker,controller", "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners":
                f"PLAINTEXT://{self.advertise or self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "inter.broker.listener.name": "PLAINTEXT", "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "num.network.threads": "3", "num.io.threads": "8", "socket.send.buffer.bytes": "102400",
            "socket.receive.buffer.bytes": "102400", "socket.request.max.bytes": "104857600",
            "log.dirs": str(self.data_dir), "num.partitions": "1", "offsets.topic.replication.factor": "1",
            "share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
            "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
            "log.retention.hours": "168", "group.initial.rebalance.delay.ms": "0", **self.properties}
        self.config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (self.work_dir / "log4j2.properties").write_text(KAFKA_LOGGING)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        formatted = subprocess.run([*java, "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}",
                                    "-c", str(self.config)], stdout=log, stderr=log, timeout=START_SECONDS_MAX)
        if formatted.returncode != 0:
            self.fail("the storage directory could not be formatted")


class PyralogServer(Server):
    """`pyralog dev` with everything default but the addresses and the data directory; `settings` become --set flags."""

    def __init__(self, work_dir, binary, cpus=None, settings=None, advertise=None):
        super().__init__("Pyralog", work_dir)
        self.binary = pathlib.Path(binary).resolve()
        self.cpus = cpus
        self.settings = dict(settings or {})
        self.advertise = advertise

    def start(self):
        # Clients find a server that starts again where it was.
        command = [str(self.binary), "dev", "--data-dir", str(self.data_dir), "--kafka", self.bootstrap or "127.0.0.1:0",
                   "--http", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]
        if self.advertise:
            command += ["--advertise", self.advertise]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(pinned(command, self.cpus), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log)
        os.set_blocking(self.process.stdout.fileno(), False)
        deadline = time.monotonic() + START_SECONDS_MAX
        seen = b""
        while not (ready := re.search(rb"^ready kafka=(\S+).*\n", seen, re.M)):
            seen += self.process.stdout.read() or b""
            if self.process.poll() is not None and b"ready" not in seen:
                self.fail(f"ended with status {self.process.returncode} before it was ready")
            if time.monotonic() > deadline:
                self.fail(f"printed no ready line within {START_SECONDS_MAX} s")
            time.sleep(0.005)
        self.ready_line = ready.group(0).decode().strip()
        self.bootstrap = ready.group(1).decode()
        return self

    def stop(self):
        status = super().stop()
        if status not in (0, None):
            raise ServerError(f"Pyralog ended with status {status} after SIGTERM, 0 was expected; log: {self.log_path}")
        return status


class LimitServer(Server):
    """bench/limit, the floor: `writes` is how often it writes each byte."""

    def __init__(self, work_dir, binary, cpus=None, writes=1, partitions=1):
        super().__init__("limit", work_dir)
        self.binary = pathlib.Path(binary).resolve()
        self.cpus = cpus
        self.writes = writes
        self.partitions = partitions

    def start(self):
        self.data_dir.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(self.binary), "--port", str(port), "--directory", str(self.data_dir), "--partitions", str(self.partitions),
                   "--writes", str(self.writes)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(pinned(command, self.cpus), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        if self.process.stdout.readline() != b"ready\n":
            self.fail("printed no ready line")
        self.bootstrap = f"127.0.0.1:{port}"
        return self


def main():
    import argparse
    parser = argparse.ArgumentParser(description="Run Apache Kafka from Maven artifacts on loopback until SIGINT or SIGTERM.")
    parser.add_argument("--cache", default=KAFKA_DIST_DEFAULT, help="where Kafka's jars are kept (default build/kafka-dist)")
    parser.add_argument("--version", help="Kafka's version; 'newest' asks Maven (default: the one pinned in kafka-dist.pom.xml)")
    parser.add_argument("--work-dir", help="where data and logs go")
    parser.add_argument("--cpus", help="CPU list to pin the server to, as taskset -c takes it")
    parser.add_argument("--fetch-only", action="store_true", help="fill the cache, print the folder of the jars, and end")
    arguments = parser.parse_args()
    version = newest_kafka_version() if arguments.version == "newest" else arguments.version
    libs = kafka_dist(arguments.cache, version)
    if arguments.fetch_only:
        print(libs)
        return 0
    if not arguments.work_dir:
        parser.error("--work-dir is needed to run a server")
    if os.path.exists(os.path.join(arguments.work_dir, "data")):
        parser.error(f"{arguments.work_dir} holds data already")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with KafkaServer(arguments.work_dir, libs, arguments.cpus).start() as server:
        print(f"ready kafka={server.bootstrap} pid={server.pid}", flush=True)
        try:
            server.process.wait()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServerError as error:
        sys.exit(str(error))
