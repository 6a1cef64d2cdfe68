"""kafka-python's administrator of groups; the commands are in group_suite.py (Administrator)."""

import sys

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata


def check(*errors):
    for error in errors:
        if error.errno != 0:
            raise error()


class Commands:
    def __init__(self, bootstrap):
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def list(self):
        return [group["group_id"] for group in self.admin.list_groups()]

    def group(self, name):
        group = self.admin.describe_groups([name])[name]
        if group["error"]:
            raise KafkaError(group["error"])
        return group

    def describe(self, name):
        group = self.group(name)
        topics = [topic for member in group["members"] for topic in member["member_assignment"]["assigned_partitions"]]
        places = sorted(f"{topic['topic']}/{partition}" for topic in topics for partition in topic["partitions"])
        return [group["group_state"], len(group["members"]), *places]

    def offsets(self, name):
        found = self.admin.list_group_offsets(name)[name]
        return sorted(f"{p.topic}/{p.partition}={o.offset}" for p, o in found.items() if o.offset >= 0)

    def commit(self, name, topic, partition, offset):
        offsets = {TopicPartition(topic, int(partition)): OffsetAndMetadata(int(offset), "", -1)}
        check(*self.admin.alter_group_offsets(name, offsets).values())

    def forget(self, name, topic, partition):
        check(*self.admin.delete_group_offsets(name, [TopicPartition(topic, int(partition))]).values())

    def remove(self, name):
        members = [MemberToRemove(member_id=member["member_id"]) for member in self.group(name)["members"]]
        check(*self.admin.remove_group_members(name, members).values())

    def delete(self, name):
        answer = self.admin.delete_groups([name])
        if answer[name] != "OK":
            raise KafkaError(answer[name])


def main():
    commands = Commands(sys.argv[2])
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            print("OK", *(getattr(commands, name)(*arguments) or []), flush=True)
        except KafkaError as error:
            print("ERR", type(error).__name__, " ".join(str(error).split()), flush=True)
    commands.admin.close()


main()
