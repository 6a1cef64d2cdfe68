#!/usr/bin/env python3
"""How long Pyralog takes from being started to being ready, and what it then holds in memory: empty, and after kill -9 with data.

Times are from the start of the process to its ready line, as whoever waits for it sees them. The data is written by the same
binary's bench; the kill comes while it is still being written to.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import machine
import servers


class Node:
    def __init__(self, binary, data_dir, cpu):
        command = servers.pinned([str(binary), "dev", "--data-dir", str(data_dir), "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0",
                                  "--rpc", "127.0.0.1:0"], cpu)
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.seconds = time.monotonic() - began
        if not line.startswith("ready "):
            raise servers.ServerError("no ready line: " + line + self.process.stderr.read())
        self.bootstrap = line.split("kafka=")[1].split()[0]

    def rss_kib(self):
        return machine.memory_bytes(self.process.pid, "VmRSS") / 1024

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(60)
        self.process.stdout.close()
        self.process.stderr.close()


def load(options, node, log, partitions, total_bytes, background=False):
    command = servers.pinned([str(options.binary), "bench", "produce", "-b", node.bootstrap, "--log", log, "--create", "--partitions",
                              str(partitions), "--record-bytes", "1024", "--batch-bytes", "65536", "--connections", "8",
                              "--records", str(int(total_bytes / 1024)), "--seconds", "100000", "--warmup", "0", "-o", "json"],
                             options.client_cpu)
    if background:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return None


def empty_starts(options, folder):
    seconds, memory = [], []
    for run in range(options.runs):
        node = Node(options.binary, folder / f"empty-{run}", options.server_cpu)
        seconds.append(node.seconds)
        time.sleep(0.5)
        memory.append(node.rss_kib())
        node.end()
    return {"ready_ms": [s * 1e3 for s in seconds], "rss_mib": statistics.median(memory) / 1024}


def idle_partitions(options, folder, count):
    data = folder / f"idle-{count}"
    node = Node(options.binary, data, options.server_cpu)
    before = node.rss_kib()
    subprocess.run([str(options.binary), "log", "create", "-b", node.bootstrap, "many", "--partitions", str(count)], check=True,
                   stdout=subprocess.DEVNULL)
    node.end()
    node = Node(options.binary, data, options.server_cpu)
    time.sleep(0.5)
    after = node.rss_kib()
    node.end()
    return {"partitions": count, "kib_per_partition": (after - before) / count, "ready_ms": node.seconds * 1e3}


def killed(options, folder, partitions):
    data = folder / f"killed-{partitions}"
    node = Node(options.binary, data, options.server_cpu)
    load(options, node, "many", partitions, options.gigabytes * 1e9)
    ready = []
    for _ in range(options.runs):
        writing = load(options, node, "many", partitions, 1e12, background=True)
        time.sleep(2)
        node.end(signal.SIGKILL)
        writing.kill()
        writing.wait()
        node = Node(options.binary, data, options.server_cpu)
        ready.append(node.seconds * 1e3)
    node.end()
    shutil.rmtree(data)
    return {"partitions": partitions, "gigabytes": options.gigabytes, "ready_ms": ready}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--partitions", default="1000,10000")
    parser.add_argument("--server-cpu", default=f"0-{os.cpu_count() - 1}", help="as taskset takes it (default: all)")
    parser.add_argument("--client-cpu", default="1")
    parser.add_argument("--data-root", type=pathlib.Path, default=servers.REPOSITORY / "build" / "compare")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    options.data_root.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="starts-", dir=options.data_root))
    try:
        results = {"cpus": os.cpu_count(), "empty": empty_starts(options, folder), "idle": idle_partitions(options, folder, 10_000),
                   "killed": [killed(options, folder, int(n)) for n in options.partitions.split(",") if n]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(results, indent=1))
    show = lambda values: f"median {statistics.median(values):.0f} ms of {len(values)} ({min(values):.0f} to {max(values):.0f})"
    print(f"empty: {show(results['empty']['ready_ms'])}, {results['empty']['rss_mib']:.1f} MiB resident")
    print(f"10,000 idle partitions: {results['idle']['kib_per_partition']:.2f} KiB each, ready in {results['idle']['ready_ms']:.0f} ms")
    for row in results["killed"]:
        print(f"killed with {row['gigabytes']:g} GB in {row['partitions']} partitions: {show(row['ready_ms'])}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except servers.ServerError as error:
        sys.exit(str(error))
