"""Kafka's frames, as far as these tests send them: a tiny schema language, so that a request can also be made wrong.

A schema is text: `name:type` fields, where a type is i8 i16 i32 i64 bool uuid str nstr bytes nbytes raw, or `[fields]`
for an array (`?[` if it may be null; `[:i32]` for one of bare values). A flexible schema (`flex=True`) has compact lengths and a tag section after each struct.
"""

import struct

PRODUCE, FETCH, LIST_OFFSETS, METADATA = 0, 1, 2, 3
API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, INIT_PRODUCER_ID, OFFSET_FOR_LEADER_EPOCH = 18, 19, 20, 21, 22, 23
DESCRIBE_CONFIGS, ALTER_CONFIGS, DESCRIBE_LOG_DIRS, CREATE_PARTITIONS, INCREMENTAL_ALTER_CONFIGS = 32, 33, 35, 37, 44
DESCRIBE_CLUSTER, LIST_CONFIG_RESOURCES, DESCRIBE_TOPIC_PARTITIONS = 60, 74, 75

NONE, OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION = 0, 1, 2, 3
REQUEST_TIMED_OUT, MESSAGE_TOO_LARGE, INVALID_TOPIC, INVALID_REQUIRED_ACKS = 7, 10, 17, 21
NOT_ENOUGH_REPLICAS, INVALID_TIMESTAMP, UNSUPPORTED_VERSION, TOPIC_ALREADY_EXISTS = 19, 32, 35, 36
INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG = 37, 38, 39, 40
INVALID_REQUEST, POLICY_VIOLATION, OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH = 42, 44, 45, 47
INVALID_TXN_STATE, KAFKA_STORAGE_ERROR, UNKNOWN_PRODUCER_ID = 48, 56, 59
FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH = 70, 71, 74, 75
UNSUPPORTED_COMPRESSION, INVALID_RECORD, UNKNOWN_TOPIC_ID, COORDINATOR_NOT_AVAILABLE = 76, 87, 100, 15

NUMBERS = {"i8": ">b", "i16": ">h", "i32": ">i", "i64": ">q", "bool": ">?"}


def parse_schema(text):
    """A list of (name, type), a type being text or ("array", fields)."""
    tokens = text.replace("[", " [ ").replace("]", " ] ").split()
    position = 0

    def fields():
        nonlocal position
        found = []
        while position < len(tokens) and tokens[position] != "]":
            name, kind = tokens[position].split(":")
            position += 1
            if kind in ("", "?"):
                assert tokens[position] == "[", text
                position += 1
                kind = ("array", fields())
                assert tokens[position] == "]", text
                position += 1
            found.append((name, kind))
        return found

    return fields()


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return varint(value << 1 if value >= 0 else ((-value) << 1) - 1)


def length(count, flex, fixed):
    """count None: null."""
    if flex:
        return varint(0 if count is None else count + 1)
    return struct.pack(fixed, -1 if count is None else count)


def encode_value(kind, value, flex):
    if isinstance(kind, tuple):
        head = length(None if value is None else len(value), flex, ">i")
        if value is None:
            return head
        bare = len(kind[1]) == 1 and kind[1][0][0] == ""
        return head + b"".join(encode_value(kind[1][0][1], item, flex) if bare else encode(kind[1], item, flex) for item in value)
    if kind in NUMBERS:
        return struct.pack(NUMBERS[kind], value)
    if kind in ("uuid", "raw"):
        return value
    data = value.encode() if isinstance(value, str) else value
    fixed = ">h" if kind in ("str", "nstr") else ">i"
    return length(None if data is None else len(data), flex, fixed) + (data or b"")


def encode(fields, values, flex):
    """Values in the order of the fields, as a tuple or list."""
    assert len(fields) == len(values), (fields, values)
    body = b"".join(encode_value(kind, value, flex) for (_, kind), value in zip(fields, values))
    return body + (b"\0" if flex else b"")


