"""Groups whose members are real clients in processes of their own (members/), and what is true of every group.

The judge (Group) produces, counts what each member says it received, and asks with confluent-kafka what the server knows.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness import WAIT_SECONDS_MAX, CheckFailed, expect, expect_equal, wait_until

ANSWER_SECONDS_MAX = 5
SESSION_MS = 6000  # the least that Kafka allows by default
# Kafka tells of a member that left with the next heartbeat of each other member; a session that must end first takes longer.
LEAVE_SECONDS_MAX = SESSION_MS / 1000 - 1


class Member:
    """One client in a process. `owned` and `received` follow what it prints (members/member.py); guarded by `changed`."""

    def __init__(self, name, command, changed):
        self.name, self.changed = name, changed
        self.owned = set()
        self.spans = []  # [partition, since ms, until ms or None]
        self.moves = []  # (sign, partitions)
        self.received = []  # (partition, offset, value)
        self.problems = []
        self.ended = False
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        errors="replace", start_new_session=True)
        self.threads = [threading.Thread(target=self.follow, daemon=True), threading.Thread(target=self.listen, daemon=True)]
        for thread in self.threads:
            thread.start()

    def follow(self):
        for line in self.process.stdout:
            with self.changed:
                self.take(line.split())
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.lose(self.owned, int(time.time() * 1000))
            self.changed.notify_all()

    def listen(self):
        for line in self.process.stderr:
            with self.changed:
                self.problems.append(line.strip())

    def take(self, words):
        if words[0] == "R":
            if words[1] not in self.owned:
                self.problems.append(f"OWNERSHIP received {words[1]} {words[2]} without owning it")
            self.received.append((words[1], int(words[2]), words[3]))
        elif words[0] == "+":
            self.moves.append(("+", frozenset(words[2:])))
            for partition in set(words[2:]) - self.owned:
                self.spans.append([partition, int(words[1]), None])
            self.owned |= set(words[2:])
        elif words[0] == "-":
            self.moves.append(("-", frozenset(words[2:])))
            self.lose(words[2:], int(words[1]))
        else:
            self.problems.append(" ".join(words[1:]))

    def lose(self, partitions, until):
        for span in self.spans:
            if span[0] in partitions and span[2] is None:
                span[2] = until
        self.owned = self.owned - set(partitions)

    def leave(self):
        self.process.stdin.close()
        try:
            self.process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CheckFailed(f"member {self.name} did not end within {WAIT_SECONDS_MAX} s of being asked to leave") from None

    def kill(self):
        """As a crash: nothing is said to the server."""
        with self.changed:
            self.lose(self.owned, int(time.time() * 1000))
        # Never the program kill with a negative number: Debian's reads it as "every process of the machine".
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        for thread in self.threads:
            thread.join(WAIT_SECONDS_MAX)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class Judge:
    """What is asked of the server beside the members, by confluent-kafka."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        # What a server that is killed does to connections is not news.
        self.settings = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 500, "log_level": 0}
        self.connect()

    def connect(self):
        """Also after the server was killed: how long this client takes to find it again is not what is judged."""
        self.admin = AdminClient(self.settings)

    def new_topic(self, topic, partitions):
        (created,) = self.admin.create_topics([NewTopic(topic, partitions, 1)]).values()
        created.result(WAIT_SECONDS_MAX)

        def led():
            found = self.admin.list_topics(timeout=WAIT_SECONDS_MAX).topics.get(topic)
            return found and len(found.partitions) == partitions and all(p.leader >= 0 for p in found.partitions.values())
        wait_until(led, f"{topic} is led")

    def produce(self, topic, partitions, values):
        """{(topic/p, offset): value}; every value went to its own partition in turn."""
        producer, sent, errors = Producer(self.settings), {}, []

        def delivered(error, message):
            if error:
                errors.append(error)
            else:
                sent[f"{topic}/{message.partition()}", message.offset()] = message.value().decode()

        for i, value in enumerate(values):
            producer.produce(topic, value, partition=i % partitions, on_delivery=delivered)
        left = producer.flush(WAIT_SECONDS_MAX)
        expect(not errors and left == 0, f"{left} records were not produced, {len(errors)} failed: {errors[:1]}")
        return sent

    def committed(self, group):
        """{topic/p: offset}; nothing where the server does not know yet, because it loads the group or has just started."""
        (answer,) = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)],
                                                           request_timeout=ANSWER_SECONDS_MAX).values()
        try:
            found = answer.result(WAIT_SECONDS_MAX).topic_partitions
        except KafkaException as error:
            if not error.args[0].retriable() and error.args[0].code() != KafkaError._TIMED_OUT:
                raise
            return {"unknown": str(error)}
        return {f"{p.topic}/{p.partition}": p.offset for p in found if p.offset >= 0}

    def describe(self, group):
        (answer,) = self.admin.describe_consumer_groups([group], request_timeout=WAIT_SECONDS_MAX).values()
        return answer.result(WAIT_SECONDS_MAX)

    def commit(self, group, offsets):
        """offsets: {(topic, partition): offset}."""
        partitions = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        (answer,) = self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, partitions)]).values()
        for partition in answer.result(WAIT_SECONDS_MAX).topic_partitions:
            expect(partition.error is None, f"committing for {partition} was refused: {partition.error}")

    def delete(self, group):
        (answer,) = self.admin.delete_consumer_groups([group], request_timeout=WAIT_SECONDS_MAX).values()
        answer.result(WAIT_SECONDS_MAX)


