#!/usr/bin/env python3
"""Members of one consumer group, one confluent-kafka consumer each, that say when they got and gave up partitions.

One line on stdout for each event: `gained` or `gave`, the time (CLOCK_MONOTONIC, the same for all processes), the member's
number, the partitions. `end` on stdin ends them at once, without leaving the group.
"""

import argparse
import os
import sys
import threading
import time

from confluent_kafka import Consumer


def say(event, number, partitions):
    line = f"{event} {time.monotonic():.6f} {number} {','.join(str(p.partition) for p in partitions)}\n"
    os.write(1, line.encode())  # in one piece


def run_member(options, number):
    consumer = Consumer({"bootstrap.servers": options.bootstrap, "group.id": options.group, "client.id": f"member-{number}",
                         "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": options.session_ms,
                         "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 0})
    consumer.subscribe([options.topic], on_assign=lambda _, partitions: say("gained", number, partitions),
                       on_revoke=lambda _, partitions: say("gave", number, partitions),
                       on_lost=lambda _, partitions: say("gave", number, partitions))
    while True:
        consumer.poll(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--first", type=int, default=0, help="the first member's number")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--session-ms", type=int, default=45_000)
    options = parser.parse_args()
    for number in range(options.first, options.first + options.count):
        threading.Thread(target=run_member, args=(options, number), daemon=True).start()
    sys.stdin.readline()
    os._exit(0)


if __name__ == "__main__":
    main()
