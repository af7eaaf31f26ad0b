"""The database fails while clients write and a supervisor asks for health.

The same process of the service goes through all faults, and has to recover by itself.
What it acknowledged is compared with the table each time.
"""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGQUIT

import pytest

from tests.harness.concurrent_writers import Ledger, writing
from tests.harness.liveness_probe import probing
from tests.harness.postgres_server import SERVICE
from tests.harness.project import Ended
from tests.live.faults.conftest import RECOVERED, World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

Fault = Callable[[World], AbstractContextManager[None]]


@contextlib.contextmanager
def stopped(world: World) -> Iterator[None]:
    world.server.stop(SIGINT)
    yield
    world.server.start()


@contextlib.contextmanager
def stopped_at_once(world: World) -> Iterator[None]:
    world.server.stop(SIGQUIT)
    yield
    world.server.start()


@contextlib.contextmanager
def killed(world: World) -> Iterator[None]:
    world.server.kill()
    yield
    world.server.start()


@contextlib.contextmanager
def frozen(world: World) -> Iterator[None]:
    with world.server.frozen():
        yield


@contextlib.contextmanager
def restarted(world: World) -> Iterator[None]:
    for _ in range(3):
        world.server.stop()
        world.server.start()
        time.sleep(0.3)
    yield


@contextlib.contextmanager
def backends_terminated(world: World) -> Iterator[None]:
    for _ in range(10):
        world.server.terminate(world.database)
        time.sleep(0.1)
    yield


@contextlib.contextmanager
def out_of_connections(world: World) -> Iterator[None]:
    """Other clients use all connections."""
    with contextlib.ExitStack() as others:
        for _ in range(2):
            with contextlib.suppress(Ended):
                while True:
                    others.enter_context(
                        world.server.session("SET work_mem = 64", "postgres", SERVICE)
                    )
            world.server.terminate(world.database)
        yield


@contextlib.contextmanager
def locked(world: World) -> Iterator[None]:
    with world.server.session(
        "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE", world.database
    ):
        yield


@contextlib.contextmanager
def read_only(world: World) -> Iterator[None]:
    """The server is read-only, like a standby."""
    setting = "ALTER SYSTEM {} default_transaction_read_only {}"
    world.server.ask(setting.format("SET", "= on"), "postgres")
    world.server.ask("SELECT pg_reload_conf()", "postgres")
    yield
    world.server.ask(setting.format("RESET", ""), "postgres")
    world.server.ask("SELECT pg_reload_conf()", "postgres")


@contextlib.contextmanager
def widened(world: World) -> Iterator[None]:
    """A migration changes a column that prepared statements answer."""
    for length in (300, 200) * 3:
        widen = f"ALTER TABLE tasks ALTER COLUMN title TYPE varchar({length})"
        world.server.ask(widen, world.database)
        time.sleep(0.2)
    yield


# The table's own pages may still have room.
FILL = """
DO $$ DECLARE size integer; BEGIN
    FOREACH size IN ARRAY ARRAY[900, 0] LOOP BEGIN LOOP
        INSERT INTO tasks (title, description) VALUES ('filler', repeat('x', size));
    END LOOP; EXCEPTION WHEN disk_full THEN NULL; END; END LOOP;
END $$
"""


@contextlib.contextmanager
def disk_full(world: World) -> Iterator[None]:
    """The table is on a small disk, which another file fills."""
    move = "ALTER TABLE tasks SET TABLESPACE {}"
    with mounted("size=16m,mode=777") as disk:
        place = world.server.make_folder(disk / "place")
        world.server.ask(f"CREATE TABLESPACE small LOCATION '{place}'", "postgres")
        world.server.ask(move.format("small"), world.database)
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"." * 4096):
                pass
        world.server.ask(FILL, world.database)
        yield
        filler.unlink()
        world.server.ask(move.format("pg_default"), world.database)
        world.server.ask("DROP TABLESPACE small", "postgres")


@contextlib.contextmanager
def mounted(options: str) -> Iterator[Path]:
    # Not in pytest's folder, which only root can enter.
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        Path(folder).chmod(0o755)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@dataclass(frozen=True)
class Scenario:
    """A fault, how long it lasts, and whether writers must have noticed it."""

    fault: Fault
    seconds: float
    felt: bool = True
    writers: int = 6
    slow: bool = False


SCENARIOS = [
    Scenario(stopped, 2, slow=True),
    Scenario(stopped_at_once, 1, slow=True),
    Scenario(killed, 1),
    Scenario(frozen, 8),
    Scenario(restarted, 0, felt=False, slow=True),
    Scenario(backends_terminated, 0, felt=False),
    Scenario(out_of_connections, 2, slow=True),
    Scenario(locked, 4, writers=24),  # more than there are connections
    Scenario(widened, 0, felt=False, slow=True),
    Scenario(read_only, 1, slow=True),
    Scenario(disk_full, 1),
]


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(
            scenario,
            id=scenario.fault.__name__,
            marks=pytest.mark.slow if scenario.slow else (),
        )
        for scenario in SCENARIOS
    ],
)
def test_service_recovers_and_loses_no_acknowledged_write(
    world: World, scenario: Scenario
) -> None:
    port = world.service.port
    with probing(port) as probe, writing(lambda: port, scenario.writers) as ledger:
        time.sleep(0.7)
        with scenario.fault(world):
            time.sleep(scenario.seconds)
            wait_until_felt(ledger, scenario)
        assert world.wait_until_it_serves() < RECOVERED
        time.sleep(0.5)
    world.check_ledger(ledger)
    world.check_probe(probe)
    world.check_idle()
    world.check_log()
    assert 0 not in ledger.statuses


def wait_until_felt(ledger: Ledger, scenario: Scenario) -> None:
    """Wait until a writer gets a 503: a fault that none notices proves nothing."""
    deadline = time.monotonic() + 30
    while scenario.felt and not ledger.statuses[503]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
