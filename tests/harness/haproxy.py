"""HAProxy with the project's file, in front of a server on this machine."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.harness.http_client import ask
from tests.harness.project import HOST, PATIENCE, ROOT, Ended, end, free_port

# It is the same for all options of the template.
FILE = ROOT / "{{cookiecutter.project_slug}}" / "docker" / "proxy" / "haproxy.cfg"


@contextlib.contextmanager
def in_front_of(
    backend: int, program: str, folder: Path, more: str = ""
) -> Iterator[int]:
    """Run HAProxy in front of a port; yield its own port.

    `more` is added to the file, for its backend.
    """
    port = free_port()
    subprocess.run([program, "-c", "-f", str(FILE)], check=True)
    own = folder / "haproxy.cfg"
    own.write_text(_adapted(FILE.read_text(), port, backend) + more)
    process = subprocess.Popen([program, "-db", "-f", str(own)])
    try:
        _wait_until_served(port)
        yield port
    finally:
        end(process)


def _adapted(text: str, port: int, backend: int) -> str:
    servers = "server-template app 10 app:8000 resolvers docker init-addr none"
    for old, new in (
        ("bind :8000", f"bind {HOST}:{port}"),
        (servers, f"server app {HOST}:{backend}"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _wait_until_served(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if ask(port, "/health/health").status == 200:
            return
        time.sleep(0.1)
    raise Ended("the proxy does not start")
