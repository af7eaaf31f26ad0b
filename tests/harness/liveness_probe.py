"""Asks a process for its health all the time, and an idle process next to it.

    python -m tests.harness.liveness_probe PORT PATH

It prints one line of JSON per answer, `[status, seconds, idle seconds]`, until its
standard input is closed. On a busy machine both processes answer late; a blocked process
is late alone. The probe is a process of its own, so that no test delays it.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from threading import Thread

from tests.harness.http_client import ask
from tests.harness.project import HOST, ROOT

PAUSE = 0.05
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Beat:
    """One answer of the watched process, and the slower answer of the idle one."""

    status: int
    seconds: float
    idle_seconds: float


@dataclass
class Probe:
    """The answers that a supervisor of the process would have seen."""

    beats: list[Beat] = field(default_factory=list)

    @property
    def failures(self) -> list[Beat]:
        return [beat for beat in self.beats if beat.status != 200]

    def times(self, calm: float) -> list[float]:
        """The seconds of each answer, except when the idle process was late too."""
        return [beat.seconds for beat in self.beats if beat.idle_seconds < calm]


@contextlib.contextmanager
def probing(port: int, path: str = "/health/health") -> Iterator[Probe]:
    """Probe the process until the end of the block."""
    probe = Probe()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.liveness_probe", str(port), path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # The probe runs once it has written its first line.
    first = process.stdout.readline() if process.stdout else ""
    try:
        yield probe
    finally:
        said, _ = process.communicate()
        probe.beats += [Beat(*json.loads(line)) for line in (first + said).splitlines()]


def main(port: int, path: str) -> None:
    """Ask both processes in turn."""
    with idle() as other:
        ended = Thread(target=sys.stdin.read, daemon=True)
        ended.start()
        before = ask(other, "/").seconds
        while ended.is_alive():
            answer = ask(port, path)
            after = ask(other, "/").seconds
            beat = [answer.status, answer.seconds, max(before, after)]
            print(json.dumps(beat), flush=True)
            before = after
            time.sleep(PAUSE)


@contextlib.contextmanager
def idle() -> Iterator[int]:
    """Run a process that only answers requests; yield its port."""
    ours, theirs = Pipe()
    process = Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join()


def serve(parent: Connection) -> None:
    asyncio.run(_serve(parent))


async def _serve(parent: Connection) -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
