"""What requests send to the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from src.core.database import Base, transaction
from tests.answers import says
from tests.support import Case
from tests.tables import each_case

SOME = 3
TYPES = ("pg_", "set_config")  # a new connection asks for types that it does not know


class Wire:
    """The one connection of the pool, and what is sent over it."""

    def __init__(self, engine: AsyncEngine, driver: Any) -> None:
        self._engine = engine.sync_engine
        self._driver = driver
        self.sent: list[str] = []

    @asynccontextmanager
    async def noted(self) -> AsyncIterator[None]:
        """Note the statements by their first words.

        SQLAlchemy tells of its own, the driver of those that it is given directly, and
        of each BEGIN and COMMIT.
        """

        def note(*told: Any) -> None:
            statement = told[0].query if len(told) == 1 else told[2]
            if not any(word in statement for word in TYPES):
                self.sent.append(statement.split()[0].strip(";"))

        self.sent.clear()
        sa.event.listen(self._engine, "before_cursor_execute", note)
        with self._driver.query_logger(note):
            yield
            await asyncio.sleep(0)  # the driver tells a moment later
        sa.event.remove(self._engine, "before_cursor_execute", note)


@pytest.fixture
async def wire(engine: AsyncEngine) -> Wire:
    """The pool's only connection, as nothing else uses the pool."""
    await engine.dispose()
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
    return Wire(engine, driver)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application as it runs, with the pool and with real commits."""
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test"
    ) as client:
        yield client
    async with transaction() as session:
        # To empty a table takes a while even if it is empty: not all of them each time.
        for table in Base.metadata.tables.values():
            if await session.scalar(sa.select(sa.exists(sa.select(table)))):
                await session.execute(sa.text(f'TRUNCATE "{table.name}" CASCADE'))


@each_case
async def test_more_rows_need_no_more_statements(
    case: Case, client: httpx2.AsyncClient, wire: Wire
) -> None:
    sent = []
    for _ in range(case.rows(SOME)):
        async with transaction() as session:
            await case.factory.store(session)
        async with wire.noted():
            says(await client.get(case.url), 200)
        sent.append([*wire.sent])
    assert sent == [sent[0]] * len(sent)
    assert "SELECT" in sent[0]
