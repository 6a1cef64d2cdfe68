"""A proxy that narrows a Kafka server to the APIs Pyralog offers, so that the suites are proven to need nothing else.

It removes every other API from ApiVersions answers and, as Pyralog does, closes a connection on which an API or version that
was not offered is asked for. Used by `run.py --apache --as-pyralog`.
"""

import asyncio
import struct
import threading

# API key: (lowest version, highest version). The lowest of Produce is advertised for old librdkafka only.
OFFERED = {0: (0, 13), 1: (4, 18), 2: (1, 11), 3: (0, 13), 8: (2, 10), 9: (1, 10), 10: (0, 6), 11: (0, 9), 12: (0, 4),
           13: (0, 5), 14: (0, 5), 15: (0, 6), 16: (0, 5), 18: (0, 4), 19: (2, 7), 20: (1, 6), 21: (0, 2), 22: (0, 5),
           23: (2, 4), 32: (1, 4), 33: (0, 2), 35: (1, 5), 37: (0, 3), 42: (0, 2), 44: (0, 1), 47: (0, 0), 60: (0, 2),
           74: (0, 1), 75: (0, 0)}
API_VERSIONS = 18


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def narrowed(body, version):
    """An ApiVersions response body with only what is offered; a refusal (any error) is left as it is."""
    error = struct.unpack_from(">h", body)[0]
    if error != 0:
        return body
    if version >= 3:
        count, at = varint(body, 2)
        entry_bytes = 7  # key, lowest, highest, no tagged fields
        count -= 1
    else:
        count, at, entry_bytes = struct.unpack_from(">i", body, 2)[0], 6, 6
    kept = b""
    kept_count = 0
    for _ in range(count):
        key, low, high = struct.unpack_from(">hhh", body, at)
        at += entry_bytes
        if key in OFFERED:
            low, high = max(low, OFFERED[key][0]), min(high, OFFERED[key][1])
            kept += struct.pack(">hhh", key, low, high) + (b"\0" if version >= 3 else b"")
            kept_count += 1
    if version >= 3:
        return struct.pack(">h", 0) + bytes([kept_count + 1]) + kept + struct.pack(">i", 0) + b"\0"
    return struct.pack(">hi", 0, kept_count) + kept + body[at:]


class ApiFilter:
    """Listens on a free loopback port from start() on; `bootstrap` is its address. Refused requests are in `refused`."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.refused = []
        self.upstream = None
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def listen(self):
        """Opens the port, so that the server can be told to advertise it, before `upstream` is known."""
        self.thread.start()
        opened = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 28), self.loop)
        self.bootstrap = "127.0.0.1:%d" % opened.result(10).sockets[0].getsockname()[1]
        return self

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def serve(self, reader, writer):
        asked = {}
        try:
            host, port = self.upstream.split(":")
            up_reader, up_writer = await asyncio.open_connection(host, int(port), limit=1 << 28)
        except OSError:
            writer.close()
            return
        try:
            done, pending = await asyncio.wait(
                [asyncio.ensure_future(self.requests(reader, up_writer, asked)),
                 asyncio.ensure_future(self.responses(up_reader, writer, asked))], return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            for task in done:
                task.exception()
        finally:
            writer.close()
            up_writer.close()

    @staticmethod
    async def frame(reader):
        size = struct.unpack(">i", await reader.readexactly(4))[0]
        return await reader.readexactly(size)

    async def requests(self, reader, up_writer, asked):
        while True:
            frame = await self.frame(reader)
            key, version, correlation = struct.unpack_from(">hhi", frame)
            low, high = OFFERED.get(key, (0, -1))
            if key == API_VERSIONS:
                asked[correlation] = version if version <= high else 0
            elif not low <= version <= high:
                self.refused.append((key, version))
                return
            up_writer.write(struct.pack(">i", len(frame)) + frame)
            await up_writer.drain()

    async def responses(self, up_reader, writer, asked):
        while True:
            frame = await self.frame(up_reader)
            correlation = struct.unpack_from(">i", frame)[0]
            if correlation in asked:
                frame = frame[:4] + narrowed(frame[4:], asked.pop(correlation))
            writer.write(struct.pack(">i", len(frame)) + frame)
            await writer.drain()
