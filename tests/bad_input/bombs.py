"""Compressed payloads made by hand: small inputs that claim, or become, far more than a batch may."""

import gzip
import struct

import wire

MASK = 0xFFFFFFFF


def xxh32(data):
    """For fewer than 16 bytes, seed 0."""
    assert len(data) < 16
    value = (374761393 + len(data)) & MASK
    at = 0
    while at + 4 <= len(data):
        value = (value + struct.unpack_from("<I", data, at)[0] * 3266489917) & MASK
        value = ((value << 17 | value >> 15) & MASK) * 668265263 & MASK
        at += 4
    for byte in data[at:]:
        value = (value + byte * 374761393) & MASK
        value = ((value << 11 | value >> 21) & MASK) * 2654435761 & MASK
    value = (value ^ value >> 15) * 2246822519 & MASK
    value = (value ^ value >> 13) * 3266489917 & MASK
    return value ^ value >> 16


def gzip_zeros(size):
    return gzip.compress(bytes(size), 9)


def lz4_block_of_zeros(size):
    """A literal, then one match of distance 1, then five literals, as the format wants its end."""
    match = size - 1 - 5 - 4 - 15
    return b"\x1f\0\x01\0" + b"\xff" * (match // 255) + bytes([match % 255]) + b"\x50" + bytes(5)


def lz4_zeros(size):
    descriptor = b"\x60\x70"  # version 1, blocks independent, of up to 4 MiB
    frame = struct.pack("<I", 0x184D2204) + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF])
    block = lz4_block_of_zeros(4 << 20)
    return frame + (struct.pack("<I", len(block)) + block) * (size >> 22) + bytes(4)


def zstd_zeros(size, window_log=17):
    frame = struct.pack("<IBB", 0xFD2FB528, 0, (window_log - 10) << 3)
    blocks = size >> 17
    run = b"".join(struct.pack("<I", (128 << 10) << 3 | 1 << 1 | (1 if i + 1 == blocks else 0))[:3] + b"\0" for i in range(blocks))
    return frame + run


def snappy_zeros(size):
    """A literal, then copies of 64 bytes at distance 1."""
    return wire.varint(size) + b"\0\0" + b"\xfe\x01\0" * ((size - 1) // 64)


def snappy_framed(chunk, count):
    """The framing of Java clients."""
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + (struct.pack(">i", len(chunk)) + chunk) * count


SIZE = 128 << 20
BOMBS = {
    "gzip": (wire.GZIP, gzip_zeros(SIZE)),
    "gzip of many members": (wire.GZIP, gzip_zeros(1 << 20) * 128),
    "snappy": (wire.SNAPPY, snappy_zeros(SIZE // 8)),
    "snappy that claims 4 GiB": (wire.SNAPPY, wire.varint(MASK) + b"\0\0"),
    "framed snappy": (wire.SNAPPY, snappy_framed(snappy_zeros(8 << 20), 16 // 8)),
    "framed snappy that claims much": (wire.SNAPPY, snappy_framed(wire.varint(MASK) + b"\0\0", 100)),
    "framed snappy of negative length": (wire.SNAPPY, b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, -1)),
    "lz4": (wire.LZ4, lz4_zeros(SIZE)),
    "zstd": (wire.ZSTD, zstd_zeros(SIZE)),
    "zstd of many frames": (wire.ZSTD, zstd_zeros(1 << 20) * 128),
    "zstd with a window of 2 GiB": (wire.ZSTD, zstd_zeros(1 << 20, window_log=31)),
}
BROKEN = {
    name: (codec, data)
    for codec, name in ((wire.GZIP, "gzip"), (wire.SNAPPY, "snappy"), (wire.LZ4, "lz4"), (wire.ZSTD, "zstd"))
    for name, data in ((f"{name}: nothing", b""), (f"{name}: noise", bytes(range(256))), (f"{name}: a zero", b"\0"))
}


def compress(codec, data):
    """Real compression where the standard library has it, stored blocks where not."""
    if codec == wire.GZIP:
        return gzip.compress(data)
    if codec == wire.SNAPPY:
        return wire.varint(len(data)) + b"\xf0" + bytes([len(data) - 1]) + data
    if codec == wire.LZ4:
        descriptor = b"\x60\x40"
        return (struct.pack("<I", 0x184D2204) + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF]) +
                struct.pack("<I", len(data) | 1 << 31) + data + bytes(4))
    assert codec == wire.ZSTD
    return struct.pack("<IBB", 0xFD2FB528, 0, 0) + struct.pack("<I", len(data) << 3 | 1)[:3] + data
