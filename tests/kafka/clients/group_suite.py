"""One client in groups: members that join, leave, crash and return; committed offsets; a server that is killed.

Run by run.py. To kill the server it is asked: `ASK restart-server` on stdout, an answer on stdin.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from confluent_kafka import KafkaException

from group_world import LEAVE_SECONDS_MAX, Group, Judge
from harness import CheckFailed, Suite, expect, expect_equal, wait_until

HERE = pathlib.Path(__file__).resolve().parent
NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID = 68, 69, 25

# What each client offers: balancers, the first of which goes through everything.
STRATEGIES = {
    "java": ("range", "roundrobin", "sticky", "cooperative-sticky"),
    "confluent-kafka": ("cooperative-sticky", "range", "roundrobin"),
    "kafka-python": ("range", "roundrobin", "sticky", "cooperative-sticky"),
    "aiokafka": ("range", "roundrobin", "sticky"),
    "kafkajs": ("roundrobin",),
    "franz-go": ("cooperative-sticky", "range", "sticky"),
    "sarama": ("range", "roundrobin", "sticky"),
    "kcat": ("range",),
}
# kafkajs has no static membership.
STATIC = [kind for kind in STRATEGIES if kind != "kafkajs"]
# These have one balancer in common, and with it the bytes in which subscriptions and assignments are written.
MIXED = ("java", "confluent-kafka", "kafka-python", "aiokafka", "franz-go", "sarama")

COMMAND_LINE = "pyralog-cli"
# Small, short-lived processes: no optimising compiler, little heap.
JAVA = ("java", "-Xmx128M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp")
CANNOT_FORGET = ("kafkajs",)
CAN_REMOVE = ("java", "kafka-python")


def member_command(kind, dist):
    python = [str(dist / "venv" / "bin" / "python")]
    return {
        "java": [*JAVA, f"{dist}/java/classes:{dist}/java/libs/*", "GroupMember"],
        "confluent-kafka": [*python, str(HERE / "members" / "confluent_member.py")],
        "kafka-python": [*python, str(HERE / "members" / "kafka_python_member.py")],
        "aiokafka": [*python, str(HERE / "members" / "aiokafka_member.py")],
        "kafkajs": ["node", str(dist / "node" / "member.mjs")],
        "franz-go": [str(dist / "go" / "franz_member")],
        "sarama": [str(dist / "go" / "sarama_member")],
        "kcat": [*python, str(HERE / "members" / "kcat_member.py")],
    }[kind]


def administrator_command(kind, dist):
    """The program by which `kind` administers groups; none where it does not, or is the judge."""
    return {
        "java": [*JAVA, f"{dist}/java/classes:{dist}/java/libs/*", "GroupAdministrator"],
        "kafka-python": [str(dist / "venv" / "bin" / "python"), str(HERE / "members" / "kafka_python_administrator.py")],
        "kafkajs": ["node", str(dist / "node" / "administrator.mjs")],
        "franz-go": [str(dist / "go" / "franz_administrator")],
        "sarama": [str(dist / "go" / "sarama_administrator")],
    }.get(kind)


class Administrator:
    """A client's administrator in a process that answers a line with a line, `OK RESULTS` or `ERR CAUSE`:

        list                    ids of all groups
        describe GROUP          state, number of members, TOPIC/P of everything that is owned
        offsets GROUP           TOPIC/P=OFFSET of everything that is committed
        commit GROUP TOPIC P N  sets an offset
        forget GROUP TOPIC P    deletes one
        remove GROUP            removes all members (not every client can)
        delete GROUP
    """

    def __init__(self, command, bootstrap):
        self.process = subprocess.Popen([*command, "--bootstrap", bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        expect(answer and answer[0] in ("OK", "ERR"), f"{words[0]}: the administrator ended, or said {answer}")
        return answer

    def done(self, *words):
        answer = self.ask(*words)
        expect(answer[0] == "OK", f"{' '.join(map(str, words))}: {' '.join(answer)}")
        return answer[1:]

    def refused(self, *words):
        expect(self.ask(*words)[0] == "ERR", f"{' '.join(map(str, words))} was not refused")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def refused_with(code, call, *arguments):
    try:
        call(*arguments)
    except KafkaException as error:
        expect_equal(error.args[0].code(), code, "Kafka's error code")
        return
    raise CheckFailed(f"nothing was refused, error {code} was expected")


class GroupSuite:
    def __init__(self, kind, suite, judge, dist, can_restart, pyralog=None):
        self.kind, self.suite, self.judge, self.dist, self.can_restart = kind, suite, judge, dist, can_restart
        self.pyralog = pyralog

    def group(self, strategy, partitions=6):
        return Group(self.judge, lambda kind: member_command(kind, self.dist), strategy, partitions)

    def run(self):
        if self.kind == "mixed":
            self.suite.check("group/mixed/range", self.mixed)
            self.suite.check("group/mixed/under_load", self.under_load)
            return
        if self.kind == COMMAND_LINE:
            self.suite.check("group/command_line/running_group", self.command_line)
            return
        first, *others = STRATEGIES[self.kind]
        self.suite.check(f"group/{first}/join_leave_crash", self.life, first)
        for strategy in others:
            self.suite.check(f"group/{strategy}/join_leave", self.join_leave, strategy)
        if self.kind in STATIC:
            self.suite.check("group/static_member_returns", self.static_member, first)
        self.suite.check("group/offsets_set_by_an_administrator", self.administered, first)
        if administrator_command(self.kind, self.dist):
            self.suite.check("group/administrator", self.administrator, first)
        if self.can_restart:
            self.suite.check("group/server_killed", self.server_killed, first)
        else:
            print("NOTE the server is not ours to kill: group/server_killed is left out", flush=True)

    def joined_by_second(self, group, first):
        """A second member shares what the first had alone; what the balancer promises about that holds."""
        before = len(first.moves)
        second = group.join(self.kind)
        group.settled(first, second)
        group.deliver()
        given_up = set().union(*(partitions for sign, partitions in first.moves[before:] if sign == "-"))
        if group.strategy == "cooperative-sticky":
            expect_equal(given_up, second.owned, "partitions that the first member gave up to the second")
        return second

    def join_leave(self, strategy):
        with self.group(strategy) as group:
            first = group.join(self.kind)
            group.settled(first)
            group.deliver()
            second = self.joined_by_second(group, first)
            second.leave()
            group.settled(first, seconds_max=LEAVE_SECONDS_MAX)
            group.deliver()
            first.leave()
            group.one_owner_at_a_time()

    def life(self, strategy):
        with self.group(strategy) as group:
            first = group.join(self.kind)
            group.settled(first)
            group.deliver()
            second = self.joined_by_second(group, first)
            third = group.join(self.kind)
            group.settled(first, second, third)
            group.deliver()
            described = group.described(first, second, third)
            expect_equal(described.partition_assignor, self.protocol_name(strategy), "the balancer as described")
            for member in described.members:
                expect(member.host.startswith("/127.0.0.1"), f"host {member.host}")
                expect(self.kind.split("-")[0] in member.client_id, f"client id {member.client_id}")
            refused_with(NON_EMPTY_GROUP, self.judge.delete, group.id)
            second.leave()
            group.settled(first, third, seconds_max=LEAVE_SECONDS_MAX)
            group.deliver()
            third.kill()
            group.produce(60)  # what would have been the third member's waits for its session's end
            group.settled(first)
            group.delivered()
            first.leave()
            group.one_owner_at_a_time()
            wait_until(lambda: self.judge.describe(group.id).state.name == "EMPTY", "the group is empty")
            self.judge.delete(group.id)
            expect_equal(self.judge.committed(group.id), {}, "offsets of the deleted group")

    def protocol_name(self, strategy):
        return "RoundRobinAssigner" if self.kind == "kafkajs" else strategy

    def static_member(self, strategy):
        with self.group(strategy) as group:
            first = group.join(self.kind, instance="one")
            group.settled(first)
            second = group.join(self.kind, instance="two")
            group.settled(first, second)
            group.deliver()
            described = group.described(first, second)
            expect_equal(sorted(m.group_instance_id for m in described.members), ["one", "two"], "instance ids as described")
            moves, share = len(first.moves), set(second.owned)
            second.kill()
            group.produce(60)
            again = group.join(self.kind, instance="two")
            group.wait(lambda: again.owned == share, "the static member has its partitions again")
            group.delivered()
            expect_equal(len(first.moves), moves, "rebalances that the other member saw")
            group.one_owner_at_a_time()

    def administered(self, strategy):
        """Offsets set while nobody is there are where the next member begins; while somebody is, they are refused."""
        with self.group(strategy, partitions=1) as group:
            group.produce(10)
            partition = (group.topic, 0)
            self.judge.commit(group.id, {partition: 4})
            expect_equal(self.judge.committed(group.id), {f"{group.topic}/0": 4}, "offset as set")
            member = group.join(self.kind)
            group.wait(lambda: len(member.received) >= 6, "the records from offset 4 on")
            wait_until(lambda: self.judge.committed(group.id) == {f"{group.topic}/0": 10}, "everything is committed")
            try:
                self.judge.commit(group.id, {partition: 0})
            except (CheckFailed, KafkaException):
                pass
            else:
                raise CheckFailed("an offset was set while the group has a member")
            member.leave()
            expect_equal([offset for _, offset, _ in member.received], list(range(4, 10)), "offsets received")
            wait_until(lambda: self.judge.describe(group.id).state.name == "EMPTY", "the group is empty")
            self.judge.commit(group.id, {partition: 9})
            member = group.join(self.kind)
            group.wait(lambda: member.received, "the record at offset 9")
            expect_equal(member.received[0][1], 9, "first offset after a second reset")

    def administrator(self, strategy):
        """The client's own administrator sees and does what the judge sees and does."""
        command = administrator_command(self.kind, self.dist)
        with self.group(strategy, partitions=2) as group, Administrator(command, self.judge.bootstrap) as admin:
            name, places = group.id, [f"{group.topic}/0", f"{group.topic}/1"]
            group.produce(10)
            admin.done("commit", name, group.topic, 0, 4)
            admin.done("commit", name, group.topic, 1, 2)
            expect_equal(admin.done("offsets", name), [f"{places[0]}=4", f"{places[1]}=2"], "offsets as set")
            expect_equal(self.judge.committed(name), {places[0]: 4, places[1]: 2}, "offsets as the judge sees them")
            expect(name in admin.done("list"), "the group is not listed")
            member = group.join(self.kind)
            group.wait(lambda: len(member.received) >= 4, "the records from those offsets on")
            wait_until(lambda: self.judge.committed(name) == {place: 5 for place in places}, "everything is committed")
            expect_equal(admin.done("describe", name), ["Stable", "1", *places], "the group with a member")
            admin.refused("commit", name, group.topic, 0, 0)
            admin.refused("delete", name)
            if self.kind not in CANNOT_FORGET:
                admin.refused("forget", name, group.topic, 0)
            if self.kind in CAN_REMOVE:
                before = len(member.moves)
                admin.done("remove", name)
                group.wait(lambda: len(member.moves) > before and len(member.owned) == 2, "the removed member is back")
            member.leave()
            wait_until(lambda: self.judge.describe(name).state.name == "EMPTY", "the group is empty")
            expect_equal(admin.done("describe", name), ["Empty", "0"], "the group without members")
            if self.kind not in CANNOT_FORGET:
                admin.done("forget", name, group.topic, 0)
                expect_equal(admin.done("offsets", name), [f"{places[1]}=5"], "offsets that are left")
            admin.done("delete", name)
            expect(name not in admin.done("list"), "the deleted group is listed")
            expect_equal(self.judge.committed(name), {}, "offsets of the deleted group")

    def server_killed(self, strategy):
        with self.group(strategy) as group:
            first, second = group.join(self.kind), group.join(self.kind)
            group.settled(first, second)
            group.deliver()
            before = group.produced_count
            restart_server()
            self.judge.connect()
            group.settled(first, second)
            group.produce(60)
            group.delivered(repeats_from=before)
            for member in (first, second):
                member.leave()
            third = group.join(self.kind)
            group.settled(third)
            group.produce(60)
            group.delivered(repeats_from=before)
            expect(len(third.received) == 60, f"the last member received {len(third.received)} records, 60 were new")

    def mixed(self):
        with self.group("range", partitions=len(MIXED)) as group:
            members = []
            for kind in MIXED:
                members.append(group.join(kind))
                group.settled(*members)
                group.deliver(30)
            group.described(*members)
            while len(members) > 1:
                members.pop(0).leave()  # the longest there: mostly the leader
                group.settled(*members, seconds_max=LEAVE_SECONDS_MAX)
                group.deliver(30)
            group.one_owner_at_a_time()


    def under_load(self):
        """Members come, leave and crash while records keep coming: none is lost, and no partition has two owners at a time."""
        with self.group("range", partitions=len(MIXED)) as group, group.produced_meanwhile():
            members = [group.join("confluent-kafka"), group.join("franz-go")]
            group.settled(*members)
            members += [group.join("aiokafka"), group.join("sarama")]
            group.settled(*members)
            members.pop(0).kill()
            members.append(group.join("kafka-python"))
            group.settled(*members)
            members.pop(0).leave()
            group.settled(*members, seconds_max=LEAVE_SECONDS_MAX)
            group.stop_producing()
            group.delivered(repeats_from=0)
            group.one_owner_at_a_time()

    def cli(self, *arguments, status=0):
        """What `pyralog group` prints, as JSON where it does; its notes and errors where it is to fail."""
        done = subprocess.run([self.pyralog, "group", *arguments, "--bootstrap", self.judge.bootstrap], capture_output=True, text=True,
                              timeout=60)
        expect_equal(done.returncode, status, f"exit status of {' '.join(arguments)}, which said {done.stdout}{done.stderr}")
        return done.stderr if status else json.loads(done.stdout) if "json" in arguments else done.stdout

    def command_line(self):
        """`pyralog group` against a group of two real members, which it fences to send them back."""
        with self.group("range", partitions=2) as group:
            first = group.join("confluent-kafka")
            second = group.join("confluent-kafka")
            group.settled(first, second)
            group.deliver(10)
            described = self.cli("describe", group.id, "-o", "json")
            expect_equal((described["state"], described["balancer"], described["lag"], described["problems"]),
                         ("Stable", "range", 0, []), "state, balancer, lag and problems")
            expect_equal([(m["client"], m["host"], m["partitions"]) for m in described["members"]],
                         [("confluent-member", "/127.0.0.1", 1)] * 2, "members")
            expect_equal([(p["log"], p["partition"], p["committed"], p["end"]) for p in described["partitions"]],
                         [(group.topic, 0, 5, 5), (group.topic, 1, 5, 5)], "partitions")
            expect_equal(len({p["member"] for p in described["partitions"]}), 2, "owners")
            expect(group.id in [one["group"] for one in self.cli("list", "-o", "json")], "the group is not listed")
            expect("members" in self.cli("delete", group.id, status=1), "why the group is not deleted")
            seek = ("seek", group.id, "--shift", "-2", "-o", "json")
            plan = [(p["partition"], p["committed"], p["seek_to"], p["change"]) for p in self.cli(*seek)]
            expect_equal(plan, [(0, 5, 3, -2), (1, 5, 3, -2)], "plan")
            expect("--force" in self.cli(*seek, "--execute", status=1), "how a group with members is moved")
            expect_equal(self.judge.committed(group.id), {f"{group.topic}/{p}": 5 for p in range(2)}, "offsets before it is moved")
            self.cli(*seek, "--execute", "--force")
            group.wait(lambda: sum(len(m.received) for m in (first, second)) == 14, "the last two records of each partition again")
            group.settled(first, second)
            for member in (first, second):  # they learned one after the other that they were removed, so owners overlapped
                member.leave()
            wait_until(lambda: self.cli("describe", group.id, "-o", "json")["state"] == "Empty", "the group is empty")
            group.produce(6)
            problems = self.cli("describe", group.id, "-o", "json")["problems"]
            expect_equal(problems, ["nobody reads: the group has no members, and 6 records wait"], "problems")
            self.cli("delete", group.id)
            self.cli("describe", group.id, status=1)


def restart_server():
    print("ASK restart-server", flush=True)
    expect_equal(sys.stdin.readline().strip(), "done", "answer about the server's restart")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--check")
    parser.add_argument("--client", required=True, choices=[*STRATEGIES, "mixed", COMMAND_LINE])
    parser.add_argument("--clients", required=True, type=pathlib.Path, help="where setup.sh put the clients")
    parser.add_argument("--can-restart", action="store_true", help="somebody answers to ASK restart-server")
    parser.add_argument("--pyralog", help=f"the binary, for {COMMAND_LINE}")
    arguments = parser.parse_args()
    suite = Suite(f"groups-{arguments.client}", arguments.check)
    GroupSuite(arguments.client, suite, Judge(arguments.bootstrap), arguments.clients, arguments.can_restart,
               arguments.pyralog).run()
    sys.exit(suite.finish())


if __name__ == "__main__":
    main()
