"""Processes and ports of this machine."""

import os
import socket

HOST = "127.0.0.1"


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
