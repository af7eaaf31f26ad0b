"""How many connections a process has to its database: what docs/scaling.md promises."""

import contextlib
import threading
import time
from typing import NamedTuple

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import Client
from tests.harness.service_process import replica
from tests.live.faults.conftest import World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

CLIENTS = 40
SECONDS = 3.0


class Pool(NamedTuple):
    size: int
    overflow: int

    @property
    def most(self) -> int:
        return self.size + self.overflow


@pytest.mark.parametrize("pool", [Pool(4, 3), Pool(5, 0), Pool(2, 1)], ids=str)
def test_both_pools_together_stay_within_pool_size_and_overflow(
    world: World, database: tuple[str, dict[str, str]], pool: Pool
) -> None:
    name, settings = database
    settings |= {"POOL_SIZE": str(pool.size), "MAX_OVERFLOW": str(pool.overflow)}
    stop = threading.Event()
    statuses: set[int] = set()

    def work(port: int, number: int) -> None:
        with contextlib.closing(Client(port)) as client:
            while not stop.is_set():
                body = {"title": "x"} if number % 2 else None
                method = "POST" if number % 2 else "GET"
                statuses.add(client.send(method, PATH, body).status)

    with replica(world.project, world.folder / "pools.log", settings) as service:
        threads = [
            threading.Thread(target=work, args=(service.port, number))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        seen = []
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            seen.append(world.server.connections(name))
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses <= {200, 201, 503}, service.said()
    assert {200, 201} <= statuses
    assert max(seen) <= pool.most
    assert max(seen) > pool.most // 2, "both pools were in use"
