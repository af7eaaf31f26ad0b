"""Runs a command of the project's environment on a database, signals included."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def configured_url() -> str | None:
    """DATABASE_URL, from the environment or from .env; empty counts as not set."""
    url = os.environ.get("DATABASE_URL")
    if url:
        return url
    from dotenv import dotenv_values  # the rest needs nothing but Python itself

    return dotenv_values(".env").get("DATABASE_URL")


def run(command: Sequence[str], url: str) -> int:
    """Run the command with DATABASE_URL, hand signals on, and return its status."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which(command[0], path=path)
    if program is None:
        print(f"{command[0]}: command not found", file=sys.stderr)
        return 127
    environment = {**os.environ, "DATABASE_URL": url, "PATH": path}
    with (
        subprocess.Popen([program, *command[1:]], env=environment) as process,
        _forwarding(process),
    ):
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _forwarding(process: subprocess.Popen[bytes]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, lambda received, _: _forward(process, received))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _forward(process: subprocess.Popen[bytes], number: int) -> None:
    """A Ctrl-C reaches the whole foreground group: handing it on would double it."""
    with contextlib.suppress(OSError):
        if number == signal.SIGINT and os.tcgetpgrp(0) == os.getpgrp():
            return
    process.send_signal(number)
