"""kcat as Debian 12 has it: an older librdkafka (2.0), which enables features only where exact API versions are offered."""

import re
import subprocess
import time

import spec
from harness import WAIT_SECONDS_MAX, CheckFailed, expect, expect_equal, wait_until

RECORD_END = b"\x01end-of-record\x02"
KEY_END = b"\x03end-of-key\x04"
LEADER_NOT_AVAILABLE = 5


def escaped(delimiter):
    return "".join(f"\\x{byte:02x}" for byte in delimiter)


class KcatAdapter(spec.Adapter):
    name = "kcat"
    features = frozenset({"idempotent", "auto_create", "consume_new", "null_key_and_value"})

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def kcat(self, *arguments, stdin=b""):
        """Runs kcat to its end; returns what it printed."""
        done = subprocess.run(["kcat", "-b", self.bootstrap, "-m", str(WAIT_SECONDS_MAX), *arguments], input=stdin,
                              capture_output=True, timeout=2 * WAIT_SECONDS_MAX)
        if done.returncode != 0:
            raise CheckFailed(f"kcat {' '.join(arguments[:6])} ended with {done.returncode}: {done.stderr.decode()[-300:]}")
        return done.stdout

    def own_checks(self, spec_of_all):
        return [("produce/headers", lambda: self.headers(spec_of_all)), ("list/metadata", lambda: self.metadata(spec_of_all)),
                ("consume/by_time", lambda: self.from_time(spec_of_all))]

    def headers(self, spec_of_all):
        topic = spec_of_all.new_topic()
        self.kcat("-P", "-t", topic, "-p", "0", "-H", "a=1", "-H", "a=2", "-H", "empty=", "-H", "null", "-k", "key", stdin=b"value")
        printed = self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", "beginning", "-c", "1", "-f", "%k|%s|%h")
        expect_equal(printed, b"key|value|a=1,a=2,empty=,null=NULL", "record with headers as kcat prints it")

    def metadata(self, spec_of_all):
        topic = spec_of_all.new_topic()
        listed = self.kcat("-L").decode()
        expect(f'topic "{topic}" with 1 partitions' in listed, f"{topic} is not in the list of all topics")
        expect(re.search(r"broker \d+ at " + re.escape(self.bootstrap), listed), f"no broker at {self.bootstrap} in: {listed[:300]}")

    def from_time(self, spec_of_all):
        """kcat stamps records itself, so the time asked for lies between two runs of it."""
        topic = spec_of_all.new_topic()
        self.kcat("-P", "-t", topic, "-p", "0", stdin=b"before 1\nbefore 2\n")
        first = self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", "1", "-c", "1", "-f", "%T")
        while int(time.time() * 1000) <= int(first):
            time.sleep(0.001)
        self.kcat("-P", "-t", topic, "-p", "0", stdin=b"after 1\nafter 2\n")
        ask = int(first) + 1
        expect(f"{topic} [0] offset 2" in self.kcat("-Q", "-t", f"{topic}:0:{ask}").decode(), "offset for a time is not 2")
        printed = self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", f"s@{ask}", "-e")
        expect_equal(printed, b"after 1\nafter 2\n", "records from a time")

    def topics(self, topic=None):
        arguments = ["-L", "-t", topic] if topic else ["-L"]
        listed = self.kcat(*arguments).decode()
        # A topic that is being made is listed with an error, or without partitions.
        return {name: int(count) for name, count in re.findall(r'topic "([^"]+)" with (\d+) partitions:$', listed, re.M)
                if int(count) > 0 and f'topic "{name}" with {count} partitions: ' not in listed}

    def offsets(self, topic, partition):
        answers = [self.kcat("-Q", "-t", f"{topic}:{partition}:{which}").decode() for which in (-2, -1)]
        found = [re.search(r"offset (-?\d+)$", answer.strip()) for answer in answers]
        if not all(found):  # kcat prints the error of a partition where its offset would be
            raise spec.KafkaErrorCode(LEADER_NOT_AVAILABLE if "eader" in answers[0] else -1, " ".join(answers))
        return tuple(int(m.group(1)) for m in found)

    def produce(self, topic, partition, records, codec, acks, idempotent):
        # Where -Z is given kcat makes nulls of empty keys and values, so records are cut into runs of one kind.
        runs = []
        for record in records:
            nulls = record.value is None or record.key is None
            if not runs or runs[-1][0] != nulls:
                runs.append((nulls, []))
            runs[-1][1].append(record)
        for nulls, run in runs:
            stdin = b"".join((r.key or b"") + KEY_END + (r.value or b"") + RECORD_END for r in run)
            arguments = ["-P", "-t", topic, "-p", str(partition), "-D", escaped(RECORD_END), "-K", escaped(KEY_END), "-z", codec,
                         "-X", f"acks={acks}", "-X", f"enable.idempotence={'true' if idempotent else 'false'}",
                         "-X", "linger.ms=5", *(["-Z"] if nulls else [])]
            if acks == "0":
                self.produce_unacknowledged(topic, partition, arguments, stdin, len(run))
            else:
                self.kcat(*arguments, stdin=stdin)

    def produce_unacknowledged(self, topic, partition, arguments, stdin, count):
        """kcat ends once its records are in the socket, and its end may reset the connection before the server has read them.
        That is the client's loss, not the server's: one run that left no trace is repeated, and said so."""
        end = self.offsets(topic, partition)[1] + count
        for last_try in (False, True):
            self.kcat(*arguments, stdin=stdin)
            try:
                wait_until(lambda: self.offsets(topic, partition)[1] == end, f"{count} records without acknowledgement", 5)
                return
            except CheckFailed:
                if last_try or self.offsets(topic, partition)[1] != end - count:
                    raise
                print(f"NOTE a run of kcat with acks=0 left nothing in {topic} and is repeated", flush=True)

    FORMAT = "%o %T %K %S|%k%s"

    @staticmethod
    def parsed(printed):
        """Records in FORMAT, whose lengths make it safe for any bytes; -1 is a null."""
        records, at = [], 0
        while at < len(printed):
            end = printed.index(b"|", at)
            offset, _, key_length, value_length = (int(n) for n in printed[at:end].split())
            at = end + 1
            fields = []
            for length in (key_length, value_length):
                fields.append(None if length < 0 else printed[at:at + length])
                at += max(length, 0)
            records.append((offset, spec.Record(*fields)))
        return records

    def consume(self, topic, partition, start, count):
        return self.parsed(self.kcat("-C", "-q", "-t", topic, "-p", str(partition), "-c", str(count), "-f", self.FORMAT,
                                     "-o", "beginning" if start == "earliest" else str(start), "-X", "check.crcs=true"))

    def consume_new(self, topic, partition, produce, count):
        command = ["kcat", "-b", self.bootstrap, "-C", "-u", "-t", topic, "-p", str(partition), "-o", "end", "-c", str(count),
                   "-f", self.FORMAT]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            expect(b"Reached end of topic" in process.stderr.readline(), "kcat did not report the end of the topic")
            produce()
            return self.parsed(process.communicate(timeout=WAIT_SECONDS_MAX)[0])
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    spec.main(KcatAdapter)
