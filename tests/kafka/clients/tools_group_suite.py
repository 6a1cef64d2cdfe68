"""Apache Kafka's command-line tools on groups: kafka-console-consumer in one, kafka-consumer-groups about it."""

import argparse
import os
import subprocess
import sys

from harness import WAIT_SECONDS_MAX, CheckFailed, Suite, expect, expect_equal, wait_until
from tools_suite import JVM, TOOLS, Tools

PARTITIONS = 3


class GroupTools(Tools):
    def run(self):
        for name in ("consume_twice", "running_group", "reset_offsets", "delete_offsets", "delete_group"):
            self.suite.check(f"tools/group/{name}", getattr(self, name))

    def groups(self, *arguments, **options):
        return self.tool(TOOLS + "consumer.group.ConsumerGroupCommand", *arguments, **options)

    def new_group(self, count):
        """A topic with `count` records, and a group of its name that has read them all."""
        topic = self.new_topic("--partitions", str(PARTITIONS))
        self.produce(topic, [f"line {i}" for i in range(count)])
        expect_equal(sorted(self.consume_in_group(topic, count)), sorted(f"line {i}" for i in range(count)), "lines consumed")
        return topic

    def consume_in_group(self, topic, count, timeout_ms=WAIT_SECONDS_MAX * 1000):
        """Lines that kafka-console-consumer prints as a member of the group; it commits as it ends."""
        printed = self.tool(TOOLS + "consumer.ConsoleConsumer", "--topic", topic, "--group", topic, "--from-beginning",
                            "--max-messages", str(count), "--timeout-ms", str(timeout_ms), "--command-property",
                            "heartbeat.interval.ms=300")
        return printed.splitlines()

    def offsets(self, group):
        """{partition: (committed, end, lag)} as described; None for what is shown as "-"."""
        rows = [line.split() for line in self.groups("--describe", "--group", group, "--offsets").splitlines()]
        heading = next(row for row in rows if row[:1] == ["GROUP"])
        expect_equal(heading[:6], ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"], "columns")
        found = [row for row in rows if row[:2] == [group, group]]
        return {int(row[2]): tuple(None if n == "-" else int(n) for n in row[3:6]) for row in found}

    def state(self, group):
        rows = [line.split() for line in self.groups("--describe", "--group", group, "--state").splitlines()]
        row = next(row for row in rows if row[:1] == [group])
        return row[-2], int(row[-1])

    def consume_twice(self):
        group = self.new_group(30)
        self.produce(group, ["one", "more"])
        lag = sum(row[2] for row in self.offsets(group).values())
        expect_equal(lag, 2, "lag as described")
        expect_equal(sorted(self.consume_in_group(group, 2)), ["more", "one"], "lines that are new")
        expect_equal(sum(row[0] for row in self.offsets(group).values()), 32, "sum of the committed offsets")
        expect(group in self.groups("--list").split(), "the group is not listed")
        expect_equal(self.state(group), ("Empty", 0), "state and number of members")

    def running_group(self):
        group = self.new_group(10)
        command = ["java", *JVM, f"-Dlog4j2.configurationFile={self.work}/log4j2.properties", "-cp", f"{self.libs}/*",
                   TOOLS + "consumer.ConsoleConsumer", "--bootstrap-server", self.bootstrap, "--topic", group, "--group", group]
        consumer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.state(group) == ("Stable", 1), "a stable group with one member")
            printed = self.groups("--describe", "--group", group, "--members", "--verbose")
            row = next(line.split() for line in printed.splitlines() if line.startswith(group + " "))
            expect("console-consumer" in row[1] and "/127.0.0.1" in row, f"member as described: {row}")
            expect(row[-1].startswith(f"{group}(0,1,2)") or f"{group}:0,1,2" in row[-1] or "0,1,2" in printed, f"assignment: {printed}")
            states = self.groups("--list", "--state", "Stable")
            expect(group in states, f"the group is not listed as stable: {states}")
            self.refused(group, "--reset-offsets", "--to-earliest", "--all-topics", "--execute")
            expect("GroupNotEmptyException" in self.groups("--delete", "--group", group, status=None),
                   "a group with a member was deleted, or refused for another reason")
        finally:
            consumer.terminate()
            consumer.wait(WAIT_SECONDS_MAX)
        wait_until(lambda: self.state(group) == ("Empty", 0), "the group is empty")

    def refused(self, group, *arguments):
        printed = self.groups("--group", group, *arguments, status=None)
        expect("inactive" in printed or "not empty" in printed or "Stable" in printed, f"not refused: {printed[-300:]}")

    def reset_offsets(self):
        group = self.new_group(12)
        before = self.offsets(group)
        self.groups("--reset-offsets", "--group", group, "--to-earliest", "--topic", group, "--dry-run")
        expect_equal(self.offsets(group), before, "offsets after a dry run")
        self.groups("--reset-offsets", "--group", group, "--to-earliest", "--topic", group, "--execute")
        expect_equal([row[0] for row in self.offsets(group).values()], [0] * PARTITIONS, "committed after --to-earliest")
        expect_equal(len(self.consume_in_group(group, 12)), 12, "lines consumed again")
        self.groups("--reset-offsets", "--group", group, "--shift-by", "-1", "--all-topics", "--execute")
        expected = {p: (max(0, end - 1), end, min(1, end)) for p, (_, end, _) in before.items()}
        expect_equal(self.offsets(group), expected, "offsets after --shift-by -1")
        self.groups("--reset-offsets", "--group", group, "--to-datetime", "2100-01-01T00:00:00.000", "--all-topics", "--execute")
        expect_equal(sum(row[2] for row in self.offsets(group).values()), 0, "lag after a time to come")

    def delete_offsets(self):
        group = self.new_group(6)
        self.groups("--delete-offsets", "--group", group, "--topic", f"{group}:0")
        expect_equal(self.offsets(group).keys() - {0}, {1, 2}, "partitions with an offset that are left")
        expect(self.offsets(group).get(0, (None,))[0] is None, "the deleted offset is still there")

    def delete_group(self):
        group = self.new_group(3)
        self.groups("--delete", "--group", group)
        wait_until(lambda: group not in self.groups("--list").split(), "the deleted group is no longer listed")
        expect_equal(len(self.consume_in_group(group, 3)), 3, "lines that the group reads as if it were new")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--libs", required=True, help="the folder of Kafka's jars")
    parser.add_argument("--check")
    arguments = parser.parse_args()
    suite = Suite("groups-kafka-tools", arguments.check)
    GroupTools(arguments.bootstrap, os.path.abspath(arguments.libs), suite, None).run()
    sys.exit(suite.finish())


if __name__ == "__main__":
    main()
