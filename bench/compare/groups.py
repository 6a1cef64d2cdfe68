#!/usr/bin/env python3
"""Consumer groups and compaction of Apache Kafka and Pyralog, in turn, under the same load: what commits cost, how long a dead
member's partitions have no owner, how soon a coordinator answers after kill -9, what compaction costs.

Needs the Python clients of tests/kafka/setup.sh for `rebalance`. Writes groups.json and groups.md into --out.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import machine
import servers

HERE = pathlib.Path(__file__).resolve().parent
MEMBERS = 100
PARTITIONS = 1000
HISTORY_COMMITS = 10_000_000
HISTORY_GROUPS = 100
SETTLE_SECONDS_MAX = 180


def start(name, options, work):
    if name == "kafka":
        return servers.KafkaServer(work, servers.kafka_dist(options.kafka_dist), options.server_cpu,
                                   {"offsets.topic.num.partitions": "50", "log.cleaner.backoff.ms": "1000"}).start()
    return servers.PyralogServer(work, options.server_binary, options.server_cpu,
                                 {"node.shards": "1", "storage.compaction_interval": "1s",
                                  "groups.initial_rebalance_delay": "0ms"}).start()


def bench(options, *words, wait=True):
    command = servers.pinned([str(options.server_binary), "bench", *map(str, words), "-o", "json"], options.client_cpu)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return ended(process) if wait else process


def ended(process):
    out, errors = process.communicate(timeout=900)
    if process.returncode != 0:
        raise servers.ServerError(f"the load failed: {' '.join(process.args)}\n{out[-1000:]}{errors[-2000:]}")
    return json.loads(out[out.index("{"):])


def measured(server, work, run):
    """What the machine spent on `run()`, writing back included, less the load's share."""
    machine.settle(work)
    before = machine.Reading.take(server.pid, work)
    result = run()
    machine.settle(work)
    return result, before.until(machine.Reading.take(server.pid, work))


def commits(name, options, work):
    """Offset commits per CPU second: 64 connections, a commit of one partition each at a time."""
    with start(name, options, work) as server:
        words = ["commit", "-b", server.bootstrap, "--log", "c", "--create", "--partitions", 10, "--connections", 64, "--groups", 640]
        for _ in range(3):
            bench(options, *words, "--seconds", options.warm_up_seconds, "--warmup", 0)
        load, used = measured(server, work, lambda: bench(options, *words, "--seconds", options.seconds, "--warmup", 0))
        return {"commits_per_second": load["requests"] / load["seconds"],
                "commits_per_cpu_second": load["requests"] / used["machine_less_client"],
                "commits_per_cpu_second_of_the_process": load["requests"] / used["server"],
                "p50_ms": load["latency_ms"]["p50"], "p99_ms": load["latency_ms"]["p99"],
                "rss_mib": machine.memory_bytes(server.pid, "VmRSS") / (1 << 20)}


