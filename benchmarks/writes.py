"""What writes cost, in turns: batches, the trigger of versions, and histories."""

import argparse
import itertools
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import results
from benchmarks.compare import turn
from benchmarks.systems import (
    EXECUTE,
    OURS,
    Database,
    Running,
    database,
    running,
    tasks,
)
from tests.harness.http_client import Client
from tests.harness.project import Project

PATH = "/api/v1/tasks"
COUNT = 100  # requests for each figure, and rows of a batch
RATIOS = {
    "a batch of 100 creates, to one create": ("batch", "create"),
    "a PATCH, to one without the trigger of versions": ("update", "without trigger"),
    "a create with a history, to one without": ("recorded", "create"),
    "the same, without the trigger": ("not recorded", "create"),
}


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Measure the ratios in each round, and write their spread."""
    log = folder / "writes.log"
    recorded = _with_history(project, folder)
    with (
        database(project, folder, tasks(COUNT)) as server,
        running(OURS, project, server, log=log) as service,
        database(recorded, folder, tasks(COUNT)) as other_server,
        running(OURS, recorded, other_server, log=log) as other_service,
    ):
        works = {
            **_works(project, server, _client(service)),
            **_recorded_works(recorded, other_server, _client(other_service)),
        }
        for work in works.values():  # so that each has prepared its statements
            work()
        rounds = [
            {name: works[name]() for name in turn([*works], number)}
            for number in range(options.rounds * 4)
        ]
    found = {
        title: results.spread([one[name] / one[other] for one in rounds])
        for title, (name, other) in RATIOS.items()
    }
    for title, spread in found.items():
        print(f"{title}: {spread[1]}", flush=True)
    results.write("writes", project.python, {"rounds": len(rounds), "ratios": found})


def _with_history(project: Project, folder: Path) -> Project:
    """Return the same project, whose entities have a history."""
    document = json.loads((project.path / "entities.json").read_text())
    for entity in document["entities"]:
        entity["history"] = True
    spec = folder / "recorded.json"
    spec.write_text(json.dumps(document))
    return project.with_entities(spec, folder / "recorded")


def _client(service: Running) -> Client:
    return Client(int(service.target.url.rpartition(":")[2]))


def _recorded_works(
    project: Project, server: Database, client: Client
) -> Mapping[str, Callable[[], float]]:
    """Return functions that create rows with a history, and return the seconds of one."""
    numbers = itertools.count()

    def create() -> None:
        for _ in range(COUNT):
            body = {"title": f"Task {next(numbers)}"}
            assert client.send("POST", PATH, body).status == 201

    def not_recorded() -> float:
        _execute(project, server, "ALTER TABLE tasks DISABLE TRIGGER write_history")
        seconds = _seconds(create) / COUNT
        _execute(project, server, "ALTER TABLE tasks ENABLE TRIGGER write_history")
        return seconds

    return {
        "recorded": lambda: _seconds(create) / COUNT,
        "not recorded": not_recorded,
    }


def _works(
    project: Project, server: Database, client: Client
) -> Mapping[str, Callable[[], float]]:
    """Return functions that send requests, and return the seconds of one."""
    numbers = itertools.count()
    ids = server.ids.read_text().split()

    def body() -> dict[str, str]:
        return {"title": f"Task {next(numbers)}"}

    def create() -> None:
        for _ in range(COUNT):
            assert client.send("POST", PATH, body()).status == 201

    def batch() -> None:
        items = {"items": [body() for _ in range(COUNT)]}
        assert client.send("POST", f"{PATH}/batch", items).status == 201

    def update() -> None:
        for one in ids:
            assert client.send("PATCH", f"{PATH}/{one}", body()).status == 200

    def without_trigger() -> float:
        _execute(project, server, "ALTER TABLE tasks DISABLE TRIGGER raise_version")
        seconds = _seconds(update) / len(ids)
        _execute(project, server, "ALTER TABLE tasks ENABLE TRIGGER raise_version")
        return seconds

    return {
        "create": lambda: _seconds(create) / COUNT,
        "batch": lambda: _seconds(batch),
        "update": lambda: _seconds(update) / len(ids),
        "without trigger": without_trigger,
    }


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _execute(project: Project, server: Database, statement: str) -> None:
    url = server.url.replace("+asyncpg", "")
    command = [project.python, "-c", EXECUTE, url, statement]
    subprocess.run(command, check=True, capture_output=True)
