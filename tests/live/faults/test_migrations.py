"""Migrations while the service is used: requests wait only for a moment, none fails."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import Answer, Client
from tests.harness.project import PATIENCE, Project, clean_environment
from tests.harness.service_process import Replica, replica
from tests.live.faults.conftest import World

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("simple_task_api"),
]

RATE = 50  # requests a second
READER = 20  # seconds that a transaction holds its lock
LOCK_TIMEOUT = 2  # MIGRATION_LOCK_TIMEOUT
ROWS = """
INSERT INTO tasks (title) SELECT 'Task ' || n FROM generate_series(1, 20000) n
"""
HELD = "BEGIN; SELECT count(*) FROM tasks; SELECT pg_sleep({})"


@pytest.fixture(scope="module")
def next_version(world: World, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same service with migrations that change a table in every way but its types.

    A prepared statement does not survive a change of a type that it returns.
    """
    path = tmp_path_factory.mktemp("next") / "service"
    shutil.copytree(world.project.path, path, ignore=shutil.ignore_patterns(".venv"))
    (path / ".venv").symlink_to(world.project.path / ".venv")
    spec = json.loads((path / "entities.json").read_text())
    (task,) = spec["entities"]
    task["fields"] += [
        {"name": "priority", "type": "integer", "default": 1, "required": True, "ge": 0}
        | {"index": True},
        {"name": "code", "type": "string", "unique": True},
    ]
    fields = {field["name"]: field for field in task["fields"]}
    fields["description"] |= {"required": True, "default": "none", "max_length": 900}
    task["relations"] = [{"name": "parent", "type": "many_to_one", "target": "Task"}]
    (path / "entities.json").write_text(json.dumps(spec))
    project = Project(path)
    project.run(project.python, ".devmatrix/generator.pyz", "apply")
    project.run(project.python, ".devmatrix/generator.pyz", "migrate")
    return project


class Load:
    """Sends requests at a constant rate, whether or not earlier ones are answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[Answer] = []
        self._ended = threading.Event()
        self._clients: SimpleQueue[Client] = SimpleQueue()

    def run(self) -> None:
        task = {"title": "Task", "description": "some"}
        path = f"{PATH}/{self._send('POST', PATH, task).json['id']}"
        with ThreadPoolExecutor(300) as pool:
            sent: list[Future[Answer]] = []
            began = time.monotonic()
            while not self._ended.is_set():
                writes = len(sent) % 5 == 0
                verb = ("PATCH", path, task) if writes else ("GET", path, None)
                sent.append(pool.submit(self._send, *verb))
                time.sleep(max(0, began + len(sent) / RATE - time.monotonic()))
            self.answers = [one.result() for one in sent]

    def _send(self, method: str, path: str, body: object) -> Answer:
        try:
            client = self._clients.get_nowait()
        except Empty:
            client = Client(self.port)
        answer = client.send(method, path, body)
        self._clients.put(client)
        return answer

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            while not self._clients.empty():
                self._clients.get().close()


@pytest.fixture
def service(
    world: World, database: tuple[str, dict[str, str]], tmp_path: Path
) -> Iterator[Replica]:
    name, settings = database
    world.server.ask(ROWS, name)
    pool = {"POOL_SIZE": "20", "MAX_OVERFLOW": "0"}  # as in docker-compose.yml
    log = tmp_path / "service.log"
    with replica(world.project, log, {**settings, **pool}) as service:
        yield service


def migrate(project: Project, settings: dict[str, str]) -> list[dict[str, str]]:
    """Run the migrations as the image does; return the lines of the log."""
    done = subprocess.run(
        [project.python, "-m", "src.migrate"],
        cwd=project.path,
        env={**clean_environment(), "ENVIRONMENT": "production", **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    sys.stdout.write(done.stdout + done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_request_fails_while_a_migration_waits_for_a_reader(
    world: World,
    service: Replica,
    database: tuple[str, dict[str, str]],
    next_version: Project,
) -> None:
    name, settings = database
    load = Load(service.port)
    with ThreadPoolExecutor() as pool, load.running():
        reader = pool.submit(world.server.ask, HELD.format(READER), name)
        time.sleep(1)
        began = time.monotonic()
        lines = migrate(next_version, settings)
        seconds = time.monotonic() - began
        reader.result()
        time.sleep(1)
    assert lines[-1]["event"] == "migrated", lines[-1]
    assert [line["event"] for line in lines].count("migration_applied") == 2
    assert seconds > READER / 2
    failed = [answer for answer in load.answers if answer.status != 200]
    warned = [line for line in service.lines() if line["level"] != "info"]
    assert not failed, (len(failed), warned[:5])
    assert len(load.answers) > RATE * READER / 2
    assert max(answer.seconds for answer in load.answers) < LOCK_TIMEOUT + 1
    world.check_log(service)


def test_indexes_are_built_while_other_replicas_wait(
    world: World, database: tuple[str, dict[str, str]], next_version: Project
) -> None:
    """CREATE INDEX CONCURRENTLY waits for all snapshots, but not for these."""
    name, settings = database
    world.server.ask(ROWS, name)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: migrate(next_version, settings), range(4)))
    assert [lines[-1]["event"] for lines in done] == ["migrated"] * 4
    assert sorted(lines[-1]["applied"] for lines in done) == [0, 0, 0, 2]


def test_a_migration_that_failed_in_the_middle_can_be_repeated(
    world: World, database: tuple[str, dict[str, str]], next_version: Project
) -> None:
    """What is left of an index that could not be built does not stand for it."""
    name, settings = database
    world.server.ask(ROWS, name)
    reader = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep({})"
    # Long enough for the rows, and short of the time that the reader takes.
    short = {**settings, "MIGRATION_STATEMENT_TIMEOUT": "5"}
    with ThreadPoolExecutor() as pool:
        held = pool.submit(world.server.ask, reader.format(READER), name)
        time.sleep(1)
        failed = migrate(next_version, short)[-1]
        held.result()
    assert failed["event"] == "migration_failed"
    assert failed["sqlstate"] == "57014"
    assert "MIGRATION_STATEMENT_TIMEOUT" in failed["advice"]
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert world.server.ask(invalid, name) == "1"
    assert migrate(next_version, settings)[-1]["applied"] == 1
    assert world.server.ask(invalid, name) == "0"
    built = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND indexname ~ 'priority|code|parent'"
    # Two of `code`: rows without one are sorted by their ids.
    assert world.server.ask(built, name) == "4"
