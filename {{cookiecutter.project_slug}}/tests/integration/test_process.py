"""The service as the image runs it: it migrates, serves, and ends on SIGTERM."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from dotenv import dotenv_values

from tests.conftest import fresh_database, server_url

ROOT = Path(__file__).parents[2]

POST = b"POST /no HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"GET /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
# What a client sends, and the status of each answer until the connection ends.
SENT = (
    (LAST, [404]),
    (POST + b"Content-Length: 4\r\n\r\nbody" + LAST, [404, 404]),
    (CHUNKED + b"4\r\nbody\r\n0\r\nX-Trailer: y\r\n\r\n" + LAST, [404, 404]),
    (POST + b"Upgrade: h2c\r\nContent-Length: 4\r\n\r\nbody" + LAST, [404, 404]),
    (POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n" + LAST, [404, 404]),
    (b"NO HTTP\r\n\r\n", [400]),
    (b"GET / HTTP/1.1\r\n\r\n", [400]),
    (POST + b"X-Name : y\r\n\r\n", [400]),
    (POST + b"Content-Length: 1, 1\r\n\r\n", [400]),
    (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", [400]),
    (CHUNKED + b"no length\r\n", [400]),
    (POST + b"X-Long: " + 100_000 * b"x", [431]),
)
STATUS = re.compile(rb"HTTP/1\.1 (\d+) ")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")


class Process:
    """The service as a process of its own, and the commands of its image."""

    def __init__(self, database_url: str) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        example = dotenv_values(ROOT / ".env.example")
        self.environment = {
            # COVERAGE_PROCESS_CONFIG among them, by which the process is measured.
            **os.environ,
            **{name: value or "" for name, value in example.items()},
            "ENVIRONMENT": "test",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DATABASE_URL": database_url,
        }

    def start(self, *module: str) -> subprocess.Popen[bytes]:
        """Start a module of the service."""
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
        )

    def run(self, *module: str) -> int:
        """Run a module of the service, and return its exit status."""
        with self.start(*module) as process:
            process.communicate(timeout=60)
        return process.returncode


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database."""
    with fresh_database(server_url(request.config)) as url:
        yield url


def wait_until_ready(service: subprocess.Popen[bytes], url: str) -> None:
    """Wait for the first answer that says so: a busy machine may need a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and service.poll() is None:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/health/ready").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the service does not start")


def answers(port: int, sent: bytes) -> bytes:
    """Return all that is answered to some bytes, until the connection ends."""
    with closing(socket.create_connection(("127.0.0.1", port), 30)) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def logged(output: bytes) -> list[dict[str, Any]]:
    """Return the log lines of a process."""
    return [json.loads(line) for line in output.splitlines()]


def test_the_process_serves_and_ends_with_0_on_sigterm(
    database_url: str,
) -> None:
    image = Process(database_url)
    assert image.run("src.migrate") == 0
    with image.start("src") as service:
        try:
            wait_until_ready(service, image.url)
            assert image.run("src.healthcheck") == 0
            with httpx2.Client(base_url=image.url) as client:
                assert "Server" not in client.get("/health/health").headers
                # The limit of a head does not apply to a body.
                assert client.post("/no", content=100_000 * b"x").status_code == 404
            for sent, statuses in SENT:
                found = STATUS.findall(answers(image.port, sent))
                assert list(map(int, found)) == statuses, sent[:80]
            service.send_signal(signal.SIGTERM)
            output, _ = service.communicate(timeout=60)
        finally:
            service.kill()
    assert service.returncode == 0
    events = [line["event"] for line in logged(output)]
    refused = [statuses for _, statuses in SENT if statuses != [404] * len(statuses)]
    assert events.count("request_refused") == len(refused)
    for event in ("service_started", "request", "draining", "service_stopped"):
        assert event in events
    assert image.run("src.healthcheck") == 1
