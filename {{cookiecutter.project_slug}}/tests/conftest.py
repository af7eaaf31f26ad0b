"""Fixtures: one PostgreSQL for the run, a database a worker, a transaction a test.

TEST_DATABASE_URL names a server where tests may make databases of their own; without
it an embedded one is started when the first test needs it.
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
import pytest
import sqlalchemy as sa
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
)

from src.core.config import Settings, get_settings
from src.core.database import (
    Connection,
    async_session_maker,
    create_engine,
    get_db,
    transaction,
)
from src.main import create_app
from tests import support

ROOT = Path(__file__).parents[1]
SERVER = "TEST_DATABASE_URL"


def pytest_configure(config: pytest.Config) -> None:
    """Shut out the developer's own settings; start the server that workers share."""
    Settings.model_config["env_file"] = None
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    os.environ["ENVIRONMENT"] = "test"
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the service logs requests
    if config.getoption("numprocesses", None) and not config.option.collectonly:
        server_url(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what concerns nobody, such as references where there are none."""
    items[:] = [item for item in items if not _is_empty(item)]


def _is_empty(item: pytest.Item) -> bool:
    skip = item.get_closest_marker("skip")
    reason = skip.kwargs.get("reason", "") if skip else ""
    return str(reason).startswith("got empty parameter set")


def server_url(config: pytest.Config) -> str:
    """Return where the server is; workers find it in their environment."""
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
    """An empty database for as long as the block lasts."""
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
    """What Alembic's commands take, for one database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
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
def settings(database_url: str) -> Settings:
    """Settings of the service under test."""
    return Settings(
        database_url=database_url,
        environment="test",
        rate_limit_enabled=False,
        command_timeout=60,
        pool_ping_after=60,
    )


@pytest.fixture(scope="session")
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The engine of the service, on this worker's database."""
    engine = create_engine(settings)
    async_session_maker.configure(bind=engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection whose transaction is rolled back: nothing outlives a test."""
    async with engine.connect() as connection:
        outer = await connection.begin()
        yield connection
        await outer.rollback()


@pytest.fixture
def session_maker(connection: AsyncConnection) -> async_sessionmaker[AsyncSession]:
    """Makes sessions whose commit releases a savepoint of the test's transaction."""
    return async_sessionmaker(
        connection, join_transaction_mode="create_savepoint", expire_on_commit=False
    )


@pytest.fixture
async def db_session(
    session_maker: async_sessionmaker[AsyncSession],
) -> AsyncIterator[AsyncSession]:
    """A session within the test's transaction."""
    async with session_maker() as session:
        yield session


@pytest.fixture(scope="session")
def app(settings: Settings, engine: AsyncEngine) -> FastAPI:
    """The application, without its lifespan: the engine is the tests' own."""
    app = create_app(settings)
    app.state.engine = engine
    return app


@pytest.fixture
async def client(
    app: FastAPI, session_maker: async_sessionmaker[AsyncSession]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application; each request has a session and a commit."""

    async def get_test_db() -> AsyncIterator[AsyncSession]:
        async with transaction(session_maker) as session:
            yield session

    app.dependency_overrides[get_db] = get_test_db
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test"
    ) as client:
        yield client
    app.dependency_overrides.clear()


@pytest.fixture
def statements(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """The SQL that runs during a test, savepoints apart."""
    executed: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if "SAVEPOINT" not in statement:
            executed.append(statement)

    async def fetch(driver: Any, statement: str, *arguments: Any) -> Any:
        """What src/core/query.py calls; SQLAlchemy never does."""
        executed.append(statement)
        return await asyncpg.Connection.fetch(driver, statement, *arguments)

    monkeypatch.setattr(Connection, "fetch", fetch)
    sa.event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield executed
    sa.event.remove(engine.sync_engine, "before_cursor_execute", note)


@pytest.fixture
def untraced(cov: Any) -> Iterator[None]:
    """Measure no coverage: where thousands of texts run through, that takes longest.

    pytest-cov's own marker fails where coverage is off.
    """
    if cov is None:
        yield
        return
    cov.stop()
    yield
    cov.start()


@pytest.fixture(autouse=True)
def _same_rows() -> None:
    support.start_over()
