"""OpenAPI and the service agree: schemathesis tries, over a real server."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.harness.postgres_server import Server
from tests.harness.project import HOST, ROOT, Project, clean_environment
from tests.harness.service_process import replica
from tools.smoke import Client, Smoke

HERE = Path(__file__).parent
CASES = 2_000
ROWS = 10
# `make fuzz` gives each service so many seconds, and another seed every time.
SECONDS = os.environ.get("FUZZ")

Row = dict[str, str | None]

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


def check(project: Project, server: Server, folder: Path, *, examples: int) -> None:
    """Let schemathesis try everything, with all checks, and find nothing."""
    url = server.create(f"contract_{uuid.uuid4().hex[:8]}")
    settings = {"DATABASE_URL": url, "DOCS_ENABLED": "true"}
    project.run(project.python, "-m", "src.migrate", environment=settings)
    with replica(project, folder / "service.log", settings) as service:
        service.wait("/health/ready")
        said = schemathesis(service.port, folder, examples, seeds(service.port))
        assert [line for line in service.lines() if line["level"] == "error"] == []
    tried = re.search(r"(\d+) generated", said)
    assert tried, said
    assert int(tried[1]) >= CASES, said


def seeds(port: int) -> dict[str, list[Row]]:
    """Rows of every resource, with what they refer to, by the path that made them.

    Every other time what nothing refers to goes again: where a row may be referred to
    once, some are free.
    """
    found = defaultdict(list)
    for number in range(ROWS):
        client = Smoke(Client(f"http://{HOST}:{port}"), Random(number))
        created = client.create_all(client.resources())
        rows = {
            resource.path: {k: v for k, v in resource.row.items() if k.endswith("id")}
            for resource in created
        }
        named = {row[key] for row in rows.values() for key in row if key != "id"}
        for resource in created:
            if number % 2 and resource.row["id"] not in named:
                client.client.call("DELETE", resource.location, 204)
            else:
                found[resource.path].append(rows[resource.path])
    return found


def schemathesis(
    port: int, folder: Path, examples: int, rows: dict[str, list[Row]]
) -> str:
    limits = ["--max-time", SECONDS] if SECONDS else ["--seed", "1"]
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--checks", "all", "--max-examples", str(examples), "--no-color"]
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
