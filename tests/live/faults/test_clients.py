"""Clients that disconnect during a request leak no resources."""

import contextlib
import json
import re
import socket
import struct
import time
import uuid

import pytest

from tests.harness.concurrent_writers import PATH, writing
from tests.harness.http_client import Client, ask
from tests.harness.liveness_probe import probing
from tests.harness.project import HOST
from tests.live.faults.conftest import World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

MANY = 50
# With it, closing a socket resets the connection, whatever was still to be sent.
RESET = struct.pack("ii", 1, 0)


def connect(port: int) -> socket.socket:
    raw = socket.create_connection((HOST, port), timeout=10)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return raw


def request(title: str, *, length: int | None = None) -> bytes:
    body = json.dumps({"title": title}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


def gauge(world: World, name: str) -> float:
    """Return a gauge of the service: the sum of its series."""
    page = ask(world.service.port, "/metrics/metrics").text
    found = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)
    assert found, page
    return sum(map(float, found))


def wait_until_idle(world: World) -> None:
    deadline = time.monotonic() + 10
    idle = {"database_pool_checked_out": 0.0, "http_requests_in_progress": 1.0}
    while time.monotonic() < deadline:
        found = {name: gauge(world, name) for name in idle}
        if found == idle:
            break
        time.sleep(0.1)
    assert found == idle
    world.check_idle()
    world.check_log()


def test_client_disconnect_in_a_body_leaks_nothing(world: World) -> None:
    title = uuid.uuid4().hex
    with probing(world.service.port) as probe:
        for _ in range(MANY):
            with connect(world.service.port) as raw:
                raw.sendall(request(title, length=500))
        time.sleep(0.3)
    wait_until_idle(world)
    world.check_probe(probe)
    assert title not in world.stored()


def test_disconnected_clients_do_not_block_others(
    world: World,
) -> None:
    """There are more of them than connections; others are served meanwhile."""
    titles = [uuid.uuid4().hex for _ in range(MANY)]
    port = world.service.port
    row = "SELECT FROM tasks WHERE title = 'held' FOR UPDATE"
    with contextlib.closing(Client(port)) as client:
        held = client.send("POST", PATH, {"title": "held"}).json["id"]
    with probing(port) as probe, writing(lambda: port) as ledger:
        with world.server.session(f"BEGIN; {row}", world.database):
            for title in titles:
                with connect(port) as raw:
                    change = request(title).replace(b"POST ", b"PATCH ", 1)
                    raw.sendall(
                        change.replace(PATH.encode(), f"{PATH}/{held}".encode())
                    )
                    time.sleep(0.01)
        world.wait_until_it_serves()
        time.sleep(0.5)
    wait_until_idle(world)
    world.check_ledger(ledger)
    world.check_probe(probe)
    assert 0 not in ledger.statuses


def test_client_disconnect_before_the_response_leaks_nothing(
    world: World,
) -> None:
    titles = [uuid.uuid4().hex for _ in range(MANY)]
    with probing(world.service.port) as probe:
        for title in titles:
            with connect(world.service.port) as raw:
                raw.sendall(request(title))
            time.sleep(0.01)  # as one burst they would be a test of the machine's speed
        for _ in range(MANY):
            with connect(world.service.port) as raw:
                raw.sendall(
                    f"GET {PATH}?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                )
                raw.recv(1)
        time.sleep(0.3)
    wait_until_idle(world)
    world.check_probe(probe)
    stored = world.stored()
    assert all(len(stored.get(title, [])) <= 1 for title in titles)


def test_half_sent_requests_hold_no_database_connection(world: World) -> None:
    """Half-open requests cost a socket each, and no connection of the database."""
    with contextlib.ExitStack() as slow:
        for _ in range(200):
            raw = slow.enter_context(connect(world.service.port))
            raw.sendall(request("slow", length=500)[:-5])
        port = world.service.port
        with probing(port) as probe, writing(lambda: port) as ledger:
            time.sleep(1)
        world.check_probe(probe)
        world.check_ledger(ledger)
        assert set(ledger.statuses) <= {200, 201, 204}
    wait_until_idle(world)
