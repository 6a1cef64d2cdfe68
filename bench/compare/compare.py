#!/usr/bin/env python3
"""Apache Kafka and Pyralog under the same load, in turn, on this machine and disk: costs, medians and ratios.

The server is pinned to one CPU and the load to another. A pair is one pass over all scenarios with each server, freshly started on
an empty folder; which server goes first alternates. Each scenario is warmed up before it is measured. After the load has ended the
file system is synced within the measurement, because Kafka leaves its writing to the kernel.

The load is `pyralog bench`, the same for every server; --load takes another command, with the placeholders {bootstrap} {topic}
{partitions} {record_bytes} {batch_bytes} {connections} {in_flight} {acks} {rate} {seconds} {settings}, that prints one JSON object
with requests, records, bytes, seconds and latency_ms {p50, p99, p999, max}.

With --limit-binary, bench/limit runs beside the two: limit-1 writes each byte once, limit-2 twice.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

import machine
import servers

HERE = pathlib.Path(__file__).resolve().parent
PRODUCE = ("{binary} bench produce -b {bootstrap} --log {topic} --create --partitions {partitions} --record-bytes {record_bytes} "
           "--batch-bytes {batch_bytes} --connections {connections} --in-flight {in_flight} --acks {acks} --rate {rate} "
           "--seconds {seconds} --warmup 0 -o json {settings}")
FETCH = "{binary} bench consume -b {bootstrap} --log {topic} --connections {connections} --repeat --seconds {seconds} --warmup 0 -o json"
END_TO_END = ("{binary} bench e2e -b {bootstrap} --log {topic} --create --partitions {partitions} --record-bytes {record_bytes} "
              "--batch-bytes {batch_bytes} --connections {connections} --acks {acks} --rate {rate} --seconds {seconds} --warmup 1 "
              "-o json {settings}")
LOAD_SECONDS_MAX = 300
WARM_UP_ROUNDS_MAX = 8
LIMIT_PARTITIONS = 16
BACKGROUND_SECONDS = 2  # how long the machine is watched without load before each run
FETCHED_BYTES = 2_000_000_000
FILL_SECONDS = 1
FETCH_SECONDS_MAX = 120  # for reading all of that once


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    partitions: int = 1
    record_bytes: int = 1024
    batch_bytes: int = 16384
    connections: int = 16
    in_flight: int = 5
    acks: str = "all"
    load: str = PRODUCE
    rate: float = 0        # records per second, each request sent when it is due; 0: as fast as answers come
    of_saturation: float = 0  # instead: this part of what Kafka takes at most
    settings: str = ""     # of the log
    has_floor: bool = True


SCENARIOS = {s.name: s for s in (
    Scenario("16k-1p"), Scenario("16k-16p", partitions=16),
    Scenario("64k-1p", batch_bytes=65536), Scenario("64k-16p", partitions=16, batch_bytes=65536),
    Scenario("100b-100c", record_bytes=100, batch_bytes=100, connections=100, in_flight=1),
    Scenario("100b-16k", record_bytes=100, connections=4),
    Scenario("1k-1000p", partitions=1000, batch_bytes=1024, in_flight=20, of_saturation=0.5, has_floor=False),
    Scenario("cached", batch_bytes=1024, connections=1, rate=10_000, load=END_TO_END, settings="--set write.caching=true",
             has_floor=False),
    Scenario("fetch", connections=4, load=FETCH, has_floor=False),
)}

# Figures of a table: key, heading, format. Costs: less is better.
COLUMNS = (("mb_per_second", "MB/s", ".0f"), ("requests_per_second", "requests/s", ".0f"),
           ("server_cpu_per_gb", "CPU s/GB, server alone", ".2f"), ("cpu_per_gb", "CPU s/GB, server and kernel", ".2f"),
           ("cpu_per_gb_machine", "CPU s/GB, machine less client", ".2f"),
           ("requests_per_cpu_second", "requests per CPU s", ".0f"), ("us_per_record", "CPU µs/record", ".2f"), ("p50_ms", "p50 ms", ".2f"), ("p99_ms", "p99 ms", ".2f"), ("max_ms", "max ms", ".1f"),
           ("tail_p99_ms", "read p99 ms", ".2f"),
           ("device_per_byte", "device bytes per byte", ".2f"), ("rss_mib", "RSS MiB", ".0f"), ("others_share", "others' CPU", ".0%"))


def start(name, options, work):
    if name == "kafka":
        properties = dict(setting.split("=", 1) for setting in options.kafka_set)
        return servers.KafkaServer(work, servers.kafka_dist(options.kafka_dist, options.kafka_version), options.server_cpu,
                                   properties).start()
    if name.startswith("limit-"):
        return servers.LimitServer(work, options.limit_binary, options.server_cpu, int(name[-1]), LIMIT_PARTITIONS).start()
    settings = {"node.shards": "1"} | dict(setting.split("=", 1) for setting in options.set)
    return servers.PyralogServer(work, options.server_binary, options.server_cpu, settings).start()


def run_load(options, scenario, bootstrap, topic, seconds, rate=0.0):
    values = {"binary": options.server_binary or options.client_binary, "bootstrap": bootstrap, "topic": topic, "seconds": seconds,
              **dataclasses.asdict(scenario), "rate": rate}
    template = options.load or scenario.load
    command = servers.pinned([part.format(**values) for part in shlex.split(template)], options.client_cpu)
    command = [word for part in command for word in (part.split() if " " in part else [part]) if word]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + LOAD_SECONDS_MAX)
    if done.returncode != 0:
        raise servers.ServerError(f"the load failed: {' '.join(command)}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return flat(json.loads(done.stdout[done.stdout.index("{"):]))


def flat(load):
    """An end-to-end load reports its two sides: the produce side counts, the age at which records were read stands beside it."""
    return load | {"tail_ms": load["tail"]["latency_ms"]} if "tail" in load else load


def prepare(options, server, name, scenario, topic, results):
    """Warms up, and returns the rate to measure at."""
    if scenario.load == FETCH:
        fill = dataclasses.replace(SCENARIOS["64k-16p"], name="fill")
        written = 0
        while written < FETCHED_BYTES:
            written += run_load(options, fill, server.bootstrap, topic, FILL_SECONDS)["bytes"]
        # Once to the end, so that all of it is in the page cache: what was written past it is not.
        whole = dataclasses.replace(scenario, load=FETCH.replace(" --repeat", ""))
        run_load(options, whole, server.bootstrap, topic, FETCH_SECONDS_MAX)
        run_load(options, scenario, server.bootstrap, topic, options.warm_up_seconds)
        return 0
    warm = rounds = 0
    while rounds == 0 or (warm < options.warm_up_requests and rounds < WARM_UP_ROUNDS_MAX):
        done = run_load(options, scenario, server.bootstrap, topic, options.warm_up_seconds, scenario.rate)
        warm += done["requests"]
        rounds += 1
    if not scenario.of_saturation:
        return scenario.rate
    if name == "kafka":
        results["saturation"].setdefault(scenario.name, done["records"] / done["seconds"])
    if scenario.name not in results["saturation"]:
        raise servers.ServerError(f"{scenario.name} needs Kafka's saturation first: run it with Kafka")
    return scenario.of_saturation * results["saturation"][scenario.name]


def measure(options, server, name, scenario, results):
    if name != "pyralog":
        scenario = dataclasses.replace(scenario, settings="")  # nobody else has them
    topic = f"{scenario.name}-{uuid.uuid4().hex[:6]}"
    # A JVM compiles what ran often enough, so warm is a matter of requests; on a machine that is busy they take longer.
    rate = prepare(options, server, name, scenario, topic, results)
    machine.settle(server.data_dir)
    idle = machine.Reading.take(server.pid, server.data_dir)
    time.sleep(BACKGROUND_SECONDS)
    background = idle.until(machine.Reading.take(server.pid, server.data_dir))
    before = machine.Reading.take(server.pid, server.data_dir)
    load = run_load(options, scenario, server.bootstrap, topic, options.seconds, rate)
    ended = machine.Reading.take(server.pid, server.data_dir)
    machine.settle(server.data_dir)
    used = before.until(machine.Reading.take(server.pid, server.data_dir))
    gigabytes = max(load["bytes"], 1) / 1e9
    # What kernel threads do anyway is not the server's.
    kernel = max(0.0, used["kernel_threads"] - background["kernel_threads"] * used["seconds"] / background["seconds"])
    cost = used["server"] + kernel
    return {"load": load, "background": background, "used": used, "used_until_load_ended": before.until(ended), "figures": {
        "mb_per_second": load["bytes"] / 1e6 / load["seconds"], "requests_per_second": load["requests"] / load["seconds"],
        "server_cpu_per_gb": used["server"] / gigabytes, "cpu_per_gb": cost / gigabytes, "cpu_per_gb_machine": used["machine_less_client"] / gigabytes,
        "requests_per_cpu_second": load["requests"] / max(cost, 0.01),
        "us_per_record": cost / load["records"] * 1e6,
        "p50_ms": load["latency_ms"]["p50"], "p99_ms": load["latency_ms"]["p99"], "max_ms": load["latency_ms"]["max"],
        "tail_p99_ms": load.get("tail_ms", {}).get("p99", 0.0),
        "device_per_byte": used["device_bytes"] / load["bytes"], "rss_mib": machine.memory_bytes(server.pid, "VmRSS") / (1 << 20),
        "others_share": max(0.0, used["others"]) / (used["seconds"] * os.cpu_count())}}


def run_pass(options, name, scenarios, results):
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"compare-{name}-", dir=options.data_root))
    try:
        started = time.monotonic()
        with start(name, options, work) as server:
            ready = time.monotonic() - started
            idle = machine.memory_bytes(server.pid, "VmRSS")
            results["starts"].append({"server": name, "seconds": ready, "idle_rss_mib": idle / (1 << 20)})
            for scenario in scenarios:
                if name.startswith("limit-") and not scenario.has_floor:
                    continue
                result = measure(options, server, name, scenario, results)
                results["runs"].append({"server": name, "scenario": scenario.name, **result})
                shown = result["figures"]
                print(f"{name:8}{scenario.name:12}{shown['mb_per_second']:8.1f} MB/s {shown['requests_per_second']:8.0f} req/s "
                      f"{shown['cpu_per_gb']:8.2f} CPU s/GB {shown['requests_per_cpu_second']:9.0f} req/CPU s   "
                      f"others {shown['others_share']:.0%}", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def medians(results, server, scenario):
    runs = [run["figures"] for run in results["runs"] if run["server"] == server and run["scenario"] == scenario]
    return {key: statistics.median(run[key] for run in runs) for key, _, _ in COLUMNS} if runs else None


def table(results, scenarios, names):
    lines = [f"{results['machine']}; {results['date']}; {results['kafka']}; {results['pairs']} runs of {results['seconds']:g} s each; "
             "medians.", "", "| Load | Server | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |",
             "|---|---|" + "---|" * len(COLUMNS)]
    for scenario in scenarios:
        found = {name: medians(results, name, scenario.name) for name in names}
        for name in names:
            if found[name]:
                cells = " | ".join(format(found[name][key], form) for key, _, form in COLUMNS)
                lines.append(f"| {scenario.name} | {name} | {cells} |")
        for other in [name for name in names if name != "pyralog"]:
            if found.get(other) and found.get("pyralog"):
                lines.append(f"| {scenario.name} | pyralog / {other} | " + " | ".join(
                    format(found["pyralog"][key] / found[other][key], ".2f") if found[other][key] else "-"
                    for key, _, _ in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server-binary", help="the pyralog binary; without it only Kafka is measured")
    parser.add_argument("--no-kafka", action="store_true", help="measure Pyralog only")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help=f"comma separated, of {', '.join(SCENARIOS)}")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up-seconds", type=float, default=10)
    parser.add_argument("--warm-up-requests", type=int, default=60_000, help="warm-up is repeated until this many were answered")
    parser.add_argument("--nice", type=int, help="niceness of server and load, for a machine that others use too (needs root)")
    parser.add_argument("--server-cpu", default="0")
    parser.add_argument("--client-cpu", default="1")
    parser.add_argument("--client-binary", help="the pyralog binary whose bench makes the load (default: the server's)")
    parser.add_argument("--limit-binary", help="bench/limit's program: measure the floor too")
    parser.add_argument("--load", help="another load's command line")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of Pyralog")
    parser.add_argument("--kafka-set", action="append", default=[], metavar="KEY=VALUE", help="a broker property of Kafka")
    parser.add_argument("--kafka-version")
    parser.add_argument("--kafka-dist", type=pathlib.Path, default=servers.KAFKA_DIST_DEFAULT)
    parser.add_argument("--data-root", type=pathlib.Path, default=servers.REPOSITORY / "build" / "compare",
                        help="the servers' folders are made here, on the disk to be measured")
    parser.add_argument("--out", type=pathlib.Path, help="where results.json and results.md go (default: the data root)")
    options = parser.parse_args()
    unknown = set(options.scenarios.split(",")) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}")
    if not options.load and not options.server_binary and not options.client_binary:
        parser.error("who makes the load? Give --server-binary, --client-binary or --load")
    if options.no_kafka and not options.server_binary:
        parser.error("nothing to measure: --no-kafka without --server-binary")
    return options


def take_precedence(nice):
    """Sets the niceness that everything started from here on inherits. Where the kernel groups processes by session, what counts is
    the niceness of the session, so a session of its own is begun."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    group = pathlib.Path("/proc/self/autogroup")
    if group.exists():
        try:
            os.setsid()
        except PermissionError:
            pass  # leads a session already
        group.write_text(str(nice))


