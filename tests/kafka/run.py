#!/usr/bin/env python3
"""Runs unmodified Kafka clients against a server: Pyralog by default, Apache Kafka to prove the suites themselves.

    run.py --server-binary build/release/pyralog [--only kcat,sarama]     starts the server on a temporary directory
    run.py --bootstrap 127.0.0.1:9092                                     uses a server that runs
    run.py --apache [--as-pyralog]                                        Apache Kafka, optionally narrowed to our APIs

setup.sh installs the clients. Exits with 0 when every check of every client that was asked for passed.
"""

import argparse
import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(REPOSITORY / "bench" / "compare"))

import api_filter  # noqa: E402
import servers  # noqa: E402

CLIENT_SECONDS_MAX = 420
SETTINGS = {"groups.initial_rebalance_delay": "0ms"}  # as Kafka's own configuration for trying it out has it
PYRALOG_DEFAULT = REPOSITORY / "build" / "release" / "pyralog"

Client = collections.namedtuple("Client", "name needs command")
GROUPS = "groups-"  # the clients in groups: their suite drives members of its own, and may ask for the server to be killed


def python_suite(file):
    return lambda dist: [dist / "venv" / "bin" / "python", HERE / "clients" / file]


CLIENTS = [
    Client("kcat", ["kcat"], lambda _: [sys.executable, HERE / "clients" / "kcat_suite.py"]),
    Client("confluent-kafka", ["part:venv"], python_suite("confluent_suite.py")),
    Client("kafka-python", ["part:venv"], python_suite("kafka_python_suite.py")),
    Client("aiokafka", ["part:venv"], python_suite("aiokafka_suite.py")),
    Client("java", ["java", "part:java"],
           lambda dist: ["java", "-Xmx256M", "-cp", f"{dist}/java/classes:{dist}/java/libs/*", "Suite"]),
    Client("kafka-tools", ["java", "part:java"],
           lambda dist: [sys.executable, HERE / "clients" / "tools_suite.py", "--libs", dist / "java" / "libs"]),
    Client("kafkajs", ["node", "kcat", "part:node"], lambda dist: ["node", dist / "node" / "suite.mjs"]),
    Client("franz-go", ["part:go"], lambda dist: [dist / "go" / "franz"]),
    Client("sarama", ["part:go"], lambda dist: [dist / "go" / "sarama"]),
    Client("big-file", ["kcat", "part:venv"], python_suite("bigfile_suite.py")),
]
GROUP_NEEDS = {"java": ["java", "part:java"], "confluent-kafka": [], "kafka-python": [], "aiokafka": [],
               "kafkajs": ["node", "part:node"], "franz-go": ["part:go"], "sarama": ["part:go"], "kcat": ["kcat"],
               "mixed": ["java", "part:java", "part:go"], "pyralog-cli": []}


def group_suite(kind):
    return lambda dist: [*python_suite("group_suite.py")(dist), "--client", kind, "--clients", dist]


CLIENTS += [Client(GROUPS + "kafka-tools", ["java", "part:java"],
                   lambda dist: [sys.executable, HERE / "clients" / "tools_group_suite.py", "--libs", dist / "java" / "libs"])]
CLIENTS += [Client(GROUPS + kind, ["part:venv", *needs], group_suite(kind)) for kind, needs in GROUP_NEEDS.items()]
CLIENTS.append(Client("connect", ["java", "part:java"],
                      lambda dist: [sys.executable, HERE / "clients" / "connect_suite.py", "--libs", dist / "java" / "libs"]))
READS_FILES = "kafka-tools"
NAMES = [client.name for client in CLIENTS]


def missing(client, dist):
    for need in client.needs:
        kind, _, part = need.partition(":")
        if kind == "part":
            if not (dist / part / "complete").exists():
                return f"{dist}/{part} is not there: run tests/kafka/setup.sh"
        elif shutil.which(need) is None:
            return f"{need} is not installed"
    return None


