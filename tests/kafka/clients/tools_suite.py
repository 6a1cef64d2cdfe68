"""Apache Kafka's command-line tools, run as the classes that its shell scripts start."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import uuid

from harness import WAIT_SECONDS_MAX, CheckFailed, Suite, expect, expect_equal, wait_until

# Small, short-lived processes: no optimising compiler, little heap.
JVM = ["-Xmx128M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
LOGGING = """\
status = warn
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
"""
TOOLS = "org.apache.kafka.tools."


class Tools:
    def __init__(self, bootstrap, libs, suite, data_dir):
        self.bootstrap, self.libs, self.suite, self.data_dir = bootstrap, libs, suite, data_dir
        self.prefix = f"tools-{uuid.uuid4().hex[:6]}"
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="kafka-tools-"))
        (self.work / "log4j2.properties").write_text(LOGGING)
        self.count = 0

    def tool(self, name, *arguments, stdin="", status=0, bootstrap=True):
        """What it printed; with the errors where it is to fail (status 1) or may (None)."""
        command = ["java", *JVM, f"-Dlog4j2.configurationFile={self.work}/log4j2.properties", "-cp", f"{self.libs}/*", name,
                   *arguments, *(["--bootstrap-server", self.bootstrap] if bootstrap else [])]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=3 * WAIT_SECONDS_MAX)
        if status is not None and (done.returncode == 0) != (status == 0):
            raise CheckFailed(f"{name} {' '.join(arguments[:4])} ended with {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
        return done.stdout if status == 0 else done.stdout + done.stderr

    def topic(self, *arguments, **options):
        return self.tool(TOOLS + "TopicCommand", *arguments, **options)

    def new_topic(self, *arguments):
        self.count += 1
        topic = f"{self.prefix}-{self.count}"
        expect(f"Created topic {topic}." in self.topic("--create", "--topic", topic, *arguments), "kafka-topics did not say created")
        return topic

    def produce(self, topic, lines, *arguments):
        self.tool(TOOLS + "ConsoleProducer", "--topic", topic, *arguments, stdin="".join(line + "\n" for line in lines))

    def consume(self, topic, partition, offset, count, *arguments):
        printed = self.tool(TOOLS + "consumer.ConsoleConsumer", "--topic", topic, "--partition", str(partition), "--offset",
                            str(offset), "--max-messages", str(count), "--timeout-ms", str(WAIT_SECONDS_MAX * 1000), *arguments)
        return printed.splitlines()

    def run(self):
        for name in ("topics", "produce_and_consume", "codecs", "configs", "get_offsets", "delete_records", "log_dirs",
                     "cluster", "errors"):
            self.suite.check(f"tools/{name}", getattr(self, name))
        if self.data_dir:
            self.suite.check("tools/dump_log", self.dump_log)

    def topics(self):
        topic = self.new_topic("--partitions", "3", "--config", "retention.ms=1000000")
        described = self.topic("--describe", "--topic", topic)
        expect(re.search(r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=1000000", described), described)
        expect_equal(len(re.findall(r"Partition: \d+\s+Leader: \d+\s+Replicas: \d+\s+Isr: \d+", described)), 3, "partitions that are led")
        self.topic("--alter", "--topic", topic, "--partitions", "4")
        wait_until(lambda: "PartitionCount: 4" in self.topic("--describe", "--topic", topic), "four partitions")
        expect(topic in self.topic("--list").split(), "the topic is not listed")
        self.topic("--delete", "--topic", topic)
        wait_until(lambda: topic not in self.topic("--list").split(), "the deleted topic is no longer listed")

    def produce_and_consume(self):
        """The console producer is idempotent with acks=all unless told otherwise."""
        topic = self.new_topic()
        self.produce(topic, ["h:1,g:2\tk1:v1", "h:3\tk2:", "h:4\tnil:v3", "h:5\tk4:nil"], "--reader-property", "parse.key=true",
                     "--reader-property", "key.separator=:", "--reader-property", "parse.headers=true",
                     "--reader-property", "null.marker=nil")
        lines = self.consume(topic, 0, "earliest", 4, "--formatter-property", "print.key=true", "--formatter-property",
                             "print.offset=true", "--formatter-property", "print.headers=true")
        expect_equal(lines, ["Offset:0\th:1,g:2\tk1\tv1", "Offset:1\th:3\tk2\t", "Offset:2\th:4\tnull\tv3", "Offset:3\th:5\tk4\tnull"],
                     "lines printed")
        expect_equal(self.consume(topic, 0, 2, 1), ["v3"], "consumed from offset 2")

    def codecs(self):
        topic = self.new_topic()
        lines = [f"line {i} " + "x" * (i % 300) for i in range(400)]
        codecs = ("gzip", "snappy", "lz4", "zstd")
        for codec in codecs:
            self.produce(topic, lines, "--compression-codec", codec, "--command-property", "acks=1")
        expect_equal(self.consume(topic, 0, "earliest", len(codecs) * len(lines)), lines * len(codecs), "lines read back")

    def configs(self):
        topic = self.new_topic()
        target = ("--entity-type", "topics", "--entity-name", topic)
        self.tool("kafka.admin.ConfigCommand", "--alter", *target, "--add-config", "retention.ms=7777777,segment.bytes=20000000")
        self.tool("kafka.admin.ConfigCommand", "--alter", *target, "--delete-config", "segment.bytes")

        def as_altered():
            described = self.tool("kafka.admin.ConfigCommand", "--describe", *target)
            return "retention.ms=7777777" in described and "segment.bytes" not in described

        wait_until(as_altered, "configs as altered")
        every = self.tool("kafka.admin.ConfigCommand", "--describe", "--all", *target)
        expect(re.search(r"max\.message\.bytes=1048588 ", every), "no default of max.message.bytes with --all")

    def get_offsets(self):
        topic = self.new_topic("--partitions", "2")
        expect_equal(self.tool(TOOLS + "GetOffsetShell", "--topic", topic).split(), [f"{topic}:0:0", f"{topic}:1:0"], "offsets at first")
        self.produce(topic, ["a", "b", "c"])
        for time, total in (("latest", 3), ("earliest", 0)):
            printed = self.tool(TOOLS + "GetOffsetShell", "--topic", topic, "--time", time).split()
            expect_equal(sum(int(line.rsplit(":", 1)[1]) for line in printed), total, f"sum of the {time} offsets")
        printed = self.tool(TOOLS + "GetOffsetShell", "--topic", topic, "--time", "max-timestamp").split()
        expect_equal(len(printed), 1, "partitions with a largest timestamp")

    def delete_records(self):
        topic = self.new_topic()
        self.produce(topic, ["a", "b", "c"])
        request = self.work / "delete.json"
        request.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 2}]}))
        printed = self.tool(TOOLS + "DeleteRecordsCommand", "--offset-json-file", str(request))
        expect(f"partition: {topic}-0\tlow_watermark: 2" in printed, printed)
        expect_equal(self.consume(topic, 0, "earliest", 1), ["c"], "what is left")

    def log_dirs(self):
        topic = self.new_topic()
        self.produce(topic, ["x" * 5000])
        printed = self.tool(TOOLS + "LogDirsCommand", "--describe", "--topic-list", topic)
        (broker,) = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))["brokers"]
        sizes = [p["size"] for directory in broker["logDirs"] for p in directory["partitions"] if p["partition"] == f"{topic}-0"]
        expect(len(sizes) == 1 and sizes[0] > 5000, f"sizes given: {sizes}")

    def dump_log(self):
        """Kafka's own tool reads the segment files: on disk, too, a batch is Kafka's batch."""
        topic = self.new_topic()
        lines = [f"line {i}" for i in range(100)]
        for codec in ("none", "lz4"):
            self.produce(topic, lines, "--compression-codec", codec)

        def dumped():
            # Written behind what was acknowledged; Kafka names the folder TOPIC-0, Pyralog TOPIC~ID/0.
            files = [path for path in pathlib.Path(self.data_dir).rglob("*.log") if topic in str(path)]
            if len(files) != 1 or files[0].stat().st_size == 0:
                return None
            printed = self.tool(TOOLS + "DumpLogSegments", "--files", str(files[0]), "--print-data-log", bootstrap=False)
            found = re.findall(r"^\| offset: (\d+) .* payload: (.*)$", printed, re.M)
            return printed if len(found) == 200 else None

        printed = wait_until(dumped, "200 records in the segment file")
        found = re.findall(r"^\| offset: (\d+) .* payload: (.*)$", printed, re.M)
        expect_equal([int(offset) for offset, _ in found], list(range(200)), "offsets in the file")
        expect_equal([payload for _, payload in found], lines * 2, "records in the file")
        expect("isvalid: false" not in printed, "a checksum that does not match")

    def cluster(self):
        expect(re.search(r"Cluster ID: \S+", self.tool(TOOLS + "ClusterTool", "cluster-id")), "no cluster id")
        printed = self.tool(TOOLS + "BrokerApiVersionsCommand")
        expect(re.search(r"Produce\(0\): 0 to 13 \[usable: 13\]", printed), "Produce is not offered as 0 to 13")
        expect(re.search(r"Fetch\(1\): 4 to 18 \[usable: 18\]", printed), "Fetch is not offered as 4 to 18")

    def errors(self):
        topic = self.new_topic()
        refusal = self.topic("--create", "--topic", topic, status=1)
        expect("TopicExistsException" in refusal, f"a second creation was refused with {refusal[-200:]}")
        self.topic("--describe", "--topic", f"{self.prefix}-never-made", status=1)
        self.topic("--create", "--topic", f"{self.prefix}-x", "--config", "retention.ms=soon", status=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--libs", required=True, help="the folder of Kafka's jars")
    parser.add_argument("--check")
    parser.add_argument("--data-dir", help="the server's data directory, for what reads its files")
    arguments = parser.parse_args()
    suite = Suite("kafka-tools", arguments.check)
    Tools(arguments.bootstrap, os.path.abspath(arguments.libs), suite, arguments.data_dir).run()
    sys.exit(suite.finish())


if __name__ == "__main__":
    main()
