"""Requests with deceptive framing, and requests that try to block the process."""

import contextlib
import socket
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import ask
from tests.harness.liveness_probe import probing
from tests.harness.project import HOST
from tests.harness.service_process import Replica, replica
from tests.live.faults.conftest import World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

PATIENCE = 1  # CLIENT_TIMEOUT of the service here
LATE = 3 * PATIENCE
LINGER = 2  # seconds in which data after a rejected request are dropped
JSON = "Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def service(world: World) -> Iterator[Replica]:
    """A service with a short CLIENT_TIMEOUT that trusts the client as a proxy."""
    settings = {
        "DATABASE_URL": world.server.create("framing", "prepared"),
        "CLIENT_TIMEOUT": str(PATIENCE),
        "TRUSTED_PROXIES": HOST,
        "MAX_REQUESTS_IN_PROGRESS": "20",
    }
    with replica(world.project, world.folder / "framing.log", settings) as service:
        yield service


def head(title: str, *lines: str, body: str | None = None) -> bytes:
    own = f'{{"title": "{title}"}}' if body is None else body
    length = "" if "chunked" in "".join(lines) else f"Content-Length: {len(own)}\r\n"
    more = "".join(f"{line}\r\n" for line in lines)
    return f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{length}{more}\r\n{own}".encode()


def received(raw: socket.socket) -> bytes:
    """Return all data until the service closes the connection."""
    raw.settimeout(LATE)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := raw.recv(65536):
            answer += part
    return answer


@contextlib.contextmanager
def connected(service: Replica) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, service.port), timeout=10) as raw:
        yield raw


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_body_is_never_parsed_as_a_request(service: Replica, protocol: str) -> None:
    upgrade = ("Connection: Upgrade", f"Upgrade: {protocol}", JSON.strip())
    with connected(service) as raw:
        raw.sendall(head("", *upgrade, body="")[:-2].replace(b": 0", b": 99") + b"\r\n")
        time.sleep(0.1)
        with contextlib.suppress(OSError):
            raw.sendall(b"DELETE /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = received(raw)
    assert answer.startswith(b"HTTP/1.1 408 ")  # the rest of the body did not come
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not [line for line in service.lines() if line.get("method") == "DELETE"]


def test_bytes_after_a_body_are_never_parsed_as_headers(service: Replica) -> None:
    chunks = '10\r\n{"title": "aaa"}\r\n0\r\n'
    trailers = "X-Forwarded-For: 203.0.113.7\r\nContent-Type: application/json\r\n\r\n"
    lines = ("Transfer-Encoding: chunked", "Connection: close")
    with connected(service) as raw:
        raw.sendall(head("", *lines, body=chunks + trailers))
        assert received(raw).startswith(b"HTTP/1.1 415 ")
    assert "203.0.113.7" not in service.log.read_text()


def ends(raw: socket.socket, *, within: float) -> bool:
    """Return whether the service closes the connection of a client that keeps sending."""
    deadline = time.monotonic() + within
    try:
        while time.monotonic() < deadline:
            raw.sendall(b"a" * 65536)
    except ConnectionError:
        return True
    return False


def test_endless_trailers_do_not_block_others(service: Replica) -> None:
    with connected(service) as raw, probing(service.port) as probe:
        raw.sendall(
            head("", "Transfer-Encoding: chunked", JSON.strip(), body="0\r\nX: ")
        )
        assert ends(raw, within=3 * LINGER)
        time.sleep(0.2)
    assert max(beat.seconds for beat in probe.beats) < 3 * 0.1


def test_write_is_acknowledged_before_a_rejected_request(service: Replica) -> None:
    """A write is acknowledged, even if an invalid request follows on the connection."""
    with connected(service) as raw:
        raw.sendall(head(uuid.uuid4().hex, JSON.strip()) + b"GARBAGE\r\n\r\n")
        answer = received(raw)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_idle_connection_is_closed(service: Replica) -> None:
    with connected(service) as raw:
        raw.sendall(b"GET /health/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")
        raw.sendall(b"\r\n")
        received(raw)  # or it waits, in vain, and is late


def test_clients_that_do_not_read_do_not_block_others(service: Replica) -> None:
    """There are more of them than requests are allowed in progress."""
    for _ in range(100):
        with connected(service) as raw:
            raw.sendall(head(uuid.uuid4().hex, JSON.strip(), "Connection: close"))
            received(raw)
    lists = f"GET {PATH}?limit=100&total=false HTTP/1.1\r\nHost: x\r\n\r\n" * 500
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            raw = stack.enter_context(connected(service))
            raw.setblocking(False)
            with contextlib.suppress(OSError):
                raw.sendall(lists.encode())
        deadline = time.monotonic() + 60
        while ask(service.port, f"{PATH}?limit=1").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
