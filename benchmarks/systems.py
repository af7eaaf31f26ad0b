"""The services that are compared, each started as its makers would in production."""

import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.load import Target
from scripts.postgres import EmbeddedPostgres
from tests.harness.project import (
    HOST,
    ROOT,
    Project,
    clean_environment,
    cookiecutter,
    end,
    free_port,
)

PATIENCE = 60.0
MAX_CONNECTIONS = 400  # for the pools of all services side by side
WORKS = ("get", "list", "create", "mixed")
# The limiter counts every request, but its limit is out of reach.
RAISED = {"RATE_LIMIT": "1000000000/minute"}
# The settings for a service under load (docs/scaling.md of a project).
PRODUCTION = {"ENVIRONMENT": "production", **RAISED}
TUNED = {"POOL_SIZE": "64", "MAX_OVERFLOW": "0"}
DEFAULT_POOL = {"POOL_SIZE": "5", "MAX_OVERFLOW": "10"}
LIST = "?limit=20&total=false"
FILL = (
    """\
INSERT INTO tasks (title, description, completed, created_at)
SELECT 'Task ' || n, 'Number ' || n || ' of many', n % 3 = 0,
       timestamptz '2026-01-01' + n * interval '1 second'
FROM generate_series(1, {rows}) AS n""",
    "VACUUM ANALYZE tasks",
    "CHECKPOINT",
    "SELECT id FROM tasks ORDER BY random() LIMIT 10000",
)
EXECUTE = """\
import asyncio, asyncpg, sys

async def main(url, *statements):
    connection = await asyncpg.connect(url, timeout=60)
    for statement in statements:
        for row in await connection.fetch(statement):
            print(*row)

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class System:
    """A service: what it is, how it starts, where its resource is, what it can do.

    `{port}` in the command stands for the port.
    """

    name: str
    about: str
    command: Sequence[str]  # of a module that Python runs
    path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    list_query: str = "?limit=20"
    port_setting: str = "PORT"
    works: Sequence[str] = WORKS
    create: Mapping[str, str] = field(default_factory=dict)  # how, if not as usual
    token: str | None = None  # of every request


def reference(name: str, module: str, about: str) -> System:
    server = ["uvicorn", f"benchmarks.references.{module}:app", "--port", "{port}"]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-server-header"]
    quiet = ["--no-access-log", "--app-dir", str(ROOT)]
    return System(name, about, [*server, *options, *quiet], "/tasks")


def generated(
    name: str,
    about: str,
    resource: str = "tasks",
    command: Sequence[str] = ("src",),
    **environment: str,
) -> System:
    settings = {**PRODUCTION, **TUNED, **environment}
    return System(name, about, command, f"/api/v1/{resource}", settings, LIST)


REFERENCES = (
    reference("L0", "starlette_asyncpg", "bare Starlette over asyncpg"),
    reference("L1", "fastapi_asyncpg", "FastAPI over asyncpg, no middleware"),
    reference("L2", "fastapi_orm", "FastAPI over SQLAlchemy's ORM, no middleware"),
    reference("L3", "naive_stack", "L2 with the usual middleware"),
)
OURS = generated("generated", "simple_task_api in its production profile")
DEFAULTS = generated(
    "generated, 5 + 10", "the same with the default pool of 5 + 10", **DEFAULT_POOL
)
COUNTED = replace(
    OURS,
    name="generated, counted",
    about="the same, where a list says how many rows there are",
    list_query="?limit=20",
    works=("list",),
)


@dataclass(frozen=True)
class Database:
    """PostgreSQL as it installs, but for MAX_CONNECTIONS: its durability is the default."""

    url: str
    pid: int
    ids: Path


@dataclass(frozen=True)
class Running:
    """A service that answers."""

    system: System
    database: Database
    process: subprocess.Popen[bytes]
    target: Target
    started_in: float  # seconds to the first answer
    log: Path

    def end_of_log(self) -> str:
        """Return what the service wrote last, and its exit status if it has ended."""
        return _end_of(self.log) + f"\nexit status: {self.process.poll()}"


def bake(folder: Path, example: str) -> Project:
    command = cookiecutter(folder, f"example={example}")
    subprocess.run(command, env=clean_environment(), check=True)
    return Project(folder / example)


def tasks(rows: int) -> list[str]:
    """Return what fills the table of simple_task_api."""
    return [statement.format(rows=rows) for statement in FILL]


@contextmanager
def database(
    project: Project, folder: Path, filling: Sequence[str]
) -> Iterator[Database]:
    """Start PostgreSQL with the project's tables; what filling selects are the ids."""
    data = Path(tempfile.mkdtemp(dir=folder))
    data.chmod(0o755)  # the server may run as another user
    with EmbeddedPostgres(data / "postgres"):
        pass  # it makes the folder
    with (data / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write(f"max_connections = {MAX_CONNECTIONS}\n")
    with EmbeddedPostgres(data / "postgres") as server:
        environment = {"DATABASE_URL": server.url}
        project.run(project.python, "-m", "src.migrate", environment=environment)
        execute = [project.python, "-c", EXECUTE, server.url.replace("+asyncpg", "")]
        ids = data / "ids"
        ids.write_text(project.run(*execute, *filling))
        pid = (data / "postgres" / "postmaster.pid").read_text().split("\n")[0]
        yield Database(server.url, int(pid), ids)


@contextmanager
def running(
    system: System, project: Project, server: Database, *, log: Path
) -> Iterator[Running]:
    """Start a service, and end it as its supervisor would."""
    port = free_port()
    environment = {
        **clean_environment(),
        "DATABASE_URL": server.url,
        "HOST": HOST,
        system.port_setting: str(port),
        **system.environment,
    }
    command = [part.replace("{port}", str(port)) for part in system.command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [project.python, "-m", *command],
            cwd=project.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    url = f"http://{HOST}:{port}"
    list_path = system.path + system.list_query
    one = f"{system.path}/{{id}}"
    target = Target(url, one, list_path, system.path, server.ids, **system.create)
    target = replace(target, token=system.token)
    try:
        seconds = _await_answer(process, url + list_path, log)
        yield Running(system, server, process, target, seconds, log)
    finally:
        end(process)


def _await_answer(process: subprocess.Popen[bytes], url: str, log: Path) -> float:
    started = time.perf_counter()
    while time.perf_counter() - started < PATIENCE:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return time.perf_counter() - started
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.01)
    raise RuntimeError(f"no response at {url}:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return re.sub(r"\n+", "\n", log.read_text())[-2000:]


@contextmanager
def all_running(
    systems: Sequence[tuple[System, Project]], server: Database, folder: Path
) -> Iterator[list[Running]]:
    """Start several services side by side; services without load take no CPU."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running(system, project, server, log=folder / f"{number}.log")
            )
            for number, (system, project) in enumerate(systems)
        ]
