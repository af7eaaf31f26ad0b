"""`make dev`, at a terminal."""

import contextlib
import os
import pty
import re
import select
import socket
import sys
import time
import urllib.request

import pytest

from tests.harness.project import HOST, Project, end, free_port, wait_until_healthy

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal"),
]
PATIENCE = 60.0


def read(terminal: int) -> str:
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if not ready:
        return ""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the other end is closed
        return ""


def answers(said: str) -> bool:
    found = re.search(r"http://127\.0\.0\.1:\d+(?=/docs)", said)
    if found is None:
        return False
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"{found[0]}/health/ready").status == 200
    return False


@pytest.mark.parametrize("options", [[], ["--no-reload"]], ids=["reload", "no reload"])
def test_ctrl_c_stops_make_dev_cleanly(project: Project, options: list[str]) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.path)
        os.environ.pop("DATABASE_URL", None)
        command = [project.python, "-m", "scripts.dev", "--port", "0", *options]
        os.execv(command[0], command)  # noqa: S606 - we are the child
    said, deadline = "", time.monotonic() + PATIENCE
    while not answers(said) and time.monotonic() < deadline:
        said += read(terminal)
    os.write(terminal, b"\x03")
    ended = 0
    while not ended and time.monotonic() < deadline:
        said += read(terminal)
        ended, status = os.waitpid(pid, os.WNOHANG)
    os.close(terminal)
    assert ended, said
    assert os.waitstatus_to_exitcode(status) == 0, said
    assert "Traceback" not in said
    assert not (project.path / ".data" / "postgres" / "postmaster.pid").exists()


def test_make_dev_listens_on_port(project: Project) -> None:
    port = free_port()
    environment = {"PORT": str(port)}
    service = project.start("scripts.dev", "--no-reload", environment=environment)
    try:
        wait_until_healthy(service, f"http://{HOST}:{port}", project.log)
    finally:
        end(service)


def test_port_in_use_is_reported_with_the_fix(project: Project) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AssertionError) as failed:
            project.run(project.python, "-m", "scripts.dev", "--port", str(port))
    said = f'make dev: port {port} is in use: make dev ARGS="--port {port + 1}"'
    assert said in str(failed.value)
