"""The requests of consumer groups: see wire.py."""

import struct

from wire import Api

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 8, 9, 10, 11, 12, 13, 14
DESCRIBE_GROUPS, LIST_GROUPS, DELETE_GROUPS, OFFSET_DELETE = 15, 16, 42, 47

OFFSET_METADATA_TOO_LARGE, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR = 12, 14, 15, 16
ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID = 22, 23, 24, 25
INVALID_SESSION_TIMEOUT, REBALANCE_IN_PROGRESS, NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND = 26, 27, 68, 69
MEMBER_ID_REQUIRED, GROUP_MAX_SIZE_REACHED, FENCED_INSTANCE_ID, GROUP_SUBSCRIBED_TO_TOPIC = 79, 81, 82, 86

FIND_COORDINATOR_V0 = Api(FIND_COORDINATOR, 0, False, "key:str", "error:i16 node:i32 host:str port:i32")
JOIN_REQUEST = "group:str session:i32 rebalance:i32 member:str type:str protocols:[name:str metadata:bytes]"
JOIN_ANSWER = "throttle:i32 error:i16 generation:i32 protocol:str leader:str member:str members:[id:str metadata:bytes]"
JOIN_GROUP_V3 = Api(JOIN_GROUP, 3, False, JOIN_REQUEST, JOIN_ANSWER)  # a new member joins with its first request
JOIN_GROUP_V4 = Api(JOIN_GROUP, 4, False, JOIN_REQUEST, JOIN_ANSWER)  # a new member is told its id first
JOIN_GROUP_V5 = Api(JOIN_GROUP, 5, False,
                    "group:str session:i32 rebalance:i32 member:str instance:nstr type:str protocols:[name:str metadata:bytes]",
                    "throttle:i32 error:i16 generation:i32 protocol:str leader:str member:str "
                    "members:[id:str instance:nstr metadata:bytes]")
SYNC_GROUP_V1 = Api(SYNC_GROUP, 1, False, "group:str generation:i32 member:str assignments:[member:str assignment:bytes]",
                    "throttle:i32 error:i16 assignment:bytes")
SYNC_GROUP_V5 = Api(SYNC_GROUP, 5, True,
                    "group:str generation:i32 member:str instance:nstr type:nstr protocol:nstr "
                    "assignments:[member:str assignment:bytes]",
                    "throttle:i32 error:i16 type:nstr protocol:nstr assignment:bytes")
HEARTBEAT_V1 = Api(HEARTBEAT, 1, False, "group:str generation:i32 member:str", "throttle:i32 error:i16")
HEARTBEAT_V3 = Api(HEARTBEAT, 3, False, "group:str generation:i32 member:str instance:nstr", "throttle:i32 error:i16")
LEAVE_GROUP_V1 = Api(LEAVE_GROUP, 1, False, "group:str member:str", "throttle:i32 error:i16")
OFFSET_COMMIT_V2 = Api(OFFSET_COMMIT, 2, False,
                       "group:str generation:i32 member:str retention:i64 "
                       "topics:[name:str partitions:[index:i32 offset:i64 metadata:nstr]]",
                       "topics:[name:str partitions:[index:i32 error:i16]]")
OFFSET_COMMIT_V9 = Api(OFFSET_COMMIT, 9, True,
                       "group:str generation:i32 member:str instance:nstr "
                       "topics:[name:str partitions:[index:i32 offset:i64 epoch:i32 metadata:nstr]]",
                       "throttle:i32 topics:[name:str partitions:[index:i32 error:i16]]")
OFFSET_FETCH_V2 = Api(OFFSET_FETCH, 2, False, "group:str topics:?[name:str partitions:[:i32]]",
                      "topics:[name:str partitions:[index:i32 offset:i64 metadata:nstr error:i16]] error:i16")
DESCRIBE_GROUPS_V0 = Api(DESCRIBE_GROUPS, 0, False, "groups:[:str]",
                         "groups:[error:i16 group:str state:str type:str protocol:str "
                         "members:[id:str client:str host:str metadata:bytes assignment:bytes]]")
LIST_GROUPS_V1 = Api(LIST_GROUPS, 1, False, "", "throttle:i32 error:i16 groups:[group:str type:str]")
DELETE_GROUPS_V0 = Api(DELETE_GROUPS, 0, False, "groups:[:str]", "throttle:i32 results:[group:str error:i16]")
OFFSET_DELETE_V0 = Api(OFFSET_DELETE, 0, False, "group:str topics:[name:str partitions:[index:i32]]",
                       "error:i16 throttle:i32 topics:[name:str partitions:[index:i32 error:i16]]")


def subscription(*logs):
    """What a consumer joins with, version 0."""
    return struct.pack(">hi", 0, len(logs)) + b"".join(struct.pack(">h", len(log)) + log.encode() for log in logs) + struct.pack(">i", -1)


def partition_of(group, partitions):
    """Where a group is kept: the hash of a Java string."""
    value = 0
    for unit in struct.unpack(f">{len(group.encode('utf-16-be')) // 2}H", group.encode("utf-16-be")):
        value = (31 * value + unit) & 0xFFFFFFFF
    value -= 1 << 32 if value >= 1 << 31 else 0
    return (0 if value == -(1 << 31) else abs(value)) % partitions
