"""A pyralog process on free ports, for tests."""

import os
import pathlib
import re
import select
import signal
import subprocess

START_SECONDS_MAX = 60
END_SECONDS_MAX = 120
READY = re.compile(r"^ready kafka=(\S+) rpc=(\S+) http=(\S+) node=(\d+)\n$")


class Node:
    """A `pyralog dev` or `start`, ready. Its working directory is `directory`; stderr.txt there keeps what it says."""

    def __init__(self, binary, directory, *arguments, command="dev", environment=None, prefix=()):
        self.directory = pathlib.Path(directory)
        self.errors = open(self.directory / "stderr.txt", "ab")
        addresses = ["--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]
        self.process = subprocess.Popen([*prefix, binary, command, *addresses, *arguments], cwd=self.directory,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env={**os.environ, **(environment or {})})
        came, _, _ = select.select([self.process.stdout], [], [], START_SECONDS_MAX)
        line = self.process.stdout.readline() if came else ""
        found = READY.match(line)
        if not found:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            raise AssertionError(f"no ready line but {line!r}; stderr: {self.stderr()}")
        self.kafka, self.rpc, self.http, self.id = found.groups()

    def stderr(self):
        return (self.directory / "stderr.txt").read_text()

    def end(self, number=signal.SIGTERM):
        """The exit status after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the node did not end") from None
        self.process.stdout.close()
        self.errors.close()
        return status

    def memory_bytes(self, field="VmRSS"):
        """Resident memory now; field VmHWM: at most since the start or reset_memory_peak."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) << 10
        raise AssertionError(f"no {field}")

    def reset_memory_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
