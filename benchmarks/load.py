"""Puts load on a service: with wrk if it is installed, otherwise with client.py."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
CLIENT = Path(__file__).with_name("client.py")


@dataclass(frozen=True)
class Target:
    """The requests of one service; `{id}` is replaced by an id, `{n}` by new text."""

    url: str
    get: str
    list: str
    create: str
    ids: Path
    body: str = '{"title": "Task {n}", "description": "Made under load"}'
    method: str = "POST"  # of a create
    token: str | None = None


@dataclass(frozen=True)
class Result:
    """The result of one run; times in milliseconds."""

    requests: int
    seconds: float
    refused: int  # responses with another status than 2xx
    failed: int  # requests without a response
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "client.py"


def run(
    target: Target,
    work: str,
    *,
    seconds: int,
    connections: int,
    seed: int = 1,
    pause: int = 0,
) -> Result:
    """Send requests of one kind, each connection the next when it got its answer.

    With a pause, in milliseconds, it waits in between: what is offered is then known.
    """
    options = {
        "BENCH_WORK": work,
        "BENCH_GET": target.get,
        "BENCH_LIST": target.list,
        "BENCH_CREATE": target.create,
        "BENCH_METHOD": target.method,
        "BENCH_BODY": target.body,
        "BENCH_IDS": str(target.ids),
        "BENCH_SEED": str(seed),
        "BENCH_PAUSE": str(pause),
        "BENCH_PREFIX": uuid.uuid4().hex[:8],
        "BENCH_TOKEN": target.token or "",
    }
    command = _command(target.url, seconds, connections)
    done = subprocess.run(
        command,
        env={**os.environ, **options},
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return Result(**json.loads(lines[-1]))


def _command(url: str, seconds: int, connections: int) -> Sequence[str]:
    if generator() == "wrk":
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        return ["wrk", *options, "-s", str(SCRIPT), url]
    return [sys.executable, str(CLIENT), url, str(seconds), str(connections)]