def main():
    options = parse()
    if options.nice is not None:
        take_precedence(options.nice)
    out = options.out or options.data_root
    for folder in (options.data_root, out):
        folder.mkdir(parents=True, exist_ok=True)
    scenarios = [SCENARIOS[name] for name in options.scenarios.split(",")]
    names = ([] if options.no_kafka else ["kafka"]) + (["pyralog"] if options.server_binary else [])
    names += ["limit-1", "limit-2"] if options.limit_binary else []
    results = {"machine": f"{os.cpu_count()} CPUs, Linux {platform.release()}", "date": time.strftime("%Y-%m-%d"),
               "kafka": f"Apache Kafka {options.kafka_version or servers.pinned_kafka_version()}", "pairs": options.pairs,
               "seconds": options.seconds, "load": options.load or "pyralog bench", "runs": [], "starts": [],
               "saturation": {}}
    with contextlib.ExitStack() as held:
        for pair in range(options.pairs):
            for name in names if pair % 2 == 0 else reversed(names):
                # What earlier passes hold and nobody wanted is still held: only what the last one gave back is filled again.
                held.enter_context(machine.filled_page_cache(options.data_root))
                run_pass(options, name, scenarios, results)
                (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = table(results, scenarios, names)
    (out / "results.md").write_text(text)
    print("\n" + text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except servers.ServerError as error:
        sys.exit(str(error))