class Members:
    """A process of members, with who owns which partition since when."""

    def __init__(self, options, server, first, count):
        command = [str(options.python), str(HERE / "group_members.py"), "--bootstrap", server.bootstrap, "--group", "g", "--topic", "t",
                   "--first", str(first), "--count", str(count)]
        self.process = subprocess.Popen(servers.pinned(command, options.client_cpu), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.owned = {}  # partition -> (since, member)
        self.lock = threading.Lock()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.process.stdout:
            event, at, number, partitions = line.rstrip("\n").split(" ")
            with self.lock:
                for partition in filter(None, partitions.split(",")):
                    if event == "gained":
                        self.owned[int(partition)] = (float(at), int(number))
                    else:
                        self.owned.pop(int(partition), None)

    def snapshot(self):
        with self.lock:
            return dict(self.owned)

    def kill(self):
        self.process.kill()
        self.process.wait()


def wait_for(what, condition):
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise servers.ServerError(f"{what}: not after {SETTLE_SECONDS_MAX} s")
        time.sleep(0.05)


def rebalance(name, options, work):
    """A member of 100 over 1,000 partitions is killed: how long its partitions have no owner."""
    with start(name, options, work) as server:
        subprocess.run([str(options.server_binary), "log", "create", "-b", server.bootstrap, "t", "--partitions", str(PARTITIONS)],
                       check=True, stdout=subprocess.DEVNULL)
        processes = [Members(options, server, first, MEMBERS // 4) for first in range(0, MEMBERS - MEMBERS // 4, MEMBERS // 4)]
        processes.append(Members(options, server, MEMBERS - MEMBERS // 4, MEMBERS // 4 - 1))
        doomed = Members(options, server, MEMBERS - 1, 1)
        try:
            everyone = [*processes, doomed]
            even = lambda: sum(len(m.snapshot()) for m in everyone) == PARTITIONS and len(doomed.snapshot()) == PARTITIONS // MEMBERS
            wait_for("100 members share 1,000 partitions", even)
            time.sleep(15)  # some heartbeats
            if not even():
                wait_for("100 members share 1,000 partitions", even)
            lost = set(doomed.snapshot())
            killed = time.monotonic()
            doomed.kill()
            owners = lambda: {p: since for m in processes for p, (since, _) in m.snapshot().items() if p in lost}
            wait_for("the dead member's partitions have owners", lambda: len(owners()) == len(lost))
            since = owners().values()
            return {"first_owner_s": min(since) - killed, "last_owner_s": max(since) - killed}
        finally:
            for members in [*processes, doomed]:
                members.kill()


class RawClient:
    """Asks one question of the group protocol, without a client library's own waits."""

    def __init__(self, bootstrap):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)

    def offset(self, group, topic, partition):
        """(error, committed offset) by OffsetFetch v1."""
        text = lambda s: struct.pack(">h", len(s)) + s.encode()
        body = struct.pack(">hhih", 9, 1, 7, -1) + text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(">ii", 1, partition)
        self.socket.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", self.socket.recv(4, socket.MSG_WAITALL))[0]
        answer = self.socket.recv(size, socket.MSG_WAITALL)
        at = 4 + 4 + 2 + len(topic) + 4 + 4  # correlation id, topics, name, partitions, partition
        committed, metadata = struct.unpack_from(">qh", answer, at)
        return struct.unpack_from(">h", answer, at + 10 + max(metadata, 0))[0], committed


def coordinator_start(name, options, work):
    """100,000 offsets, committed 100 times each; kill -9; start until every group's offset is told."""
    with start(name, options, work) as server:
        rounds = HISTORY_COMMITS // (HISTORY_GROUPS * PARTITIONS)
        load = bench(options, "commit", "-b", server.bootstrap, "--log", "h", "--create", "--partitions", PARTITIONS, "--connections", 4,
                     "--groups", HISTORY_GROUPS, "--commit-partitions", PARTITIONS, "--commits", HISTORY_GROUPS * rounds,
                     "--seconds", 100_000, "--warmup", 0)
        time.sleep(options.history_settle_seconds)  # compaction follows on its own
        client, groups = RawClient(server.bootstrap), [f"bench-{i}" for i in range(HISTORY_GROUPS)]
        expected = [client.offset(group, "h", PARTITIONS - 1) for group in groups]
        if any(error or offset < rounds // 2 for error, offset in expected):
            raise servers.ServerError(f"offsets before the kill: {expected}")
        taken = []
        for _ in range(options.starts):
            server.kill()
            began = time.monotonic()
            server.start()
            ready = time.monotonic() - began
            client, told = RawClient(server.bootstrap), 0
            while told < HISTORY_GROUPS:
                answer = client.offset(groups[told], "h", PARTITIONS - 1)
                told += answer == expected[told]
                if time.monotonic() - began > SETTLE_SECONDS_MAX:
                    raise servers.ServerError(f"{groups[told]}: {answer}, before the kill {expected[told]}")
            taken.append((ready, time.monotonic() - began))
        return {"offsets": load["records"], "commit_seconds": load["seconds"], "ready_s": statistics.median(t[0] for t in taken),
                "told_s": statistics.median(t[1] for t in taken), "told_s_all": [round(t[1], 3) for t in taken]}


def log_bytes(server):
    total = 0
    for path in server.data_dir.rglob("*.log"):
        if "keyed" in str(path):
            with contextlib.suppress(FileNotFoundError):  # replaced meanwhile
                total += path.stat().st_size
    return total


def compaction(name, options, work):
    """10 GB with 1 M keys: what compacting them costs, and what producers see of it."""
    settings = ["--set", "cleanup.policy=compact", "--set", "segment.bytes=104857600", "--set", "min.cleanable.dirty.ratio=0.01"]
    with machine.filled_page_cache(work), start(name, options, work) as server:
        probe = ["produce", "-b", server.bootstrap, "--log", "other", "--create", "--partitions", 1, "--record-bytes", 1024,
                 "--batch-records", 1, "--connections", 1, "--in-flight", 100, "--rate", 500, "--warmup", 0]
        bench(options, *probe, "--seconds", 5)
        quiet = bench(options, *probe, "--seconds", 10)
        records = int(options.gigabytes * 1e9 / 1024)
        # Held back until all is written, so that what is measured is one compaction of all of it.
        fill = ["produce", "-b", server.bootstrap, "--log", "keyed", "--create", "--partitions", 1, "--record-bytes", 1024,
                "--batch-bytes", 65536, "--connections", 4, "--keys", 1_000_000, "--records", records, "--seconds", 100_000,
                "--warmup", 0, *settings, "--set", "min.compaction.lag.ms=3600000"]
        bench(options, *fill)
        written = log_bytes(server)
        machine.settle(work)
        before = machine.Reading.take(server.pid, work)
        subprocess.run([str(options.server_binary), "log", "alter", "-b", server.bootstrap, "keyed", "--set", "min.compaction.lag.ms=0"],
                       check=True, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        probing = bench(options, *probe, "--seconds", options.compaction_probe_seconds, wait=False)
        peak, last, still = 0, written, time.monotonic()
        # Over when the log is as small as its keys, and nothing has changed for a while.
        while time.monotonic() - still < 8 or log_bytes(server) > 0.5 * written:
            peak = max(peak, machine.memory_bytes(server.pid, "VmRSS"))
            now = log_bytes(server)
            if now != last:
                last, still = now, time.monotonic()
            if time.monotonic() - began > 600:
                raise servers.ServerError(f"{written} bytes were {last} after 600 s")
            time.sleep(0.1)
        seconds = still - began
        busy = ended(probing)
        machine.settle(work)
        used = before.until(machine.Reading.take(server.pid, work))
        return {"gigabytes": written / 1e9, "left_gigabytes": last / 1e9, "seconds": seconds,
                "cpu_per_gb": used["machine_less_client"] / (written / 1e9), "rss_peak_mib": peak / (1 << 20),
                "produce_p99_quiet_ms": quiet["latency_ms"]["p99"], "produce_p99_ms": busy["latency_ms"]["p99"]}


MEASURES = {"commits": commits, "rebalance": rebalance, "start": coordinator_start, "compaction": compaction}


def table(results):
    lines = []
    for measure, by_server in results["runs"].items():
        names = sorted({key for runs in by_server.values() for run in runs for key, value in run.items() if not isinstance(value, list)})
        lines += [f"## {measure}", "", "| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for server, runs in by_server.items():
            cells = [f"{statistics.median(run[key] for run in runs):.4g}" for key in names]
            lines.append(f"| {server}, median of {len(runs)} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server-binary", type=pathlib.Path, required=True)
    parser.add_argument("--measures", default=",".join(MEASURES), help=f"comma separated, of {', '.join(MEASURES)}")
    parser.add_argument("--servers", default="kafka,pyralog")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warm-up-seconds", type=float, default=4)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--history-settle-seconds", type=float, default=30)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--compaction-probe-seconds", type=float, default=20)
    parser.add_argument("--server-cpu", default="0")
    parser.add_argument("--client-cpu", default="1")
    parser.add_argument("--kafka-dist", default=servers.KAFKA_DIST_DEFAULT)
    parser.add_argument("--python", type=pathlib.Path, default=servers.REPOSITORY / "build" / "kafka-clients" / "venv" / "bin" / "python",
                        help="one that has confluent-kafka")
    parser.add_argument("--data-root", type=pathlib.Path, default=servers.REPOSITORY / "build" / "compare")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    options.server_binary = options.server_binary.resolve()
    options.out = options.out or options.data_root
    options.data_root.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    results = {"runs": {}}
    for pair in range(options.pairs):
        order = options.servers.split(",")
        for name in order if pair % 2 == 0 else reversed(order):
            for measure in options.measures.split(","):
                work = pathlib.Path(tempfile.mkdtemp(prefix=f"groups-{name}-", dir=options.data_root))
                try:
                    found = MEASURES[measure](name, options, work)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
                results["runs"].setdefault(measure, {}).setdefault(name, []).append(found)
                print(name, measure, json.dumps(found), flush=True)
                (options.out / "groups.json").write_text(json.dumps(results, indent=1))
    (options.out / "groups.md").write_text(table(results))
    print(table(results))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except servers.ServerError as error:
        sys.exit(str(error))
