"""Statements that go to the driver: they answer as SQLAlchemy would, in and out of a
transaction, and a connection that broke is not lent again."""

import asyncio
import datetime as dt
import decimal
import threading
import uuid
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from src.core.config import Settings
from src.core.database import create_engine, transaction
from src.core.logging import setup_logging
from src.core.query import Query

VALUES: dict[str, tuple[Any, Any]] = {
    "id": (sa.Uuid(), uuid.UUID(int=7)),
    "ids": (ARRAY(sa.Uuid()), [uuid.UUID(int=7), uuid.UUID(int=8)]),
    "text": (sa.Text(), "ä\n"),
    "number": (sa.Numeric(12, 2), decimal.Decimal("0.50")),
    "size": (sa.BigInteger(), 2**63 - 1),
    "weight": (sa.Float(), 0.1),
    "ready": (sa.Boolean(), True),
    "day": (sa.Date(), dt.date(2026, 1, 31)),
    "hour": (sa.Time(), dt.time(13, 30)),
    "moment": (sa.DateTime(timezone=True), dt.datetime(2026, 1, 31, tzinfo=dt.UTC)),
    "anything": (JSONB(none_as_null=True), {"a": [1, None, "b"]}),
}
SLEEP = Query(sa.select(sa.func.pg_sleep(sa.bindparam("seconds", type_=sa.Float))))


def columns() -> Query:
    values = (
        sa.cast(sa.bindparam(name, type_=t), t) for name, (t, _) in VALUES.items()
    )
    return Query(
        sa.select(*(v.label(name) for v, name in zip(values, VALUES, strict=True)))
    )


@pytest.mark.parametrize("is_null", [False, True])
async def test_values_are_as_sqlalchemy_has_them(
    engine: AsyncEngine, is_null: bool
) -> None:
    values = {name: None if is_null else value for name, (_, value) in VALUES.items()}
    async with AsyncSession(engine) as session:
        (alone,) = await columns().fetch(session, values)
        assert not session.in_transaction()
        async with session.begin():
            await session.execute(sa.text("SELECT 1"))
            (within,) = await columns().fetch(session, values)
    assert list(alone) == list(within) == list(values.values())
    assert [type(value) for value in within if not isinstance(value, uuid.UUID)] == [
        type(value) for value in alone if not isinstance(value, uuid.UUID)
    ]


async def test_a_transaction_reads_what_it_has_written(engine: AsyncEngine) -> None:
    name = sa.bindparam("name", type_=sa.Text)
    is_there = Query(sa.select(sa.func.to_regclass(name).is_not(None)))

    async def look(session: AsyncSession) -> bool:
        (row,) = await is_there.fetch(session, {"name": "_made"})
        return bool(row[0])

    async def make_and_fail() -> None:
        async with transaction(async_sessionmaker(engine)) as session:
            assert not await look(session)
            await session.execute(sa.text("CREATE TABLE _made ()"))
            assert await look(session)
            raise LookupError

    with pytest.raises(LookupError):
        await make_and_fail()
    async with AsyncSession(engine) as session:
        assert not await look(session)


async def process_id(session: AsyncSession) -> Any:
    """Which of the server's processes serves the session's connection."""
    (row,) = await Query(sa.select(sa.func.pg_backend_pid())).fetch(session, {})
    return row[0]


async def test_a_refusal_leaves_the_connection_as_good_as_it_was(
    settings: Settings,
) -> None:
    divided = Query(sa.select(sa.literal(1) / sa.bindparam("by", type_=sa.Integer)))
    engine = create_engine(settings)
    async with AsyncSession(engine) as session:
        before = await process_id(session)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await divided.fetch(session, {"by": 0})
        assert await process_id(session) == before
    await engine.dispose()


async def test_a_query_that_was_given_up_takes_its_connection_along(
    settings: Settings,
) -> None:
    engine = create_engine(settings)
    async with AsyncSession(engine) as session:
        before = await process_id(session)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await SLEEP.fetch(session, {"seconds": 30})
        assert await process_id(session) != before
    await engine.dispose()


@pytest.mark.parametrize("noticed", [True, False])
async def test_an_idle_connection_that_died_is_not_used(
    settings: Settings, noticed: bool
) -> None:
    after = 60 if noticed else 0.001
    engine = create_engine(settings.model_copy(update={"pool_ping_after": after}))
    async with AsyncSession(engine) as session:
        pid = await process_id(session)
    # In a thread that we wait for, so that our driver gets no time to notice.
    killing = threading.Thread(target=asyncio.run, args=(kill(settings, pid),))
    killing.start()
    killing.join()
    if noticed:
        await asyncio.sleep(0.1)
    async with AsyncSession(engine) as session:
        assert await process_id(session) != pid
    await engine.dispose()


async def kill(settings: Settings, pid: int) -> None:
    connection = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
    await connection.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
    await connection.close()


async def test_debug_logs_every_statement(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for debug in (True, False):
        setup_logging(settings.model_copy(update={"debug": debug}))
        engine = create_engine(settings)
        async with AsyncSession(engine) as session:
            await process_id(session)
            await session.execute(sa.text("SELECT 'the other way'"))
        await engine.dispose()
        assert ("pg_backend_pid" in caplog.text) is debug
        assert ("the other way" in caplog.text) is debug
        caplog.clear()
