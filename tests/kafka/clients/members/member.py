"""What the members in Python share: their arguments, the lines that they print, and the command to leave.

A member is one process that consumes a topic in a group and prints a line for whatever happens to it:

    + MS TOPIC/P TOPIC/P    partitions that it owns from now on; MS is the time in milliseconds since 1970
    - MS TOPIC/P            partitions that it no longer owns
    R TOPIC/P OFFSET VALUE  a record; it is committed before the next ones are asked for
    ! TEXT                  what its client complains about

It leaves its group and ends once its standard input ends. Members in other languages take the same arguments and print the same.
"""

import argparse
import sys
import threading
import time

HEARTBEAT_MS = 300
SAYING = threading.Lock()


def arguments(*strategies):
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--strategy", required=True, choices=strategies)
    parser.add_argument("--session-ms", type=int, required=True)
    parser.add_argument("--instance", help="group.instance.id: a static member")
    return parser.parse_args()


def say(*words):
    """One line, in one write: several threads may have something to say."""
    with SAYING:
        print(" ".join(map(str, words)), flush=True)


def gained(partitions):
    say("+", int(time.time() * 1000), *(f"{p.topic}/{p.partition}" for p in partitions))


def gave_up(partitions):
    say("-", int(time.time() * 1000), *(f"{p.topic}/{p.partition}" for p in partitions))


def record(topic, partition, offset, value):
    say("R", f"{topic}/{partition}", offset, value.decode())


def complain(error):
    say("!", type(error).__name__, " ".join(str(error).split()))


def leave_asked():
    """An event that is set once standard input ends."""
    asked = threading.Event()

    def wait():
        sys.stdin.read()
        asked.set()

    threading.Thread(target=wait, daemon=True).start()
    return asked