def run_client(client, bootstrap, arguments, server=None):
    """Runs one suite; prints what it prints; returns (passed, failed, problem). `server` is ours, if the suite may kill it."""
    dist, check = arguments.clients, arguments.check
    why = missing(client, dist)
    if why:
        return 0, 0, why
    command = [str(part) for part in client.command(dist)] + ["--bootstrap", bootstrap] + (["--check", check] if check else [])
    if client.name == READS_FILES and server:
        command += ["--data-dir", str(server.data_dir)]
    if client.name.removeprefix(GROUPS) in GROUP_NEEDS and client.name.startswith(GROUPS) and server:
        command += ["--can-restart"]
    if client.name == GROUPS + "pyralog-cli":
        command += ["--pyralog", str(pathlib.Path(arguments.server_binary or PYRALOG_DEFAULT).resolve())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    timed_out = []

    def stop(*_):
        timed_out.append(True)
        os.killpg(process.pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(CLIENT_SECONDS_MAX)
    passed = failed = 0
    done = None
    for line in process.stdout:
        print(f"[{client.name}] {line}", end="", flush=True)
        passed += line.startswith("PASS ")
        failed += line.startswith("FAIL ")
        done = line.split() if line.startswith("DONE ") else done
        if line == "ASK restart-server\n":
            server.kill()
            server.start()
            process.stdin.write("done\n")
            process.stdin.flush()
    status = process.wait()
    signal.alarm(0)
    process.stdin.close()
    if timed_out:
        return passed, failed, f"killed after {CLIENT_SECONDS_MAX} s"
    if done != ["DONE", f"passed={passed}", f"failed={failed}"]:
        return passed, failed, f"the suite ended with status {status} before it was done"
    if passed == 0:
        return passed, failed, "no check ran"
    if status != 0 and failed == 0:
        return passed, failed, f"the suite ended with status {status}"
    return passed, failed, None


def run_clients(arguments, bootstrap, server=None):
    chosen = arguments.only.split(",") if arguments.only else NAMES
    results = []
    for client in CLIENTS:
        if client.name in chosen:
            started = time.monotonic()
            results.append((client.name, *run_client(client, bootstrap, arguments, server),
                            time.monotonic() - started))
    print()
    good = True
    for name, passed, failed, problem, seconds in results:
        verdict = "ok" if failed == 0 and problem is None else "FAILED"
        good = good and verdict == "ok"
        print(f"{verdict:7}{name:18}{passed:4} passed {failed:4} failed {seconds:7.1f} s  {problem or ''}")
    return good


def run_on_server(arguments, work):
    if arguments.bootstrap:
        return run_clients(arguments, arguments.bootstrap)
    if arguments.server_binary:
        server = servers.PyralogServer(work, arguments.server_binary, settings=SETTINGS)
        with server.start():
            good = run_clients(arguments, server.bootstrap, server)
            ended = server.process.poll()
            if ended is not None:
                print(f"FAILED the server ended with status {ended} during the run; log: {server.log_path}")
                good = False
        return good
    narrow = api_filter.ApiFilter().listen() if arguments.as_pyralog else None
    libs = servers.kafka_dist(arguments.kafka_dist)
    with servers.KafkaServer(work, libs, advertise=narrow.bootstrap if narrow else None).start() as server:
        if narrow:
            narrow.upstream = server.bootstrap
        good = run_clients(arguments, narrow.bootstrap if narrow else server.bootstrap, server)
    if narrow:
        for (key, version), count in sorted(collections.Counter(narrow.refused).items()):
            print(f"NOTE API {key} version {version} is not offered and was asked for {count} times")
        narrow.close()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--bootstrap", help="HOST:PORT of a server that runs")
    where.add_argument("--server-binary", help="the pyralog binary to start")
    where.add_argument("--apache", action="store_true", help="start Apache Kafka")
    parser.add_argument("--as-pyralog", action="store_true", help="with --apache: only the APIs that Pyralog offers")
    parser.add_argument("--only", help=f"clients, comma separated: {', '.join(NAMES)}")
    parser.add_argument("--check", help="only checks whose name contains this")
    parser.add_argument("--clients", type=pathlib.Path, default=REPOSITORY / "build" / "kafka-clients",
                        help="where setup.sh put the clients (default build/kafka-clients)")
    parser.add_argument("--kafka-dist", type=pathlib.Path, default=servers.KAFKA_DIST_DEFAULT)
    parser.add_argument("--keep", action="store_true", help="keep the server's directory, and say where it is")
    arguments = parser.parse_args()
    unknown = set((arguments.only or NAMES[0]).split(",")) - set(NAMES)
    if unknown:
        parser.error(f"unknown client: {', '.join(sorted(unknown))}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="pyralog-clients-"))
    good = False
    try:
        good = run_on_server(arguments, work)
    except servers.ServerError as error:
        print(error)
    finally:
        if good and not arguments.keep:
            shutil.rmtree(work, ignore_errors=True)
        elif not arguments.bootstrap:
            print(f"the server's log and data: {work}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
