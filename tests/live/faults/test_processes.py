"""Processes of the service stop, are killed, and replace each other under load."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tests.harness.concurrent_writers import Ledger, writing
from tests.harness.http_client import LOST, ask
from tests.harness.service_process import Replica, replica
from tests.live.faults.conftest import ANSWERED, RECOVERED, World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

Database = tuple[str, dict[str, str]]
ENDED = 3 * 2.0  # seconds to end when all that is left to do is to answer


def check_until(ledger: Ledger, moment: float) -> None:
    """Every request that was sent before this moment was answered with success."""
    before = [answer for answer in ledger.answers if answer.began < moment]
    assert {answer.status for answer in before} <= {200, 201, 204}
    assert LOST in ledger.statuses  # it went on long enough to notice


def test_sigterm_lets_requests_finish(world: World, database: Database) -> None:
    name, settings = database
    with replica(world.project, world.folder / "sigterm.log", settings) as service:
        service.wait("/health/ready")
        with writing(lambda: service.port, 10) as ledger:
            time.sleep(0.7)
            lock = "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE"
            with world.server.session(lock, name):
                time.sleep(0.5)
                asked = time.monotonic()
                service.process.terminate()
                time.sleep(0.5)
                assert service.process.poll() is None
            assert service.process.wait(ENDED) == 0
        check_until(ledger, asked - 0.1)
        waited = [answer for answer in ledger.answers if answer.began < asked - 0.1]
        assert sum(answer.began + answer.seconds > asked for answer in waited) == 10
        world.check_ledger(ledger, name)
        world.check_log(service)
        assert world.server.connections(name) == 0


@pytest.mark.slow
def test_sigterm_while_the_database_is_frozen(world: World, database: Database) -> None:
    name, settings = database
    with replica(world.project, world.folder / "frozen.log", settings) as service:
        service.wait("/health/ready")
        with writing(lambda: service.port) as ledger:
            time.sleep(0.7)
            with world.server.frozen():
                time.sleep(0.5)
                service.process.terminate()
                assert service.process.wait(ANSWERED) == 0
        world.check_ledger(ledger, name)
        world.check_log(service)


@pytest.mark.slow
def test_sigkill_loses_no_acknowledged_write(world: World, database: Database) -> None:
    name, settings = database
    log = world.folder / "sigkill.log"
    for _ in range(3):
        with replica(world.project, log, settings) as service:
            service.wait("/health/ready")
            with writing(lambda: service.port) as ledger:
                time.sleep(1)
                service.kill()
                time.sleep(0.1)
            world.check_ledger(ledger, name)
        deadline = time.monotonic() + RECOVERED
        while world.server.connections(name):
            assert time.monotonic() < deadline
            time.sleep(0.1)


class Balancer:
    """Sends each request to the next replica that is ready."""

    def __init__(self, ports: list[int]) -> None:
        self.ready: list[int] = []
        self._ports = ports
        self._turns = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def choose(self) -> int:
        while not (ready := self.ready):
            time.sleep(0.01)
        return ready[next(self._turns) % len(ready)]

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.ready = [
                port for port in self._ports if ask(port, "/health/ready").status == 200
            ]

    def __enter__(self) -> "Balancer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def replicas(
    world: World, count: int, settings: Mapping[str, str], *module: str
) -> Iterator[tuple[list[Replica], Callable[..., Replica]]]:
    """Start so many at once; also returned is what starts another."""
    with ExitStack() as stack:

        def start(number: int, port: int | None = None) -> Replica:
            log = world.folder / f"replica-{number}.log"
            made = Replica(world.project, log, settings, *module, port=port)
            stack.callback(made.kill)
            return made

        yield [start(number) for number in range(count)], start


@pytest.mark.slow
def test_a_rolling_restart_fails_no_request(world: World, database: Database) -> None:
    name, settings = database
    settings = {**settings, "SHUTDOWN_DELAY": "1"}
    with replicas(world, 2, settings) as (running, start):
        ports = [service.port for service in running]
        with Balancer(ports) as balancer, writing(balancer.choose) as ledger:
            for number, service in enumerate(running):
                running[1 - number].wait("/health/ready")
                time.sleep(0.5)
                assert service.stop() == 0
                running[number] = start(number, service.port)
            running[-1].wait("/health/ready")
            time.sleep(0.5)
        assert set(ledger.statuses) <= {200, 201, 204}
        world.check_ledger(ledger, name)
        for service in running:
            assert service.stop() == 0
            world.check_log(service)


@pytest.mark.slow
def test_eight_replicas_migrate_at_once(world: World) -> None:
    settings = {"DATABASE_URL": world.server.create("eight")}
    with replicas(world, 8, settings, "src.migrate", "--then-serve") as (running, _):
        for service in running:
            service.wait("/health/ready")
        versions = world.server.ask("SELECT count(*) FROM alembic_version", "eight")
        assert versions == "1"
        ports = [service.port for service in running]
        with Balancer(ports) as balancer, writing(balancer.choose) as ledger:
            time.sleep(2)
        assert set(ledger.statuses) <= {200, 201, 204}
        world.check_ledger(ledger, "eight")
        for service in running:
            assert service.stop() == 0
            world.check_log(service)
        assert world.server.connections("eight") == 0
