"""One service and one PostgreSQL for all tests of this folder."""

import contextlib
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.concurrent_writers import PATH, Ledger
from tests.harness.http_client import LOST, Client
from tests.harness.liveness_probe import Probe
from tests.harness.postgres_server import Server
from tests.harness.project import Project
from tests.harness.service_process import Replica, replica
from tests.harness.skeleton import TREE

# The guaranteed times, three times each, because other tests run at the same time.
ANSWERED = 3 * 6.0  # seconds to any answer
RECOVERED = 3 * 5.0  # seconds from a fault's end to service
ALIVE = 3 * 0.1  # seconds to the answer of /health/health
CALM = 0.1  # if an idle process answers later, the machine is too busy to measure
POOL = 15  # connections of a process, its overflow included
EXAMPLE = TREE / "scaffold" / "examples" / "simple_task_api.json"
# The rows whose history or version does not say what has happened to them: a row was
# inserted once, each change has raised its version, and the latest values are those that
# are stored. What is not stored any longer was deleted once.
UNTRUE = """
SELECT coalesce(string_agg(coalesce(t.id::text, h.row_id), ' '), '') FROM tasks t
FULL JOIN (
    SELECT row_id,
        count(*) FILTER (WHERE operation = 'insert') AS inserts,
        count(*) FILTER (WHERE operation = 'update') AS updates,
        count(*) FILTER (WHERE operation = 'delete') AS deletes,
        (array_agg(new ->> 'description' ORDER BY id DESC)
            FILTER (WHERE new ? 'description'))[1] AS description
    FROM _history WHERE resource = 'tasks' GROUP BY row_id
) h ON h.row_id = t.id::text
WHERE (h.inserts, h.deletes) IS DISTINCT FROM (1, CASE WHEN t.id IS NULL THEN 1 ELSE 0 END)
OR (t.id IS NOT NULL AND (t._version, t.description)
    IS DISTINCT FROM (1 + h.updates, h.description))
"""


@dataclass
class World:
    """A service with its database; its process is the same for all tests."""

    project: Project
    server: Server
    service: Replica
    folder: Path
    database: str = "faults"

    def stored(self, database: str = "") -> dict[str, list[str]]:
        """Return the stored descriptions by title."""
        query = "SELECT json_build_array(title, description) FROM tasks"
        rows = defaultdict(list)
        for line in self.server.ask(query, database or self.database).splitlines():
            title, description = json.loads(line)
            rows[title].append(description)
        return rows

    def wait_until_it_serves(self) -> float:
        """Wait until it is ready and writes; return the seconds that took."""
        began = time.monotonic()
        self.service.wait("/health/ready")
        with contextlib.closing(Client(self.service.port)) as client:
            while time.monotonic() - began < 60:
                answer = client.send("POST", PATH, {"title": "served"})
                if answer.status == 201:
                    return time.monotonic() - began
        raise AssertionError(answer)

    def check_ledger(self, ledger: Ledger, database: str = "") -> None:
        """No acknowledged write is missing or duplicated; all errors are 503s."""
        assert ledger.differences(self.stored(database)) == []
        assert self.server.ask(UNTRUE, database or self.database) == ""
        assert ledger.acknowledged > 20
        assert set(ledger.statuses) <= {LOST, 200, 201, 204, 503}
        assert ledger.slowest < ANSWERED
        for answer in ledger.answers:
            if answer.status == 503:
                assert answer.json["error"] == "service_unavailable"
                assert int(answer.headers["retry-after"]) >= 1

    def check_probe(self, probe: Probe) -> None:
        """Every health check got a response in time."""
        assert probe.failures == []
        seconds = probe.times(CALM)
        assert len(seconds) > len(probe.beats) / 2
        assert max(seconds) < ALIVE

    def check_log(self, replica: Replica | None = None) -> None:
        """The log has no error but those that are expected."""
        for line in (replica or self.service).lines():
            expected = line["event"] in ("readiness_check_failed", "deliberate")
            assert line["level"] != "error" or expected, line

    def check_idle(self) -> None:
        """No connection of the service is busy, and there are no more than allowed."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            busy = self.server.connections(self.database, "%active%")
            held = self.server.connections(self.database, "idle in transaction%")
            if not busy and not held:
                break
            time.sleep(0.1)
        assert (busy, held) == (0, 0)
        assert self.server.connections(self.database) <= POOL


@pytest.fixture(scope="session")
def world(
    baked: Callable[[str], Project],
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """The service on its database, with a history; `prepared` is one to copy."""
    folder = tmp_path_factory.mktemp("faults")
    document = json.loads(EXAMPLE.read_text())
    document["entities"][0]["history"] = True
    spec = folder / "entities.json"
    spec.write_text(json.dumps(document))
    project = baked("simple_task_api").with_entities(spec, folder / "project")
    prepared = {"DATABASE_URL": server.create("prepared")}
    project.run(project.python, "-m", "src.migrate", environment=prepared)
    settings = {"DATABASE_URL": server.create("faults", "prepared")}
    with replica(project, folder / "service.log", settings) as service:
        yield World(project, server, service, folder)


@pytest.fixture
def database(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """A new migrated database: its name, and settings for it."""
    name = f"own_{uuid.uuid4().hex[:8]}"
    yield name, {"DATABASE_URL": world.server.create(name, "prepared")}
    world.server.ask(f"DROP DATABASE {name} WITH (FORCE)", "postgres")
