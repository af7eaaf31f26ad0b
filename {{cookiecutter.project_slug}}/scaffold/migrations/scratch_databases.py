"""Temporary databases, on the server of TEST_DATABASE_URL or an embedded one."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import Iterator

import sqlalchemy as sa
from asyncpg import PostgresError
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from scaffold.processes import Unfinished

SERVER = "TEST_DATABASE_URL"
ADVICE = (
    f"{SERVER} must be the URL of a server on which this may create databases; correct "
    "it, or unset it to use an embedded PostgreSQL, and run this again."
)


class Scratch:
    """Creates databases on the server of a URL, and drops them again."""

    def __init__(self, server: str) -> None:
        self.server = sa.make_url(server)
        self.made: list[str] = []

    def create(self, template: str = "template0") -> str:
        """Create a database, empty or as a copy of another one; return its URL."""
        name = f"migration_{uuid.uuid4().hex}"
        source = sa.make_url(template).database if "://" in template else template
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        self.made.append(name)
        url = self.server.set(database=name)
        return url.render_as_string(hide_password=False)

    def clear(self) -> None:
        for name in self.made:
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        async def execute() -> None:
            engine = create_async_engine(self.server, isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:
                await connection.execute(sa.text(statement))
            await engine.dispose()

        try:
            asyncio.run(execute())
        except (OSError, PostgresError, SQLAlchemyError) as error:
            place = self.server.render_as_string(hide_password=True)
            raise Unfinished(f"{place}: {error}\n{ADVICE}") from error


@contextlib.contextmanager
def scratch() -> Iterator[Scratch]:
    """Yield a server for temporary databases; they are dropped after the block."""
    given = os.environ.get(SERVER)
    if not given:
        with _embedded() as url:
            yield Scratch(url)
        return
    try:
        databases = Scratch(given)
    except ArgumentError as error:
        raise Unfinished(f"{SERVER}: {error}\n{ADVICE}") from error
    try:
        yield databases
    finally:
        databases.clear()


@contextlib.contextmanager
def _embedded() -> Iterator[str]:
    # Imported here, because they do not work on Windows.
    from scripts.binaries import PostgresError
    from scripts.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(database="postgres")  # which every server has
    try:
        server.start()
    except PostgresError as error:
        raise Unfinished(str(error)) from None
    try:
        yield server.url
    finally:
        server.stop()
