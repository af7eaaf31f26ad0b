"""DATABASE_READ_URL with a streaming replica of PostgreSQL."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.harness.postgres_server import Server
from tests.live.ownership.conftest import Shop, Start

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

PATIENCE = 30.0  # seconds; the service tries a replica again after five
REPLICATED = 10.0
SOON = 1.0


@dataclass(frozen=True)
class Pair:
    """A shop with its primary and its replica."""

    shop: Shop
    standby: Server

    def wait_for_reads_on(self, server: Server) -> None:
        """Wait until this server answers a GET."""
        deadline = time.monotonic() + PATIENCE
        while self.shop.send("GET", "/sessions/where").text != str(server.port):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def checks(self) -> tuple[int, str]:
        answer = self.shop.send("GET", "/health/ready")
        return answer.status, answer.json["checks"]["replica"]

    def wait_for_check(self, result: str) -> int:
        """Wait until readiness says this of the replica; return its status."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.checks())[1] != result:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found[0]


@pytest.fixture(scope="module")
def pair(
    postgres: Server, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    standby = Server(tmp_path_factory.mktemp("standby"), primary=postgres)
    standby.start()
    try:
        with start(replica=standby) as shop:
            yield Pair(shop, standby)
    finally:
        standby.stop()


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[None]:
    server.stop()
    yield
    server.start()


@contextlib.contextmanager
def paused(server: Server) -> Iterator[None]:
    with server.frozen():
        yield


def test_reads_go_to_the_replica_and_writes_to_the_primary(pair: Pair) -> None:
    pair.wait_for_reads_on(pair.standby)
    product = pair.shop.product()
    path = f"/api/v1/products/{product['id']}"
    deadline = time.monotonic() + REPLICATED
    while (answer := pair.shop.send("GET", path)).status == 404:
        assert time.monotonic() < deadline
    assert answer.json == product
    assert pair.shop.send("PATCH", path, {"note": "new"}).json["note"] == "new"


def test_a_write_while_reading_names_the_writing_session(pair: Pair) -> None:
    answer = pair.shop.send("GET", "/sessions/reading/core_insert")
    assert answer.status == 500
    [line] = pair.shop.logged(answer, "unhandled_exception")
    assert "WriteSessionDep" in line["exception_message"]
    assert pair.shop.send("GET", "/sessions/writing/core_insert").status == 200


def test_readiness_shows_the_replica(pair: Pair) -> None:
    assert pair.wait_for_check("ok") == 200


@pytest.mark.parametrize("away", [stopped, paused])
def test_reads_use_the_primary_while_the_replica_is_down(
    pair: Pair, away: Callable[[Server], AbstractContextManager[None]]
) -> None:
    pair.wait_for_reads_on(pair.standby)
    with away(pair.standby):
        answers = [pair.shop.send("GET", "/sessions/where") for _ in range(10)]
        # One request may find out, and be late; a pause cannot be seen in advance.
        late = [answer for answer in answers if answer.seconds > SOON]
        assert len(late) <= 1
        failed = [answer for answer in answers if answer.status != 200]
        assert [answer.status for answer in failed] in ([], [503])
        served = [answer for answer in answers if answer.status == 200]
        assert {answer.json for answer in served} == {pair.shop.server.port}
        created = pair.shop.product(name=uuid.uuid4().hex)
        path = f"/api/v1/products/{created['id']}"
        assert pair.shop.send("GET", path).json == created
        # Requests are served without it, so the service stays ready.
        assert pair.wait_for_check("unavailable") == 200
    pair.wait_for_reads_on(pair.standby)
    assert pair.wait_for_check("ok") == 200
    errors = [line["event"] for line in pair.shop.service.lines()]
    assert "replica_unavailable" in errors