class Group:
    """A group that consumes a topic of its own. `command(kind, strategy, arguments)` is the command line of a member."""

    def __init__(self, judge, command, strategy, partitions=6):
        self.judge, self.command, self.strategy, self.partitions = judge, command, strategy, partitions
        self.id = self.topic = f"group-{strategy}-{uuid.uuid4().hex[:6]}"
        self.changed = threading.Condition()
        self.members = []
        self.sent = {}
        self.produced_count = 0
        judge.new_topic(self.topic, partitions)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        for member in self.members:
            member.close()
        if kind is not None:
            for member in self.members:
                for problem in member.problems[-5:]:
                    print(f"NOTE member {member.name} says: {problem}", flush=True)

    def join(self, kind, instance=None):
        arguments = ["--bootstrap", self.judge.bootstrap, "--group", self.id, "--topic", self.topic, "--strategy", self.strategy,
                     "--session-ms", str(SESSION_MS)] + (["--instance", instance] if instance else [])
        member = Member(f"{len(self.members) + 1} ({kind})", self.command(kind) + arguments, self.changed)
        self.members.append(member)
        return member

    def wait(self, condition, what, seconds_max=WAIT_SECONDS_MAX):
        with self.changed:
            if not self.changed.wait_for(condition, seconds_max):
                state = ", ".join(f"{m.name}{' ended' if m.ended else ''} has {sorted(m.owned)} and {len(m.received)} records"
                                  for m in self.members)
                raise CheckFailed(f"{what}: not within {seconds_max} s; {state}")

    def settled(self, *members, seconds_max=WAIT_SECONDS_MAX):
        """Waits until these own all partitions, each one once and as evenly as can be."""
        every = {f"{self.topic}/{p}" for p in range(self.partitions)}

        def shared():
            sizes = [len(member.owned) for member in members]
            return set().union(*(m.owned for m in members)) == every and sum(sizes) == len(every) and max(sizes) - min(sizes) <= 1
        self.wait(shared, f"{len(members)} members share {len(every)} partitions", seconds_max)

    def produce(self, count):
        first = self.produced_count
        self.produced_count += count
        self.sent.update(self.judge.produce(self.topic, self.partitions, [f"v{first + i}" for i in range(count)]))

    def delivered(self, repeats_from=None):
        """Waits until all that was produced is received and committed, then counts: each record once, none invented, by its owner.

        With `repeats_from`, records whose number is at least that may have come more than once.
        """
        def received():
            return [record for member in self.members for record in member.received]
        self.wait(lambda: {(p, o) for p, o, _ in received()} >= self.sent.keys(), f"{len(self.sent)} records received")
        ends = {}
        for partition, offset in self.sent:
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        self.committed_up_to(ends)
        seen = set()
        with self.changed:
            everything = received()
            problems = [problem for member in self.members for problem in member.problems if problem.startswith("OWNERSHIP")]
        expect(not problems, "; ".join(problems))
        for partition, offset, value in everything:
            expect_equal(value, self.sent.get((partition, offset)), f"record of {partition} at {offset}")
            may_repeat = repeats_from is not None and int(value[1:]) >= repeats_from
            expect((partition, offset) not in seen or may_repeat, f"{partition} {offset} was received twice")
            seen.add((partition, offset))

    @contextlib.contextmanager
    def produced_meanwhile(self):
        """Produces some records, and again, from now until stop_producing() or the end of the block."""
        self.enough = threading.Event()
        failures = []

        def produce():
            try:
                while not self.enough.wait(0.05):
                    self.produce(2 * self.partitions)
            except CheckFailed as failure:
                failures.append(failure)

        self.producing = threading.Thread(target=produce)
        self.producing.start()
        try:
            yield
        finally:
            self.stop_producing()
        if failures:
            raise failures[0]

    def stop_producing(self):
        self.enough.set()
        self.producing.join()

    def committed_up_to(self, ends):
        found = {}

        def same():
            found.clear()
            found.update(self.judge.committed(self.id))
            return found == ends
        try:
            wait_until(same, f"committed up to {ends}")
        except CheckFailed as failure:
            raise CheckFailed(f"{failure}; found {found}") from failure

    def deliver(self, count=60):
        self.produce(count)
        self.delivered()

    def one_owner_at_a_time(self):
        """No partition had two owners at any moment, over the whole life of the group."""
        with self.changed:
            spans = sorted((partition, since, until, m.name) for m in self.members for partition, since, until in m.spans)
        for (partition, since, until, name), (next_partition, next_since, _, next_name) in zip(spans, spans[1:]):
            if partition == next_partition:
                expect(until is not None and until <= next_since,
                       f"{partition} belonged to {name} from {since} to {until}, and to {next_name} from {next_since}")

    def described(self, *members):
        """The server tells of these members what they tell of themselves."""
        def same():
            group = self.judge.describe(self.id)
            shares = sorted(sorted(f"{p.topic}/{p.partition}" for p in m.assignment.topic_partitions) for m in group.members)
            with self.changed:
                expected = sorted(sorted(m.owned) for m in members)
            return group if group.state.name == "STABLE" and shares == expected else None
        return wait_until(same, f"the group is described as stable with {len(members)} members and their partitions")
