"""Other ways to write and to serve the same service, each in an environment of its own.

The services are written as the documentation of their libraries has it
(benchmarks/references) and started by the server that it names. What does not install
is left out.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.systems import OURS, System
from benchmarks.things import clock
from tests.harness.project import HOST, ROOT, Project

SERVICES = ROOT / "benchmarks" / "references"
LITESTAR_APP = "benchmarks.references.litestar_alchemy:app"
ADDRESS = ("--host", HOST, "--port", "{port}")


def run_by_fastapi(name: str, about: str, module: str, list_query: str) -> System:
    command = ["fastapi", "run", str(SERVICES / f"{module}.py"), *ADDRESS]
    return System(name, about, command, "/tasks", list_query=list_query)


FASTCRUD = run_by_fastapi(
    "FastCRUD",
    "FastCRUD's router over SQLAlchemy and asyncpg, by `fastapi run`",
    "fastcrud_router",
    "?offset=0&limit=20&sort=created_at,id",
)
SQLMODEL = run_by_fastapi(
    "SQLModel",
    "FastAPI over SQLModel and psycopg as in FastAPI's tutorial, by `fastapi run`",
    "fastapi_sqlmodel",
    "?limit=20",
)
LITESTAR = System(
    "Litestar",
    "Litestar with Advanced Alchemy over asyncpg, by `litestar run`",
    ["litestar", "--app-dir", str(ROOT), "--app", LITESTAR_APP, "run", *ADDRESS],
    "/tasks",
)
SQLALCHEMY = ("asyncpg", "sqlalchemy[asyncio]")
Peer = tuple[System, tuple[str, ...]]
PEERS: tuple[Peer, ...] = (
    (FASTCRUD, ("fastcrud", "fastapi[standard]", *SQLALCHEMY)),
    (SQLMODEL, ("sqlmodel", "fastapi[standard]", "psycopg[binary]")),
    (LITESTAR, ("litestar[pydantic,standard]", "advanced-alchemy", *SQLALCHEMY)),
)
# Lists that are filtered and sorted; FastCRUD's also counts the rows.
FILTERED = "?completed=true&limit=20"
FASTCRUD_FILTERED = replace(
    FASTCRUD, list_query=f"{FILTERED}&offset=0&sort=-created_at"
)
FASTAPI_FILTER = run_by_fastapi(
    "fastapi-filter",
    "FastAPI over SQLAlchemy with fastapi-filter's model, by `fastapi run`",
    "fastapi_filters",
    f"{FILTERED}&order_by=-created_at",
)
FILTERING: tuple[Peer, ...] = (
    (FASTCRUD_FILTERED, PEERS[0][1]),
    (FASTAPI_FILTER, ("fastapi-filter", "fastapi[standard]", *SQLALCHEMY)),
)
GRANIAN = replace(
    OURS,
    name="generated, granian",
    about="the same under granian instead of uvicorn",
    command=["granian", "--interface", "asgi", "--http", "1", *ADDRESS, "src.main:app"],
)


def installed(
    folder: Path, peers: Sequence[Peer] = PEERS
) -> list[tuple[System, Project]]:
    """Return the peers whose libraries install, each with where it runs."""
    found = []
    for system, packages in peers:
        project = Project(folder / system.name)
        project.path.mkdir(exist_ok=True)
        environment = str(project.path / ".venv")
        make = ["uv", "venv", "--no-project", "--python", sys.executable, environment]
        options = ["--python", environment, *packages]
        if _ran(system, make, ["uv", "pip", "install", *options]):
            found.append((system, project))
    return found


def granian(folder: Path, project: Project) -> list[tuple[System, Project]]:
    """Return the generated service under granian; nothing where it does not install."""
    place = folder / "granian"
    options = ["--python", project.python, "--target", str(place), "granian", "uvloop"]
    if not _ran(GRANIAN, ["uv", "pip", "install", *options]):
        return []
    environment = {**GRANIAN.environment, "PYTHONPATH": str(place)}
    return [(replace(GRANIAN, environment=environment), project)]


def _ran(system: System, *commands: Sequence[str]) -> bool:
    try:
        for command in commands:
            clock(command, {}, ROOT)
    except RuntimeError as error:
        print(f"{system.name} is left out: {error}", flush=True)
        return False
    return True