class Cursor:
    def __init__(self, data, flex):
        self.data, self.at, self.flex = data, 0, flex

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("the answer ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, fixed):
        """None: null."""
        if self.flex:
            count = self.varint() - 1
        else:
            count = struct.unpack(fixed, self.take(struct.calcsize(fixed)))[0]
        return None if count < 0 else count

    def tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.take(self.varint())

    def value(self, kind):
        if isinstance(kind, tuple):
            count = self.length(">i")
            if count is None:
                return None
            bare = len(kind[1]) == 1 and kind[1][0][0] == ""
            return [self.value(kind[1][0][1]) if bare else self.struct(kind[1]) for _ in range(count)]
        if kind in NUMBERS:
            return struct.unpack(NUMBERS[kind], self.take(struct.calcsize(NUMBERS[kind])))[0]
        if kind == "uuid":
            return self.take(16)
        if kind == "cursor":
            return self.struct([("name", "str"), ("index", "i32")]) if self.value("i8") >= 0 else None
        count = self.length(">h" if kind in ("str", "nstr") else ">i")
        if count is None:
            return None
        data = self.take(count)
        return data.decode() if kind in ("str", "nstr") else data

    def struct(self, fields):
        values = {name: self.value(kind) for name, kind in fields}
        if self.flex:
            self.tags()
        return values


class Api:
    """One API in one version: its request and answer."""

    def __init__(self, key, version, flex, request, answer, flex_header=None):
        self.key, self.version, self.flex = key, version, flex
        self.request, self.answer = parse_schema(request), parse_schema(answer)
        self.flex_header = flex if flex_header is None else flex_header

    def body(self, *values):
        return encode(self.request, values, self.flex)

    def frame(self, *values, correlation=1):
        return self.frame_of(self.body(*values), correlation=correlation)

    def frame_of(self, body, correlation=1, client=b"bad-input"):
        return frame(self.key, self.version, body, flex=self.flex, correlation=correlation, client=client)

    def read(self, answer):
        """The answer's fields; `answer` is without its length."""
        cursor = Cursor(answer, self.flex)
        cursor.take(4)
        if self.flex_header:
            cursor.tags()
        values = cursor.struct(self.answer)
        if cursor.at != len(answer):
            raise ValueError(f"{len(answer) - cursor.at} bytes too many in the answer")
        return values


def frame(key, version, body, flex=False, correlation=1, client=b"bad-input"):
    client = struct.pack(">h", -1) if client is None else struct.pack(">h", len(client)) + client
    data = struct.pack(">hhi", key, version, correlation) + client + (b"\0" if flex else b"") + body
    return struct.pack(">i", len(data)) + data


API_VERSIONS_V0 = Api(API_VERSIONS, 0, False, "", "error:i16 keys:[key:i16 min:i16 max:i16]")
API_VERSIONS_V3 = Api(API_VERSIONS, 3, True, "name:str version:str", "error:i16 keys:[key:i16 min:i16 max:i16] throttle:i32",
                      flex_header=False)
METADATA_V1 = Api(METADATA, 1, False, "topics:?[:str]",
                  "brokers:[id:i32 host:str port:i32 rack:nstr] controller:i32 "
                  "topics:[error:i16 name:str internal:bool partitions:[error:i16 index:i32 leader:i32 replicas:[:i32] isr:[:i32]]]")
METADATA_V12 = Api(METADATA, 12, True, "topics:?[id:uuid name:nstr] create:bool authorized:bool",
                   "throttle:i32 brokers:[id:i32 host:str port:i32 rack:nstr] cluster:nstr controller:i32 "
                   "topics:[error:i16 name:nstr id:uuid internal:bool partitions:[error:i16 index:i32 leader:i32 epoch:i32 "
                   "replicas:[:i32] isr:[:i32] offline:[:i32]] authorized:i32]")
PRODUCE_V8 = Api(PRODUCE, 8, False, "transaction:nstr acks:i16 timeout:i32 topics:[name:str partitions:[index:i32 records:nbytes]]",
                 "topics:[name:str partitions:[index:i32 error:i16 base:i64 time:i64 start:i64 "
                 "errors:[index:i32 message:nstr] message:nstr]] throttle:i32")
PRODUCE_V3 = Api(PRODUCE, 3, False, "transaction:nstr acks:i16 timeout:i32 topics:[name:str partitions:[index:i32 records:nbytes]]",
                 "topics:[name:str partitions:[index:i32 error:i16 base:i64 time:i64]] throttle:i32")
PRODUCE_V13 = Api(PRODUCE, 13, True, "transaction:nstr acks:i16 timeout:i32 topics:[id:uuid partitions:[index:i32 records:nbytes]]",
                  "topics:[id:uuid partitions:[index:i32 error:i16 base:i64 time:i64 start:i64 "
                  "errors:[index:i32 message:nstr] message:nstr]] throttle:i32")
FETCH_V11 = Api(FETCH, 11, False, "replica:i32 wait:i32 min:i32 max:i32 isolation:i8 session:i32 epoch:i32 "
                "topics:[name:str partitions:[index:i32 leader:i32 offset:i64 start:i64 max:i32]] "
                "forgotten:[name:str partitions:[:i32]] rack:str",
                "throttle:i32 error:i16 session:i32 topics:[name:str partitions:[index:i32 error:i16 high:i64 stable:i64 start:i64 "
                "aborted:?[producer:i64 first:i64] replica:i32 records:nbytes]]")
FETCH_V13 = Api(FETCH, 13, True, "replica:i32 wait:i32 min:i32 max:i32 isolation:i8 session:i32 epoch:i32 "
                "topics:[id:uuid partitions:[index:i32 leader:i32 offset:i64 last:i32 start:i64 max:i32]] "
                "forgotten:[id:uuid partitions:[:i32]] rack:str",
                "throttle:i32 error:i16 session:i32 topics:[id:uuid partitions:[index:i32 error:i16 high:i64 stable:i64 start:i64 "
                "aborted:?[producer:i64 first:i64] replica:i32 records:nbytes]]")
LIST_OFFSETS_V1 = Api(LIST_OFFSETS, 1, False, "replica:i32 topics:[name:str partitions:[index:i32 time:i64]]",
                      "topics:[name:str partitions:[index:i32 error:i16 time:i64 offset:i64]]")
LIST_OFFSETS_V11 = Api(LIST_OFFSETS, 11, True,
                       "replica:i32 isolation:i8 topics:[name:str partitions:[index:i32 epoch:i32 time:i64]] timeout:i32",
                       "throttle:i32 topics:[name:str partitions:[index:i32 error:i16 time:i64 offset:i64 epoch:i32]]")
CREATE_TOPICS_V2 = Api(CREATE_TOPICS, 2, False,
                       "topics:[name:str partitions:i32 copies:i16 assignments:[index:i32 brokers:[:i32]] "
                       "configs:[name:str value:nstr]] timeout:i32 validate:bool",
                       "throttle:i32 topics:[name:str error:i16 message:nstr]")
CREATE_TOPICS_V7 = Api(CREATE_TOPICS, 7, True,
                       "topics:[name:str partitions:i32 copies:i16 assignments:[index:i32 brokers:[:i32]] "
                       "configs:[name:str value:nstr]] timeout:i32 validate:bool",
                       "throttle:i32 topics:[name:str id:uuid error:i16 message:nstr partitions:i32 copies:i16 "
                       "configs:?[name:str value:nstr readonly:bool source:i8 sensitive:bool]]")
DELETE_TOPICS_V3 = Api(DELETE_TOPICS, 3, False, "topics:[:str] timeout:i32", "throttle:i32 topics:[name:str error:i16]")
DELETE_TOPICS_V6 = Api(DELETE_TOPICS, 6, True, "topics:[name:nstr id:uuid] timeout:i32",
                       "throttle:i32 topics:[name:nstr id:uuid error:i16 message:nstr]")
DELETE_RECORDS_V0 = Api(DELETE_RECORDS, 0, False, "topics:[name:str partitions:[index:i32 offset:i64]] timeout:i32",
                        "throttle:i32 topics:[name:str partitions:[index:i32 low:i64 error:i16]]")
INIT_PRODUCER_ID_V1 = Api(INIT_PRODUCER_ID, 1, False, "transaction:nstr timeout:i32", "throttle:i32 error:i16 producer:i64 epoch:i16")
OFFSET_FOR_LEADER_EPOCH_V3 = Api(OFFSET_FOR_LEADER_EPOCH, 3, False,
                                 "replica:i32 topics:[name:str partitions:[index:i32 current:i32 epoch:i32]]",
                                 "throttle:i32 topics:[name:str partitions:[error:i16 index:i32 epoch:i32 end:i64]]")
DESCRIBE_CONFIGS_V1 = Api(DESCRIBE_CONFIGS, 1, False, "resources:[type:i8 name:str keys:?[:str]] synonyms:bool",
                          "throttle:i32 resources:[error:i16 message:nstr type:i8 name:str configs:[name:str value:nstr "
                          "readonly:bool source:i8 sensitive:bool synonyms:[name:str value:nstr source:i8]]]")
ALTER_CONFIGS_V0 = Api(ALTER_CONFIGS, 0, False, "resources:[type:i8 name:str configs:[name:str value:nstr]] validate:bool",
                       "throttle:i32 resources:[error:i16 message:nstr type:i8 name:str]")
INCREMENTAL_ALTER_CONFIGS_V0 = Api(INCREMENTAL_ALTER_CONFIGS, 0, False,
                                   "resources:[type:i8 name:str configs:[name:str operation:i8 value:nstr]] validate:bool",
                                   "throttle:i32 resources:[error:i16 message:nstr type:i8 name:str]")
DESCRIBE_LOG_DIRS_V1 = Api(DESCRIBE_LOG_DIRS, 1, False, "topics:?[name:str partitions:[:i32]]",
                           "throttle:i32 dirs:[error:i16 dir:str topics:[name:str partitions:[index:i32 size:i64 lag:i64 future:bool]]]")
CREATE_PARTITIONS_V0 = Api(CREATE_PARTITIONS, 0, False,
                           "topics:[name:str count:i32 assignments:?[brokers:[:i32]]] timeout:i32 validate:bool",
                           "throttle:i32 topics:[name:str error:i16 message:nstr]")
DESCRIBE_CLUSTER_V0 = Api(DESCRIBE_CLUSTER, 0, True, "authorized:bool",
                          "throttle:i32 error:i16 message:nstr cluster:str controller:i32 "
                          "brokers:[id:i32 host:str port:i32 rack:nstr] authorized:i32")
LIST_CONFIG_RESOURCES_V1 = Api(LIST_CONFIG_RESOURCES, 1, True, "types:[:i8]", "throttle:i32 error:i16 resources:[name:str type:i8]")
# The cursor, a nullable struct, is given as encoded bytes.
DESCRIBE_TOPIC_PARTITIONS_V0 = Api(DESCRIBE_TOPIC_PARTITIONS, 0, True, "topics:[name:str] limit:i32 cursor:raw",
                                   "throttle:i32 topics:[error:i16 name:nstr id:uuid internal:bool partitions:[error:i16 index:i32 "
                                   "leader:i32 epoch:i32 replicas:[:i32] isr:[:i32] eligible:?[:i32] last:?[:i32] offline:[:i32]] "
                                   "authorized:i32] cursor:cursor")

# --- record batches ---------------------------------------------------------------------------------------------------------

NO_CODEC, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
CRC_POSITION, MAGIC_POSITION, BATCH_HEADER_BYTES = 17, 16, 61
NOW_MS = 1_700_000_000_000


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
    table = CRC_TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record(value, delta=0, key=None, time_delta=0, headers=(), attributes=0):
    data = struct.pack(">b", attributes) + zigzag(time_delta) + zigzag(delta)
    data += zigzag(-1) if key is None else zigzag(len(key)) + key
    data += zigzag(-1) if value is None else zigzag(len(value)) + value
    data += zigzag(len(headers)) + b"".join(zigzag(len(k)) + k + zigzag(len(v)) + v for k, v in headers)
    return zigzag(len(data)) + data


def batch(values=(b"x",), *, records=None, count=None, last_delta=None, attributes=0, producer=-1, epoch=-1, sequence=-1,
          time_ms=NOW_MS, max_time_ms=None, magic=2, base=0, length_change=0, crc=None):
    """A batch of records without keys, each part of which may be overridden."""
    if records is None:
        records = b"".join(record(value, delta) for delta, value in enumerate(values))
    count = len(values) if count is None else count
    last_delta = len(values) - 1 if last_delta is None else last_delta
    checked = struct.pack(">hiqqqhii", attributes, last_delta, time_ms, time_ms if max_time_ms is None else max_time_ms, producer,
                          epoch, sequence, count) + records
    crc = crc32c(checked) if crc is None else crc
    return struct.pack(">qiibI", base, 4 + 1 + 4 + len(checked) + length_change, -1, magic, crc) + checked


def recrc(data):
    """The batch with its checksum made right."""
    return data[:CRC_POSITION] + struct.pack(">I", crc32c(data[CRC_POSITION + 4:])) + data[CRC_POSITION + 4:]
