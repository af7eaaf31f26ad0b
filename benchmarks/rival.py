"""Another generator of services: s3rius' `fastapi_template` from PyPI.

Its project needs Python 3.12 or newer: UV_PYTHON names one if uv does not find it.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import systems
from benchmarks.systems import EXECUTE, Database, Running, System
from benchmarks.things import clock
from tests.harness.project import HOST, Project

NAME = "fastapi_template"
# The features of our services that it offers.
FEATURES = ("--api-type=rest", "--db=postgresql", "--orm=sqlalchemy", "--migrations")
EXTRAS = ("--ci=github", "--redis", "--swagger", "--dummy", "--routers")
# With this and today's dependencies, its service answers every request with a 500.
METRICS = "--prometheus"
# It makes a commit, and git needs a name for that.
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "nobody"), ("EMAIL", "nobody@localhost"))
}

# Its example has no get by id; rows are a number and a name; a create returns nothing.
SERVICE = System(
    NAME,
    "the service of s3rius' generator without metrics, on a newer Python",
    ["rival"],
    "/api/dummy/",
    {"RIVAL_RELOAD": "False", "RIVAL_HOST": HOST},
    port_setting="RIVAL_PORT",
    works=("list", "create"),
    create={"body": '{"name": "Task {n}"}', "method": "PUT"},
)
FILL = (
    "INSERT INTO dummy_model (name) "
    "SELECT 'Task ' || n FROM generate_series(1, {rows}) AS n"
)


def install(folder: Path) -> str | None:
    """Install and try it; return its version, or None if that fails."""
    home = _home(folder)
    pip: list[str | Path] = ["uv", "pip", "install", "--python", home, NAME]
    try:
        clock(["uv", "venv", "--no-project", home], {}, folder)
        clock(pip, {}, folder)
        generate(folder, folder / "trial", {})
        said = clock([home / "bin" / NAME, "--version"], {}, folder)[1]
    except RuntimeError as error:
        print(f"{NAME} is left out: {error}", flush=True)
        return None
    return said.split()[-1]


def generate(
    installed: Path, folder: Path, environment: Mapping[str, str], *more: str
) -> dict[str, float]:
    """Make a project with its environment and first commit, without questions."""
    folder.mkdir(exist_ok=True)
    options = ["--quiet", "--name=rival", *FEATURES, *EXTRAS, *more]
    program = _home(installed) / "bin" / NAME
    seconds, said = clock([program, *options], {**IDENTITY, **environment}, folder)
    # It ends with 0 even if a step failed, but then without the commit.
    last = ["git", "-C", str(folder / "rival"), "rev-parse", "--verify", "HEAD"]
    if subprocess.run(last, capture_output=True).returncode:
        raise RuntimeError(said)
    return {"seconds": seconds}


@contextmanager
def running(
    folder: Path, project: Project, server: Database, rows: int
) -> Iterator[list[Running]]:
    """Start its service with its own database; yield nothing if it does not install."""
    if install(folder) is None:
        yield []
        return
    its = Project(folder / "trial" / "rival")
    address = urlsplit(server.url)
    environment = {
        "RIVAL_DB_HOST": str(address.hostname),
        "RIVAL_DB_PORT": str(address.port),
        "RIVAL_DB_USER": str(address.username),
        "RIVAL_DB_BASE": "rival",
    }
    ours = server.url.replace("+asyncpg", "")
    theirs = ours.removesuffix(address.path) + "/rival"
    execute = [project.python, "-c", EXECUTE]
    project.run(*execute, ours, "CREATE DATABASE rival")
    its.run(its.python, "-m", "alembic", "upgrade", "head", environment=environment)
    filling = [FILL.format(rows=rows), "VACUUM ANALYZE dummy_model"]
    project.run(*execute, theirs, *filling)
    system = replace(SERVICE, environment={**SERVICE.environment, **environment})
    with systems.running(system, its, server, log=folder / "rival.log") as service:
        yield [service]


def _home(folder: Path) -> Path:
    return folder / NAME
