"""What this machine knows about processes and ports."""

import os
import socket

HOST = "127.0.0.1"


def is_alive(pid: int) -> bool:
    """Whether there is such a process, whoever it belongs to."""
    try:
        os.kill(pid, 0)  # of 0, our own group, it says nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's process
    return pid > 0


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
