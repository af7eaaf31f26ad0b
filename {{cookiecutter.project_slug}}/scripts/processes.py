"""Processes and ports of this machine, and commands that run with a database."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HOST = "127.0.0.1"


def configured(name: str) -> str | None:
    """Return a variable of the environment or of .env; empty means not set."""
    value = os.environ.get(name)
    if value:
        return value
    from dotenv import dotenv_values  # all other code needs only the standard library

    return dotenv_values(".env").get(name)


def run(command: Sequence[str], url: str) -> int:
    """Run the command with DATABASE_URL, forward signals, and return its status."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which(command[0], path=path)
    if program is None:
        print(f"{command[0]}: command not found", file=sys.stderr)
        return 127
    environment = {**os.environ, "DATABASE_URL": url, "PATH": path}
    with (
        _forwarding() as hand_on_to,
        subprocess.Popen([program, *command[1:]], env=environment) as process,
    ):
        hand_on_to(process)
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _forwarding() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Forward signals to a process; signals that arrive before its start are kept."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    target: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def receive(number: int, _: object) -> None:
        if target:
            _forward(target[0], number)
        else:
            early.append(number)

    def hand_on_to(process: subprocess.Popen[bytes]) -> None:
        target.append(process)
        for number in early:
            _forward(process, number)

    before = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield hand_on_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _forward(process: subprocess.Popen[bytes], number: int) -> None:
    """Send the signal, except a Ctrl-C that the process gets from the terminal."""
    with contextlib.suppress(OSError):
        if number == signal.SIGINT and os.tcgetpgrp(0) == os.getpgrp():
            return
    process.send_signal(number)


def is_alive(pid: int) -> bool:
    """Return whether the process exists, with any owner."""
    try:
        os.kill(pid, 0)  # for pid 0, our own process group, this always succeeds
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # a process of another user
    return pid > 0


def answers(port: int) -> bool:
    """Return whether a process listens on the port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
