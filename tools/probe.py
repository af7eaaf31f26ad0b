"""Asks a process whether it is alive, beside another that has nothing else to do.

    python -m tools.probe PORT PATH

It prints a line of JSON for each answer, `[status, seconds, idle seconds]`, until its
standard input ends. A machine that is busy makes both late; a process that is blocked is
late alone. It runs in a process of its own, which no test shares.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from threading import Thread

from tools.project import HOST
from tools.replica import ask

PAUSE = 0.05
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def main(port: int, path: str) -> None:
    """Ask both in turn."""
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
    """Run a process that does nothing but answer; give its port."""
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
