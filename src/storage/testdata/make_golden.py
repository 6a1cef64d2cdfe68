#!/usr/bin/env python3
"""Writes the golden files of this folder from the tables in log_format.md, independently of the C++ code."""
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def producer(id_, seen, epoch, forgot, batches):
    out = struct.pack("<qqhBB", id_, seen, epoch, forgot, len(batches))
    return out + b"".join(struct.pack("<iiqq", *batch) for batch in batches)


def producers(entries):
    return struct.pack("<I", len(entries)) + b"".join(producer(*entry) for entry in entries)


def snapshot(offset, epoch, table):
    head = b"PYPRSNP1" + struct.pack("<Iqi", 1, offset, epoch)
    return head + struct.pack("<I", crc32c(head + bytes(4) + table)) + table


def log_state(flags, end, segment, peak, peak_base, appended, started, since, snapshot_offset, epochs, table):
    out = struct.pack("<BBqqqqqqQq", 1, flags, end, segment, peak, peak_base, appended, started, since, snapshot_offset)
    out += struct.pack("<I", len(epochs)) + b"".join(struct.pack("<iq", *row) for row in epochs)
    return out + table


def write(name, data):
    (HERE / name).write_bytes(data)


SEEN = 1_700_000_000_000
write("producers_v1.snapshot", snapshot(31, 4, producers([
    (3, SEEN + 200, 9, 1, []),
    (7, SEEN + 6, 0, 1, [(i, i, 10 + i, 5010 + i) for i in range(2, 7)]),
    (1_000_000_000_000, SEEN + 100, 2, 0, [(2**31 - 1, 1, 20, 5022)]),
])))

write("log_state_v1.bin", log_state(7, 6, 4, 78, 4, SEEN, SEEN, 95, 2, [(5, 0), (6, 4)], producers([
    (0, 100, 0, 0, [(0, 1, 0, 901)]),
    (1, 100, 0, 0, [(0, 1, 2, 902)]),
])))


def index_block(kind, base, entries):
    body = struct.pack("<BBHq", kind, 1, len(entries), base) + b"".join(entries)
    body = body.ljust(4092, b"\0")
    return struct.pack("<I", crc32c(body)) + body


def index_file(magic, kind, per_block, base, end, end_position, peak, peak_base, appended, entries):
    def header(crc):
        return magic + struct.pack("<IIqqQIIqqq", 1, crc, base, end, end_position, len(entries), 0, peak, peak_base, appended)
    blocks = [index_block(kind, base, entries[i:i + per_block]) for i in range(0, len(entries), per_block)]
    return header(crc32c(header(0))).ljust(4096, b"\0") + b"".join(blocks)


# 300 batches of two records and 5,079 bytes, ten milliseconds apart.
BATCH = 61 + 2 * (2 + 7 + 2500)
TAIL = (1000, 1600, 300 * BATCH, SEEN + 2991, 1598, SEEN + 9000)
write("segment_v1.index", index_file(b"PYPRIDX1", 1, 204, *TAIL, [
    struct.pack("<qQI", 1000 + 2 * i, i * BATCH, BATCH) for i in range(300)]))
write("segment_v1.timeindex", index_file(b"PYPRTIM1", 2, 255, *TAIL, [
    struct.pack("<qq", SEEN + 10 * i + 1, 1000 + 2 * i) for i in range(300)]))
