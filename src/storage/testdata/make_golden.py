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


# A journal file with blocks of 512 bytes: its header twice, a round of nearly every kind, the EMPTY round that proves it, and
# one with a PARTITION.
DISK = bytes(range(1, 17))
SALT = 0x1122334455667788
STATE_BYTES = (HERE / "log_state_v1.bin").read_bytes()


def journal_header(shard, salt, first, generation, block):
    head = b"PYRJRNL1" + struct.pack("<II", 1, shard) + DISK + struct.pack("<QQQI", salt, first, generation, block)
    return head + struct.pack("<I", crc32c(head))


def record_batch(base, epoch, records):
    body = struct.pack(">hiqqqhii", 0, 0, SEEN, SEEN, -1, -1, -1, 1) + records
    return struct.pack(">qiibI", base, 9 + len(body), epoch, 2, crc32c(body)) + body


def descriptor(kind, incarnation, segment=0, position=0, length=0, place=0, crc=0, value=0, batch=None):
    own = batch[:21] if batch is not None else (b"\0" + struct.pack("<Iq", crc, value)).ljust(21, b"\0")
    return (struct.pack("<BBB", kind, batch is not None, 0) + own +
            struct.pack("<QqQII", incarnation, segment, position, length, place))


def journal_round(salt, sequence, position, entries, block):
    """Entries: kind, fields, payload. Payloads lie one after another behind the descriptors, from a sector's start."""
    place = -(-(64 + 56 * len(entries)) // 512) * 512
    descriptors, payloads = b"", b""
    for kind, fields, payload in entries:
        if payload:
            fields = dict(fields, length=len(payload), place=place + len(payloads))
            if "batch" not in fields:
                fields["crc"] = crc32c(payload)
            payloads += payload
        descriptors += descriptor(kind, **fields)
    length = -(-(place + len(payloads)) // block) * block if payloads else -(-(64 + len(descriptors)) // block) * block
    head = struct.pack("<QQQQI", salt, sequence, position, length, len(entries)).ljust(56, b"\0")
    crc = crc32c(head + descriptors)
    return ((struct.pack("<4sI", b"PRND", crc) + head + descriptors).ljust(place, b"\0") + payloads).ljust(length, b"\0")


BATCH_41 = record_batch(7, 5, b"\x0c\0\0\0\x01\x01\0")
CREATE = struct.pack("<BQQqQq", 0, 1 << 20, 100_000, 10_000_000, 2**64 - 1, 5_000_000_000) + b"logs/orders/3"
header = journal_header(3, SALT, 41, 2, 512).ljust(512, b"\0")
first = journal_round(SALT, 41, 1024, [
    (6, dict(incarnation=9, value=7), CREATE),
    (2, dict(incarnation=9, segment=0, position=512), b"the start of a block"),
    (1, dict(incarnation=9, segment=0, position=532, batch=BATCH_41), BATCH_41),
    (1, dict(incarnation=10, segment=4, position=100), b"a head"),
    (3, dict(incarnation=10, segment=4, position=512, length=1024, crc=0xCAFE), b""),
    (4, dict(incarnation=11, segment=20, position=61, value=25), b""),
    (5, dict(incarnation=12, segment=4, value=5), STATE_BYTES),
    (8, dict(incarnation=1, position=6), b"term 8"),
    (7, dict(incarnation=13), b""),
], 512)
second = journal_round(SALT, 42, 1024 + len(first), [(9, dict(incarnation=0), b"")], 512)


def checkpoint(sequence, shown, redo_from, generation, shard, flags, partitions, states, block):
    body = struct.pack("<IQQQQ", 1, 96 + sum(map(len, partitions + states)), sequence, shown, redo_from) + DISK
    body += struct.pack("<QIIIIQ", generation, shard, flags, len(partitions), len(states), block)
    body += b"".join(partitions + states)
    file = b"PYRRCCK1" + struct.pack("<I", crc32c(body)) + body
    return file.ljust(-(-len(file) // block) * block, b"\0")


def checkpoint_partition(incarnation, redo, start, durability, directory, segments, mark, state):
    out = struct.pack("<QQqBH", incarnation, redo, start, durability, len(directory)) + directory
    out += struct.pack("<QQqQq", 1 << 20, 100_000, 10_000_000, 2**64 - 1, 5_000_000_000)
    out += struct.pack("<I", len(segments)) + b"".join(struct.pack("<qQQB", *segment) for segment in segments)
    out += struct.pack("<B", mark is not None) + (struct.pack("<qQqQ", *mark) if mark else b"")
    return out + state


CACHED = checkpoint_partition(
    14, 2**64 - 1, 0, 1, b"logs/clicks/0", [(0, 900, 900, 1), (4, 95, 64, 1)], (4, 64, 4, 0), STATE_BYTES)
third = journal_round(SALT, 43, 1024 + len(first) + len(second), [(10, dict(incarnation=14), CACHED)], 512)
write("journal_v1.journal", header + header + first + second + third)

write("checkpoint_v1.checkpoint", checkpoint(77, 42, 40, 2, 3, 1, [
    checkpoint_partition(9, 40, 1, 0, b"logs/orders/3", [(1, 0, 0, 0)], None, STATE_BYTES),
    CACHED,
], [struct.pack("<QQI", 1, 6, 6) + b"term 8"], 512))
