"""Migrations: they create what the models say, and remove all of it again."""

import asyncio
from collections.abc import Iterator

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from src.core.database import Base
from tests.conftest import fresh_database, migrations, server_url


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database for one test."""
    with fresh_database(server_url(request.config)) as url:
        yield url


@pytest.fixture
def config(database: str) -> Iterator[Config]:
    """What Alembic's commands take, for that database."""
    with migrations(database) as config:
        yield config


def tables(url: str) -> set[str]:
    """Return the tables of a database, with the schema of those in another than usual."""
    return asyncio.run(_tables(url))


async def _tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(_names)
    await engine.dispose()
    return names


def _names(connection: sa.Connection) -> set[str]:
    inspector = sa.inspect(connection)
    schemas = {table.schema for table in Base.metadata.tables.values()}
    return {
        f"{schema}.{name}" if schema else name
        for schema in schemas | {None}
        for name in inspector.get_table_names(schema)
    }


def test_upgrade_downgrade_and_upgrade_again(database: str, config: Config) -> None:
    alembic.command.upgrade(config, "head")
    alembic.command.check(config)
    # There are more where `make entities` has kept tables that entities.json has dropped.
    assert tables(database) >= {*Base.metadata.tables, "alembic_version"}
    alembic.command.downgrade(config, "base")
    assert tables(database) == {"alembic_version"}
    alembic.command.upgrade(config, "head")
    alembic.command.check(config)


def test_the_migrations_have_one_head(config: Config) -> None:
    """Two merged branches may leave two heads: `make entities` joins them."""
    script = alembic.script.ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1


def test_sql_for_a_database_administrator(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    alembic.command.upgrade(config, "head", sql=True)
    script = capsys.readouterr().out
    assert all(f"CREATE TABLE {name}" in script for name in ("alembic_version",))
