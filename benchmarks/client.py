"""A load generator if wrk is not installed: `python client.py URL SECONDS CONNECTIONS`.

It takes several times the CPU of wrk, so its figures compare only with each other.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit


def requests() -> Callable[[], bytes]:
    """Return a function that creates requests; BENCH_WORK selects their kind."""
    environ = os.environ
    ids = Path(environ["BENCH_IDS"]).read_text().split()
    dice = random.Random(int(environ["BENCH_SEED"]))
    made = 0

    def get() -> bytes:
        return _request("GET", environ["BENCH_GET"].replace("{id}", dice.choice(ids)))

    def page() -> bytes:
        return _request("GET", environ["BENCH_LIST"])

    def create() -> bytes:
        nonlocal made
        made += 1
        text = f"{environ['BENCH_PREFIX']}{made}"
        body = environ["BENCH_BODY"].replace("{n}", text)
        return _request(environ["BENCH_METHOD"], environ["BENCH_CREATE"], body)

    def mixed() -> bytes:
        return dice.choices((get, page, create), (80, 15, 5))[0]()

    works = {"get": get, "list": page, "create": create, "mixed": mixed}
    return works[environ["BENCH_WORK"]]


def _request(method: str, path: str, body: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if token := os.environ.get("BENCH_TOKEN"):
        head += f"Authorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body}".encode()


class Tally:
    """The responses of all connections."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.refused = self.failed = 0


async def connection(
    host: str, port: int, make: Callable[[], bytes], end: float, tally: Tally
) -> None:
    """Send one request after the other until the time is up."""
    reader, writer = await asyncio.open_connection(host, port)
    pause = float(os.environ["BENCH_PAUSE"]) / 1e3
    while time.perf_counter() < end:
        if pause:
            await asyncio.sleep(random.uniform(0, 2 * pause))
        started = time.perf_counter()
        writer.write(make())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
        except (OSError, asyncio.IncompleteReadError):
            tally.failed += 1
            reader, writer = await asyncio.open_connection(host, port)
            continue
        tally.times.append(time.perf_counter() - started)
        tally.refused += head[9:10] != b"2"
    writer.close()


async def main(url: str, seconds: float, connections: int) -> None:
    """Print the result as one line of JSON."""
    address, tally, make = urlsplit(url), Tally(), requests()
    started = time.perf_counter()
    await asyncio.gather(
        *(
            connection(
                str(address.hostname),
                address.port or 80,
                make,
                started + seconds,
                tally,
            )
            for _ in range(connections)
        )
    )
    times = sorted(tally.times) or [0.0]
    result = {
        "requests": len(tally.times),
        "seconds": time.perf_counter() - started,
        "refused": tally.refused,
        "failed": tally.failed,
        "p50": times[len(times) // 2] * 1e3,
        "p99": times[int(len(times) * 0.99)] * 1e3,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
