"""The service as a process: it starts, serves and ends."""

import json
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

from src.core.config import Settings

ROOT = Path(__file__).parents[2]

REFUSED = (
    (b"NO HTTP\r\n\r\n", 400, "bad_request"),
    (b"GET / HTTP/1.1\r\nX-Long: " + 100_000 * b"x", 431, "header_too_large"),
)


class Service:
    """The service as a process of its own."""

    def __init__(self, settings: Settings) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "src"],
            cwd=ROOT,
            env={
                **{k: v or "" for k, v in dotenv_values(ROOT / ".env.example").items()},
                "PATH": "",
                "ENVIRONMENT": "test",
                "HOST": "127.0.0.1",
                "PORT": str(self.port),
                "DATABASE_URL": settings.database_url,
            },
            stdout=subprocess.PIPE,
        )

    def wait_until_ready(self) -> httpx2.Response:
        """Ask until the service is ready: a busy machine may need a moment."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx2.TransportError):
                answer = httpx2.get(f"http://127.0.0.1:{self.port}/health/ready")
                if answer.status_code == 200:
                    return answer
            time.sleep(0.05)
        raise AssertionError("the service does not start")

    def stop(self) -> tuple[int, list[dict[str, Any]]]:
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=60)
        lines = [json.loads(line) for line in output.splitlines()]
        return self.process.returncode, lines


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    """`python -m src`, running."""
    service = Service(settings)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_the_process_serves_and_ends_with_0_on_sigterm(service: Service) -> None:
    assert "Server" not in service.wait_until_ready().headers
    for sent, status, error in REFUSED:
        with closing(socket.create_connection(("127.0.0.1", service.port), 30)) as raw:
            raw.sendall(sent)
            answer = b"".join(iter(lambda: raw.recv(4096), b""))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (sent, answer)
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == error
    # The limit of a head does not apply to a body.
    url = f"http://127.0.0.1:{service.port}/nothing"
    assert httpx2.post(url, content=100_000 * b"x").status_code == 404
    code, lines = service.stop()
    assert code == 0
    events = [line["event"] for line in lines]
    assert events.count("request_refused") == len(REFUSED)
    for event in ("service_started", "request", "draining", "service_stopped"):
        assert event in events
