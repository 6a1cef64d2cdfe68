"""What a load costs the machine: CPU by who used it, memory of the server, bytes to the device."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
SECTOR_BYTES = 512


def process_cpu_seconds(pid):
    """CPU of all threads of a process, those that ended included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def kernel_threads_cpu_seconds():
    """(name, CPU) of kernel threads by id: the writing back of pages and the file system's journal happen there."""
    seconds = {}
    for path in pathlib.Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                text = (path / "stat").read_text()
                fields = text.rsplit(")", 1)[1].split()
                if fields[1] == "2":  # children of kthreadd
                    name = text[text.index("(") + 1:text.rindex(")")]
                    seconds[path.name] = (name, int((path / "schedstat").read_text().split()[0]) / 1e9)
            except (OSError, IndexError):
                continue  # ended meanwhile
    return seconds


def machine_cpu_seconds():
    """(busy, in interrupts, stolen by the host) since boot, over all CPUs."""
    fields = [int(n) / TICK for n in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return user + nice + system + irq + softirq, irq + softirq, steal


def device_bytes_written(path):
    device = os.stat(path).st_dev
    for line in pathlib.Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if (int(fields[0]), int(fields[1])) == (os.major(device), os.minor(device)):
            return int(fields[9]) * SECTOR_BYTES
    return 0


def memory_bytes(pid, field):
    """A field of /proc/PID/status in bytes: VmRSS, VmHWM."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


@dataclasses.dataclass
class Reading:
    time: float
    machine: float
    interrupts: float
    steal: float
    server: float
    kernel_threads: dict
    children: float
    device: int

    @staticmethod
    def take(server_pid, data_dir):
        used = os.times()
        machine, interrupts, steal = machine_cpu_seconds()
        return Reading(time.monotonic(), machine, interrupts, steal, process_cpu_seconds(server_pid), kernel_threads_cpu_seconds(),
                       used.children_user + used.children_system, device_bytes_written(data_dir))

    def until(self, later):
        """What was used between two readings. `client` is every child process that ended in between: the load, and syncing.

        machine_less_client is the figure to compare on a machine that does nothing else. Where others use it too, server_and_kernel
        (the server and all kernel threads) leaves them out, and `others` says how much they disturbed.
        """
        # By id: a worker's name says what it does at the moment.
        threads = {thread: max(0.0, seconds - self.kernel_threads.get(thread, ("", 0.0))[1])
                   for thread, (_, seconds) in later.kernel_threads.items()}
        kernel = sum(threads.values())
        busiest = sorted(threads, key=threads.get, reverse=True)[:5]
        machine, client, server = later.machine - self.machine, later.children - self.children, later.server - self.server
        return {"seconds": later.time - self.time, "machine_less_client": machine - client, "server": server, "kernel_threads": kernel,
                "server_and_kernel": server + kernel, "client": client, "interrupts": later.interrupts - self.interrupts,
                "others": machine - client - server - kernel, "steal": later.steal - self.steal, "device_bytes": later.device - self.device,
                "busiest_kernel_threads": {f"{thread} {later.kernel_threads[thread][0]}": round(threads[thread], 3) for thread in busiest}}


@contextlib.contextmanager
def filled_page_cache(folder, keep_free_bytes=512 << 20):
    """Holds free memory as clean page cache, of a sparse file, so that it costs no I/O and is given up to whoever needs memory.

    A guest pays some 2 s of CPU per GB for the first touch of its memory, and again after it has lain free for seconds if the host
    takes free pages back. That would be put on the server that happens to run.
    """
    free = next(int(line.split()[1]) * 1024 for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                if line.startswith("MemFree:"))
    path = pathlib.Path(folder) / "page-cache"
    buffer = bytearray(4 << 20)
    with open(path, "wb+", buffering=0) as file:
        path.unlink()
        file.truncate(max(0, free - keep_free_bytes))
        while file.readinto(buffer):
            pass
        yield


def settle(folder):
    """Writes out what is dirty on the file system of `folder`, as a child process so that its CPU counts with the client's."""
    subprocess.run(["sync", "-f", str(folder)], check=True)
