"""OpenAPI and the service agree: schemathesis tries, over a real server."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scaffold.spec.loading import load
from scaffold.spec.model import Entity
from tests.harness.issuer import issuing, token_of
from tests.harness.postgres_server import Server
from tests.harness.project import HOST, ROOT, Project, clean_environment
from tests.harness.service_process import replica
from tools.smoke import Smoke
from tools.smoke_client import Client

HERE = Path(__file__).parent
CASES = 2_000
ROWS = 20
NAMES = ROOT / "tests" / "specs" / "good" / "ids_and_names_of_a_database.json"
# `make fuzz` gives each service so many seconds, and another seed every time.
SECONDS = os.environ.get("FUZZ")

Row = dict[str, Any]

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.mark.xdist_group("simple_task_api")
def test_one_entity(
    baked: Callable[[str], Project], server: Server, tmp_path: Path
) -> None:
    check(baked("simple_task_api"), server, tmp_path, examples=400)


@pytest.mark.xdist_group("ecommerce_api")
def test_a_shop(
    baked: Callable[[str], Project], server: Server, tmp_path: Path
) -> None:
    check(baked("ecommerce_api"), server, tmp_path, examples=10)


@pytest.mark.xdist_group("simple_task_api")
def test_every_type_and_every_relation(
    things: Project, server: Server, tmp_path: Path
) -> None:
    check(things, server, tmp_path, examples=20)


@pytest.mark.xdist_group("base")
def test_ids_and_names_of_a_database(
    base: Project, server: Server, tmp_path: Path
) -> None:
    """Ids of every type, and other names of tables, columns, keys and URLs."""
    project = base.with_entities(NAMES, tmp_path / "service")
    check(project, server, tmp_path, examples=20)


def check(project: Project, server: Server, folder: Path, *, examples: int) -> None:
    """Let schemathesis try everything, with all checks, and find nothing."""
    url = server.create(f"contract_{uuid.uuid4().hex[:8]}")
    settings = {"DATABASE_URL": url, "DOCS_ENABLED": "true"}
    project.run(project.python, "-m", "src.migrate", environment=settings)
    with (
        issuing(project) as accepted,
        replica(project, folder / "service.log", {**settings, **accepted}) as service,
    ):
        service.wait("/health/ready")
        known = collections(project)
        token = token_of(project)
        more = ["--max-examples", str(examples)]
        rows = seeds(Client(f"http://{HOST}:{service.port}", token), known)
        if token:  # before the others change the rows
            without = ["--max-examples=5", "--phases=fuzzing", "--warnings=off"]
            schemathesis(service.port, folder, known, rows, without)
            more = [*more, "--header", f"Authorization: Bearer {token}"]
        said = schemathesis(service.port, folder, known, rows, more)
        assert [line for line in service.lines() if line["level"] == "error"] == []
    tried = re.search(r"(\d+) generated", said)
    assert tried, said
    assert int(tried[1]) >= CASES, said


def collections(project: Project) -> dict[str, Any]:
    """What the hooks must know of each collection, by its path."""
    spec = load(project.path / "entities.json")
    paths = {entity.name: f"/api/v1/{entity.url}" for entity in spec.entities}
    found = {}
    for entity in spec.entities:
        behind = {
            one.name: [paths[one.source], _key(spec.entity(one.source), one.reference)]
            for one in entity.reverses
        }
        links = {_segment(one.name): paths[one.target] for one in entity.links}
        found[paths[entity.name]] = {
            "id": entity.id.json,
            "references": {one.json: paths[one.target] for one in entity.references},
            "cascades": _keys(entity, "cascade"),
            "restricts": _keys(entity, "restrict"),
            "links": {one.ids: paths[one.target] for one in entity.links if one.owner},
            "linked": links,
            "lists": {_segment(name): where for name, where in behind.items()},
        }
    return found


def _keys(entity: Entity, on_delete: str) -> list[str]:
    return [one.json for one in entity.references if one.on_delete == on_delete]


def _key(entity: Entity, name: str) -> str:
    return next(one.json for one in entity.references if one.name == name)


def _segment(name: str) -> str:
    return name.replace("_", "-")


def seeds(client: Client, known: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of every collection, with what they refer to, by its path.

    Three times out of four, what nothing refers to goes again: where a row may be referred to
    once, most are free.
    """
    found = defaultdict(list)
    for number in range(ROWS):
        smoke = Smoke(client, Random(number))
        created = smoke.create_all(smoke.resources())
        named = {
            (target, resource.row[key])
            for resource in created
            for key, target in known[resource.path]["references"].items()
        }
        for resource in created:
            if number % 4 and (resource.path, resource.id) not in named:
                client.call("DELETE", resource.location, 204)
            else:
                found[resource.path].append(resource.row)
    return found


def schemathesis(
    port: int,
    folder: Path,
    known: dict[str, Any],
    rows: dict[str, list[Row]],
    more: Sequence[str],
) -> str:
    limits = ["--max-time", SECONDS] if SECONDS else ["--seed", "1"]
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--checks", "all", "--no-color", *more]
    done = subprocess.run(
        [
            *(program, "--config-file", HERE / "schemathesis.toml", "run"),
            f"http://{HOST}:{port}/openapi.json",
            *(*options, *limits),
        ],
        cwd=folder,
        env={
            **clean_environment(),
            "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}",
            "SCHEMATHESIS_HOOKS": "hooks",
            "COLLECTIONS": json.dumps(known),
            "ROWS": json.dumps(rows),
            **({} if SECONDS else {"SEED": "1"}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout
