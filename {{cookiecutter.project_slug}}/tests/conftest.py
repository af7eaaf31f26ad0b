"""Fixtures: a database for each worker, and the application as production runs it.

TEST_DATABASE_URL names a server where the tests may create databases; without it an
embedded one is started when the first test needs it. Any other setting of the service
under test is changed by a variable such as TEST_READ_TRANSACTIONS=true. A setting that
has no default gets its value from .env.example.
"""

import asyncio
import logging
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import asyncpg
import httpx2
import pydantic
import pytest
import sqlalchemy as sa
from alembic.config import Config
from dotenv import dotenv_values
from fastapi import FastAPI
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.core.config import Settings, get_settings
from src.core.database import Base, async_session_maker, bind_sessions
from src.core.engines import Engines
from src.main import create_app
from tests import support

ROOT = Path(__file__).parents[1]
SERVER = "TEST_DATABASE_URL"
NO_DATABASE = "postgresql+asyncpg://app@localhost/app"  # is not connected to
# Settings whose value in .env.example is not for tests.
SET_BY_TESTS = {"database_url", "database_read_url", "docs_enabled", "redis_url"}


def pytest_configure(config: pytest.Config) -> None:
    """Replace the developer's settings; start the server that all workers share."""
    replace_settings()
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the service logs requests
    if config.getoption("numprocesses", None) and not config.option.collectonly:
        server_url(config)


def replace_settings() -> None:
    """Replace the developer's settings by the defaults.

    Settings without a default, and those that may be required in production because
    their default is None, get their value from .env.example.
    """
    Settings.model_config["env_file"] = None
    example = dotenv_values(ROOT / ".env.example")
    for name, field in Settings.model_fields.items():
        variable = name.upper()
        os.environ.pop(variable, None)
        value = example.get(variable)
        needed = field.is_required() or field.default is None
        if value and needed and name not in SET_BY_TESTS:
            os.environ[variable] = value
    try:
        Settings(database_url=NO_DATABASE, environment="production")
    except pydantic.ValidationError as error:
        problems = error.errors(include_input=False)
        lines = [
            f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems
        ]
        message = "the tests use .env.example, so give these settings a value there:"
        raise pytest.UsageError("\n".join([message, *lines])) from None
    os.environ["ENVIRONMENT"] = "test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests that apply to no entity, such as those of references."""
    items[:] = [item for item in items if not item.get_closest_marker("not_applicable")]


def server_url(config: pytest.Config) -> str:
    """Return the URL of the server; workers find it in their environment."""
    if SERVER not in os.environ:
        # Only here: with a server of one's own, tests run on Windows as well.
        from scripts.postgres import EmbeddedPostgres

        server = EmbeddedPostgres()
        server.start()
        config.add_cleanup(server.stop)
        config.add_cleanup(lambda: os.environ.__delitem__(SERVER))
        os.environ[SERVER] = server.url
    return os.environ[SERVER]


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Create an empty database, yield its URL, and drop it."""
    url = make_url(server)
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(_execute(url, f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: sa.URL, statement: str) -> None:
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


@contextmanager
def migrations(url: str) -> Iterator[Config]:
    """Yield what Alembic's commands take, for one database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.chdir(ROOT)  # alembic.ini has paths relative to it
        get_settings.cache_clear()
        yield Config(ROOT / "alembic.ini")
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of this worker's own, at the newest migration."""
    with fresh_database(server_url(request.config)) as url:
        with migrations(url) as config:
            alembic.command.upgrade(config, "head")
        os.environ["DATABASE_URL"] = url
        yield url
        del os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
async def running_app(database_url: str) -> AsyncIterator[FastAPI]:
    """The application of this worker, started and stopped as a server does it."""
    app = create_app(service_settings(database_url))
    async with app.router.lifespan_context(app):
        yield app


def service_settings(database_url: str) -> Settings:
    """Return the settings of the service under test."""
    changes: dict[str, Any] = {
        "rate_limit_enabled": False,
        # A busy machine may be slow.
        "command_timeout": 60,
        "transaction_timeout": 60,
        "pool_timeout": 60,
    }
    for name in Settings.model_fields:
        if value := os.environ.get(f"TEST_{name.upper()}"):
            changes[name] = value
    return Settings(**{**changes, "database_url": database_url, "environment": "test"})


@pytest.fixture
async def app(running_app: FastAPI) -> AsyncIterator[FastAPI]:
    """The running application; afterwards its tables are empty again."""
    engines: Engines = running_app.state.engines
    # Anew: a test may have started an application of its own.
    settings: Settings = running_app.state.settings
    limits = {"transaction_timeout": settings.transaction_timeout}
    bind_sessions(engines, **limits, max_total=settings.max_total)
    yield running_app
    running_app.dependency_overrides.clear()
    async with engines.write.begin() as connection:
        await connection.execute(delete_all_rows())


@pytest.fixture
def settings(app: FastAPI) -> Settings:
    """The settings of the service under test."""
    settings: Settings = app.state.settings
    return settings


def delete_all_rows() -> sa.Delete:
    """Return one statement that empties every table.

    Foreign keys are checked when a statement ends, so the order of the tables does not
    matter, even where they refer to each other in a circle. TRUNCATE would take fifty
    times as long.
    """
    first, *others = Base.metadata.tables.values()
    deletions = [sa.delete(table).cte(f"_{n}") for n, table in enumerate(others)]
    return sa.delete(first).add_cte(*deletions)


@pytest.fixture
async def db_session(app: FastAPI) -> AsyncIterator[AsyncSession]:
    """A session that may write; what it has not committed is rolled back."""
    async with async_session_maker() as session:
        yield session
        await session.rollback()


@pytest.fixture
async def connection(app: FastAPI) -> AsyncIterator[AsyncConnection]:
    """A connection whose transaction is rolled back."""
    engines: Engines = app.state.engines
    async with engines.write.connect() as connection:
        yield connection
        await connection.rollback()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application; an exception that is not handled reaches the test."""
    async with client_of(app) as client:
        yield client


def client_of(app: FastAPI, **options: Any) -> httpx2.AsyncClient:
    """Return a client of an application.

    With `raise_app_exceptions=False` it gets the answer to an unhandled exception, as a
    client of a server does.
    """
    transport = httpx2.ASGITransport(app, **options)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture(autouse=True)
def _same_rows() -> None:
    support.start_over()


@pytest.fixture(autouse=True)
def _needed_verbs(request: pytest.FixtureRequest) -> None:
    """Skip a test of a verb that the entity's routes do not have."""
    marker = request.node.get_closest_marker("needs")
    if marker is not None:
        case: support.Case = request.getfixturevalue("case")
        missing = set(marker.args) - case.verbs
        if missing:
            pytest.skip(f"{case.plural} have no {' and no '.join(sorted(missing))}")
        if "create" in marker.args and case.cannot_be_created:
            pytest.skip(case.cannot_be_created)
