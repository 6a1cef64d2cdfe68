#!/usr/bin/env python3
"""A load probe for any Kafka server: closed loop, frames built once, one thread. Prints one JSON object.

It measures what a server costs, not what a client can do: with frames that are built beforehand the client hardly computes, so
one core of it drives a server to its limit with batches of 16 KiB and more. `pyralog bench` is the load generator proper.
"""

import argparse
import collections
import json
import selectors
import struct
import sys
import time

import kafka_wire

READ_BYTES = 1 << 16
ACKS = {"0": 0, "1": 1, "all": -1}


class Connection:
    """A connection with at most `in_flight` requests unanswered. Its frames differ in partition and are sent in turn."""

    def __init__(self, bootstrap, frames, in_flight, error_position):
        self.socket = kafka_wire.connect(bootstrap)
        self.socket.setblocking(False)
        self.frames = frames
        self.turn = 0
        self.in_flight = in_flight
        self.error_position = error_position
        self.sent_at = collections.deque()
        self.unsent = memoryview(b"")
        self.received = b""

    def send(self, now):
        """Fills the window. True if the socket is full and has to become writable first."""
        while True:
            if self.unsent:
                try:
                    self.unsent = self.unsent[self.socket.send(self.unsent):]
                except BlockingIOError:
                    return True
                if self.unsent:
                    return True
            if len(self.sent_at) >= self.in_flight:
                return False
            self.unsent = self.frames[self.turn]
            self.turn = (self.turn + 1) % len(self.frames)
            self.sent_at.append(now)

    def receive(self, now, latencies):
        """Takes the answers that are there; their latencies are appended."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise RuntimeError("the server closed a connection")
        data = self.received + data if self.received else data
        at = 0
        while len(data) - at >= 4:
            size = int.from_bytes(data[at:at + 4], "big")
            if len(data) - at - 4 < size:
                break
            error = struct.unpack_from(">h", data, at + 4 + self.error_position)[0]
            if error != 0:
                raise RuntimeError(f"a produce request was answered with error {error}")
            latencies.append(now - self.sent_at.popleft())
            at += 4 + size
        self.received = data[at:]


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def drive(connections, seconds):
    """Runs the closed loop for `seconds`, then awaits what is in flight; returns (latencies, seconds taken)."""
    selector = selectors.DefaultSelector()
    clock = time.perf_counter
    latencies = []
    started = now = clock()
    end = started + seconds
    for connection in connections:
        full = connection.send(now)
        selector.register(connection.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if full else 0), [connection, full])
    open_until = end + 30
    while now < end or any(c.sent_at for c in connections):
        if now > open_until:
            raise RuntimeError("requests were not answered within 30 s of the end")
        events = selector.select(1)
        now = clock()
        for key, mask in events:
            connection, was_full = key.data
            if mask & selectors.EVENT_READ:
                connection.receive(now, latencies)
            full = connection.send(now) if now < end or connection.unsent else False
            if full != was_full:
                key.data[1] = full
                selector.modify(connection.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if full else 0), key.data)
    return latencies, now - started


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--record-bytes", type=int, default=1024, help="size of a record's value")
    parser.add_argument("--batch-bytes", type=int, default=16384, help="values of a batch, together; at least one record")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=5, help="requests of a connection that await their answers")
    parser.add_argument("--acks", choices=["1", "all"], default="all")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    kafka_wire.create_topic(options.bootstrap, options.topic, options.partitions)
    count = max(1, options.batch_bytes // options.record_bytes)
    # Text that does not repeat within a record, so that nothing on the way may shrink it by accident.
    value = bytes((i * 7 + i // 251) % 251 for i in range(options.record_bytes))
    batch = kafka_wire.record_batch([value] * count, int(time.time() * 1000))
    connections = []
    for number in range(options.connections):
        frames = [memoryview(kafka_wire.produce_request(options.topic, (number + p) % options.partitions, batch, ACKS[options.acks], 7))
                  for p in range(options.partitions)]
        connections.append(Connection(options.bootstrap, frames, options.in_flight, kafka_wire.produce_error_position(options.topic)))
    latencies, seconds = drive(connections, options.seconds)
    ordered = sorted(latencies)
    print(json.dumps({
        "requests": len(ordered), "records": len(ordered) * count, "bytes": len(ordered) * count * options.record_bytes,
        "seconds": seconds, "latency_ms": {name: None if not ordered else 1000 * percentile(ordered, share) for name, share in
                                           (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
