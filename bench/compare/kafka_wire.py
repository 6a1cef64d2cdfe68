"""The few Kafka frames that the load probe and the comparison send themselves. Old, inflexible versions: fewer bytes to build."""

import socket
import struct
import time

PRODUCE, CREATE_TOPICS = 0, 19
PRODUCE_VERSION, CREATE_TOPICS_VERSION = 8, 4
TOPIC_ALREADY_EXISTS = 36


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def zigzag(value):
    value = value << 1 if value >= 0 else ((-value) << 1) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def request(key, version, correlation, body, client="pyralog-compare"):
    data = struct.pack(">hhi", key, version, correlation) + string(client) + body
    return struct.pack(">i", len(data)) + data


def record_batch(values, timestamp_ms):
    """An uncompressed batch of records without keys, headers or producer id."""
    records = b""
    for delta, value in enumerate(values):
        record = b"\0" + zigzag(0) + zigzag(delta) + zigzag(-1) + zigzag(len(value)) + value + zigzag(0)
        records += zigzag(len(record)) + record
    checked = struct.pack(">hiqqqhii", 0, len(values) - 1, timestamp_ms, timestamp_ms, -1, -1, -1, len(values)) + records
    return struct.pack(">qiibI", 0, 4 + 1 + 4 + len(checked), -1, 2, crc32c(checked)) + checked


def produce_request(topic, partition, batch, acks, correlation, timeout_ms=30_000):
    body = struct.pack(">hhi", -1, acks, timeout_ms) + struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1)
    return request(PRODUCE, PRODUCE_VERSION, correlation, body + struct.pack(">ii", partition, len(batch)) + batch)


def produce_error_position(topic):
    """Where the error code lies in a Produce response (after its length) about one partition of `topic`."""
    return 4 + 4 + 2 + len(topic.encode()) + 4 + 4


def connect(bootstrap, timeout=30):
    host, port = bootstrap.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection, frame):
    connection.sendall(frame)
    size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
    answer = b""
    while len(answer) < size:
        answer += connection.recv(size - len(answer))
    return answer


def create_topic(bootstrap, topic, partitions, config=None):
    """Creates the topic and returns once each partition takes a record (which it then holds)."""
    entries = b"".join(string(k) + string(v) for k, v in (config or {}).items())
    body = (struct.pack(">i", 1) + string(topic) + struct.pack(">ihi", partitions, 1, 0) +
            struct.pack(">i", len(config or {})) + entries + struct.pack(">ib", 30_000, 0))
    with connect(bootstrap) as connection:
        answer = exchange(connection, request(CREATE_TOPICS, CREATE_TOPICS_VERSION, 1, body))
        error = struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + len(topic.encode()))[0]
        if error not in (0, TOPIC_ALREADY_EXISTS):
            raise RuntimeError(f"CreateTopics {topic} answered error {error}")
        batch = record_batch([b"first"], int(time.time() * 1000))
        deadline = time.monotonic() + 30
        for partition in range(partitions):
            while True:
                answer = exchange(connection, produce_request(topic, partition, batch, -1, 2))
                error = struct.unpack_from(">h", answer, produce_error_position(topic))[0]
                if error == 0:
                    break
                if time.monotonic() > deadline:
                    raise RuntimeError(f"partition {partition} of {topic} is not led: error {error}")
                time.sleep(0.05)
