"""A large real file, line by line, through unmodified clients and back byte for byte.

The file is what this machine has: its package index, and beyond that the text files of its system folders. What one client
wrote another reads, so the suite also shows that they agree with each other and not only each with itself.
"""

import argparse
import itertools
import pathlib
import shutil
import subprocess
import sys
import tempfile
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness import CheckFailed, Suite, expect, expect_equal, wait_until

BYTES_MAX = 100 << 20
BYTES_MIN = 16 << 20
STEP_SECONDS_MAX = 180
PARTITIONS = 4


def package_index():
    """The package index of apt, unpacked if it is kept compressed, after dpkg's own files."""
    for name in ("/var/lib/dpkg/status", "/var/lib/dpkg/available"):
        if pathlib.Path(name).exists():
            yield pathlib.Path(name).read_bytes()
    for path in sorted(pathlib.Path("/var/lib/apt/lists").glob("*_Packages*")):
        if path.suffix in (".lz4", ".gz", ".xz", ".zst", ".bz2"):
            yield subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(path)], stdout=subprocess.PIPE, check=True).stdout
        else:
            yield path.read_bytes()
    for folder, pattern in (("/usr/include", "*.h"), ("/usr/lib", "*.py"), ("/usr/share", "*.txt")):
        for path in sorted(pathlib.Path(folder).rglob(pattern)):
            if path.is_file() and not path.is_symlink():
                yield path.read_bytes()


def write_input(path):
    """Whole lines of real text, at most BYTES_MAX."""
    size = 0
    with open(path, "wb") as out:
        for text in package_index():
            text = text[:max(0, BYTES_MAX - size)]
            text = text[:text.rfind(b"\n") + 1]
            out.write(text)
            size += len(text)
            if size > BYTES_MAX - 4096:
                break
    expect(size >= BYTES_MIN, f"only {size} bytes of text were found on this machine")
    print(f"NOTE the file has {size} bytes", flush=True)


def without_empty_lines(path, shorter):
    """kcat sends no empty lines, so the file that it is given has none; returns the number of lines left."""
    with open(path, "rb") as lines, open(shorter, "wb") as out:
        out.writelines(kept := [line for line in lines if line != b"\n"])
    return len(kept)


class BigFile:
    def __init__(self, bootstrap, suite, work):
        self.bootstrap, self.suite, self.work = bootstrap, suite, work
        self.prefix = f"bigfile-{uuid.uuid4().hex[:6]}"
        self.input, self.kcat_input = work / "input", work / "kcat-input"
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def run(self):
        write_input(self.input)
        self.kcat_lines = without_empty_lines(self.input, self.kcat_input)
        self.suite.check("bigfile/kcat_to_kcat", self.kcat_to_kcat)
        self.suite.check("bigfile/kcat_lz4_to_confluent", self.kcat_to_confluent)
        self.suite.check("bigfile/confluent_zstd_idempotent_4_partitions_to_kcat", self.confluent_to_kcat)

    def new_topic(self, name, partitions):
        topic = f"{self.prefix}.{name}"
        (created,) = self.admin.create_topics([NewTopic(topic, partitions, 1)]).values()
        created.result(30)
        wait_until(lambda: len(self.admin.list_topics(timeout=30).topics[topic].partitions) == partitions, f"{topic} is there")
        return topic

    def kcat(self, *arguments, out=subprocess.DEVNULL):
        done = subprocess.run(["kcat", "-b", self.bootstrap, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, timeout=STEP_SECONDS_MAX)
        if done.returncode != 0:
            raise CheckFailed(f"kcat {arguments[0]} ended with {done.returncode}: {done.stderr.decode()[-300:]}")

    def kcat_produce(self, topic, codec):
        self.kcat("-P", "-t", topic, "-p", "0", "-l", "-z", codec, "-X", "queue.buffering.max.messages=1000000",
                  str(self.kcat_input))

    def kcat_consume(self, topic, partition, path):
        with open(path, "wb") as out:
            self.kcat("-C", "-q", "-e", "-t", topic, "-p", str(partition), "-o", "beginning", "-D", "\\n", out=out)

    @staticmethod
    def expect_same(sent, path):
        compared = subprocess.run(["cmp", str(sent), str(path)], capture_output=True, text=True)
        expect(compared.returncode == 0, f"what came back differs: {compared.stdout}{compared.stderr}")

    def kcat_to_kcat(self):
        topic, back = self.new_topic("kcat", 1), self.work / "kcat"
        self.kcat_produce(topic, "none")
        self.kcat_consume(topic, 0, back)
        self.expect_same(self.kcat_input, back)

    def kcat_to_confluent(self):
        topic, back = self.new_topic("lz4", 1), self.work / "confluent"
        self.kcat_produce(topic, "lz4")
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "assigns-by-hand", "enable.auto.commit": False,
                             "enable.partition.eof": True, "check.crcs": True})
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        state = {"next": 0, "ended": False}
        with open(back, "wb") as out:
            def read():
                for message in consumer.consume(10_000, 0.5):
                    if message.error():
                        expect(message.error().code() == KafkaError._PARTITION_EOF, f"consuming failed: {message.error()}")
                        state["ended"] = True
                    else:
                        expect_equal(message.offset(), state["next"], "offset")
                        state["next"] += 1
                        out.write((message.value() or b"") + b"\n")
                return state["ended"]
            try:
                wait_until(read, "the end of the topic reached", STEP_SECONDS_MAX)
            finally:
                consumer.close()
        expect_equal(state["next"], self.kcat_lines, "lines read")
        self.expect_same(self.kcat_input, back)

    def confluent_to_kcat(self):
        topic = self.new_topic("zstd", PARTITIONS)
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "compression.type": "zstd",
                             "linger.ms": 20, "queue.buffering.max.messages": 200_000})
        failures = []

        def delivered(error, _):
            if error:
                failures.append(error)

        with open(self.input, "rb") as lines:
            for line, partition in zip(lines, itertools.cycle(range(PARTITIONS))):
                while True:
                    try:
                        producer.produce(topic, line[:-1], partition=partition, on_delivery=delivered)
                        break
                    except BufferError:  # the producer's queue is full: serve its deliveries until there is room
                        producer.poll(0.1)
                producer.poll(0)
        left = producer.flush(STEP_SECONDS_MAX)
        expect(left == 0 and not failures, f"{left} lines not delivered, {len(failures)} failed: {failures[:1]}")
        parts = [self.work / f"part-{p}" for p in range(PARTITIONS)]
        for partition, path in enumerate(parts):
            self.kcat_consume(topic, partition, path)
        merged = self.work / "merged"
        files = [open(path, "rb") for path in parts]
        with open(merged, "wb") as out:
            out.writelines(itertools.takewhile(len, (files[p].readline() for p in itertools.cycle(range(PARTITIONS)))))
        for file in files:
            expect_equal(file.readline(), b"", "lines of a partition beyond those expected")
            file.close()
        self.expect_same(self.input, merged)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--check")
    arguments = parser.parse_args()
    suite = Suite("big-file", arguments.check)
    work = pathlib.Path(tempfile.mkdtemp(prefix="kafka-bigfile-"))
    try:
        BigFile(arguments.bootstrap, suite, work).run()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(suite.finish())


if __name__ == "__main__":
    main()
