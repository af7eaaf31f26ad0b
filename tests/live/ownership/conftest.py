"""A generated shop with a team's own code: `own/` is copied to its `src/own/`."""

import contextlib
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.http_client import Answer, Client
from tests.harness.postgres_server import ADMIN, Server
from tests.harness.project import HOST, Project, free_port
from tests.harness.service_process import Replica

HERE = Path(__file__).parent
PACKAGES = [
    # What the documentation of FastAPI says to install for forms and WebSockets.
    *("python-multipart", "websockets"),
    # Other servers, and what reports errors.
    *("fastapi-cli", "gunicorn", "uvicorn-worker"),
    *("sentry-sdk", "opentelemetry-sdk", "opentelemetry-instrumentation-fastapi"),
]
WRITE = re.compile(
    r"^( +)(return |\w+ = |)"
    r"(await (?:service|self)\._?(?:create|replace|update|delete|link|unlink)\w*\(.*\))$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Shop:
    """A process of the shop, and its database."""

    service: Replica
    server: Server
    database: str

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        with contextlib.closing(Client(self.service.port)) as client:
            return client.send(method, path, body, headers)

    def make(self, entity: str, **body: Any) -> Any:
        """Create a row by the API and return it."""
        answer = self.send("POST", f"/api/v1/{entity}", body)
        assert answer.status == 201, answer
        return answer.json

    def product(self, **body: Any) -> Any:
        return self.make("products", **{"name": uuid.uuid4().hex, **body})

    def ask(self, sql: str) -> str:
        return self.server.ask(sql, self.database)

    def select(self, columns: str, table: str, **where: str) -> str:
        """Return columns of the rows with these values, a line each."""
        conditions = [f"{name} = '{value}'" for name, value in where.items()]
        sql = f"SELECT {columns} FROM {table} WHERE {' AND '.join(conditions)}"  # noqa: S608 - of our own tests
        return self.ask(sql)

    def insert(self, table: str, **row: str) -> None:
        """Store a row without the service."""
        values = ", ".join(f"'{value}'" for value in row.values())
        self.ask(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")  # noqa: S608 - of our own tests

    def logged(self, answer: Answer, event: str = "") -> list[dict[str, Any]]:
        """Return the lines of a request, or those of one event; its own line is last."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            lines = [
                line
                for line in self.service.lines()
                if line.get("request_id") == answer.headers["x-request-id"]
            ]
            if any(line["event"] == "request" for line in lines):
                return [line for line in lines if event in ("", line["event"])]
            time.sleep(0.05)
        raise AssertionError(f"no line of the request {answer}")

    def sent(self) -> list[str]:
        """Return every statement that the server has got for this database."""
        text = self.server.log.read_text().replace("\n\t", " ")
        found = re.finditer(
            rf"^{self.database} LOG:  (?:execute [^:]*|statement): (.*)$",
            text,
            re.MULTILINE,
        )
        return [" ".join(match[1].split()) for match in found]

    def count(self, metric: str) -> float:
        """Return the value of a counter without labels."""
        text = self.send("GET", "/metrics/metrics").text
        return float(re.search(rf"^{metric} (.*)$", text, re.MULTILINE)[1])  # type: ignore[index]


@pytest.fixture(scope="session")
def owned(bake: Callable[..., Project]) -> Project:
    """A project to which a person has added packages and code."""
    project = bake("owned", f"entities_file={HERE / 'shop.json'}")
    project.run(sys.executable, "-m", "uv", "add", *PACKAGES)
    add_own_files(project)
    return project


def add_own_files(project: Project) -> None:
    source = project.path / "src"
    shutil.copytree(HERE / "own", source / "own", dirs_exist_ok=True)
    edit(
        source / "main.py",
        ("import asyncio\n", "import asyncio\nfrom src.own.wiring import extend\n"),
        (
            "    dispatch_by_prefix(app)\n",
            "    extend(app)\n    dispatch_by_prefix(app)\n",
        ),
    )
    failing = "from src.own.failing import fail\n"
    fail_in(
        source / "services" / "product.py", "service", "self.repository.db", failing
    )
    routes = source / "api" / "routes" / "products.py"
    fail_in(routes, "route", "service.repository.db", failing)
    edit(
        routes,
        (
            "StrictJSONRoute\n)",
            "StrictJSONRoute,\n    dependencies=ENTITY_DEPENDENCIES)",
        ),
        (failing, f"{failing}from src.own.sessions import ENTITY_DEPENDENCIES\n"),
    )
    with routes.open("a") as file:
        file.write("\nfrom src.own.routes import add_routes\n\nadd_routes(router)\n")


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{path}: {old}"
        text = text.replace(old, new)
    path.write_text(text)


def fail_in(path: Path, place: str, db: str, imports: str) -> None:
    """Append a statement to each call that writes; it may fail."""

    def append(match: re.Match[str]) -> str:
        indent, result, call = match.groups()
        name = "result = " if result == "return " else result
        lines = [f"{name}{call}", f"await fail({place!r}, {db})"]
        if result == "return ":
            lines.append("return result")
        return "\n".join(indent + line for line in lines)

    text, count = WRITE.subn(append, path.read_text())
    assert count == 7, f"{path} has {count} writes"
    docstring, rest = text.split("\n\n", 1)
    path.write_text(f"{docstring}\n\n{imports}{rest}")


@pytest.fixture(scope="session")
def postgres(
    owned: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server on which the database `prepared` is migrated, to be copied."""
    logging = ("log_statement=all", "log_line_prefix=%d ")
    server = Server(tmp_path_factory.mktemp("postgres"), *logging)
    server.start()
    try:
        server.ask(f"ALTER ROLE {ADMIN} SET lock_timeout = '5s'", "postgres")
        url = {"DATABASE_URL": server.create("prepared")}
        owned.run(owned.python, "-m", "src.migrate", environment=url)
        yield server
    finally:
        server.stop()


Start = Callable[..., contextlib.AbstractContextManager[Shop]]


@pytest.fixture(scope="session")
def start(
    owned: Project, postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """Run the shop on a database of its own: by `python -m src`, or as `module` says."""

    @contextlib.contextmanager
    def started(
        *module: str, replica: Server | None = None, **settings: str
    ) -> Iterator[Shop]:
        name = f"shop_{uuid.uuid4().hex[:8]}"
        url = {"DATABASE_URL": postgres.create(name, "prepared")}
        if replica:
            url["DATABASE_READ_URL"] = replica.url(name)
        port = free_port()
        log = tmp_path_factory.mktemp("log") / f"{name}.log"
        words = [word.format(port=port, host=HOST) for word in module]
        service = Replica(owned, log, {**url, **settings}, *words, port=port)
        try:
            service.wait()
            yield Shop(service, postgres, name)
        finally:
            service.kill()

    return started


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("true", id="plans"),
        pytest.param("false", id="no plans", marks=pytest.mark.slow),
    ],
)
def shop(start: Start, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The shop that most tests share: with the speed piece of the routes, and without."""
    settings = {
        "ENDPOINT_PLANS": request.param,
        "CORS_ORIGINS": "https://front.example",
    }
    with start(**settings) as shop:
        yield shop
