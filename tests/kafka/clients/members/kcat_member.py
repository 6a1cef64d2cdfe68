"""kcat -G (librdkafka 2.0) as a member of a group; see member.py. It commits by itself, ten times a second."""

import re
import signal
import subprocess
import threading
from collections import namedtuple

import member

Partition = namedtuple("Partition", "topic partition")
REBALANCED = re.compile(r"% Group \S+ rebalanced \(memberid [^)]*\): (assigned|revoked): (.*)")


def relay(lines):
    for line in lines:
        member.say(line.rstrip("\n"))


def watch(lines):
    for line in lines:
        found = REBALANCED.match(line)
        if not found:
            member.say("!", line.strip())
            continue
        partitions = [Partition(topic, partition) for topic, partition in re.findall(r"(\S+) \[(\d+)\]", found.group(2))]
        (member.gained if found.group(1) == "assigned" else member.gave_up)(partitions)


def main():
    arguments = member.arguments("range", "roundrobin")  # its rebalance callback is older than cooperation
    settings = {"partition.assignment.strategy": arguments.strategy, "session.timeout.ms": arguments.session_ms,
                "heartbeat.interval.ms": member.HEARTBEAT_MS, "auto.commit.interval.ms": 100, "auto.offset.reset": "earliest",
                "client.id": "kcat-member", "reconnect.backoff.max.ms": 500, "fetch.wait.max.ms": 100}
    if arguments.instance:
        settings["group.instance.id"] = arguments.instance
    command = ["kcat", "-b", arguments.bootstrap, "-G", arguments.group, "-u", "-E", "-f", "R %t/%p %o %s\\n"]
    for name, value in settings.items():
        command += ["-X", f"{name}={value}"]
    kcat = subprocess.Popen([*command, arguments.topic], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    watchers = [threading.Thread(target=relay, args=(kcat.stdout,)), threading.Thread(target=watch, args=(kcat.stderr,))]
    for watcher in watchers:
        watcher.start()

    def end():
        leave.wait()
        kcat.send_signal(signal.SIGTERM)

    leave = member.leave_asked()
    threading.Thread(target=end, daemon=True).start()
    kcat.wait()
    for watcher in watchers:
        watcher.join()


main()
