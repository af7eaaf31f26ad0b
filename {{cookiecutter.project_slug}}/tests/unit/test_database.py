"""Transactions: what is announced, and when."""

from typing import Annotated

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
)
from structlog.testing import capture_logs

from src.core.config import Settings
from src.core.database import (
    TIMEOUT,
    async_session_maker,
    create_engine,
    get_db,
    record,
    transaction,
)

Maker = async_sessionmaker[AsyncSession]


async def test_writes_are_announced_after_the_commit(session_maker: Maker) -> None:
    with capture_logs() as lines:
        async with transaction(session_maker) as session:
            record(session, "parcel", "parcels", "created", 7)
            record(session, "parcel", "parcels", "deleted", 8)
            assert lines == []
    assert [(line["event"], line["parcel_id"]) for line in lines] == [
        ("parcel_created", "7"),
        ("parcel_deleted", "8"),
    ]


async def test_what_is_rolled_back_never_happened(session_maker: Maker) -> None:
    async def fail() -> None:
        async with transaction(session_maker) as session:
            record(session, "parcel", "parcels", "created", 7)
            raise LookupError

    with capture_logs() as lines, pytest.raises(LookupError):
        await fail()
    assert lines == []


async def test_of_several_writes_all_are_kept_or_none(
    connection: AsyncConnection, session_maker: Maker
) -> None:
    await connection.execute(sa.text("CREATE TEMPORARY TABLE _kept (n int)"))

    insert = sa.text("INSERT INTO _kept VALUES (1 / CAST(:n AS int))")

    async def write(last: int) -> None:
        async with transaction(session_maker) as session:
            for n in (1, last):
                await session.execute(insert, {"n": n})

    with pytest.raises(sa.exc.DBAPIError, match="division by zero"):
        await write(0)
    count = sa.text("SELECT count(*) FROM _kept")
    assert await connection.scalar(count) == 0
    await write(1)
    assert await connection.scalar(count) == 2


async def test_a_request_has_a_session_of_its_own(engine: AsyncEngine) -> None:
    sessions = get_db()
    session = await anext(sessions)
    assert session.bind is engine
    assert await session.scalar(sa.text("SELECT 1")) == 1
    with pytest.raises(StopAsyncIteration):
        await anext(sessions)


async def test_a_request_has_a_time_limit_for_all_that_it_asks(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(async_session_maker.kw, "info", {TIMEOUT: 0.1})
    app = FastAPI()

    @app.get("/")
    async def wait(
        db: Annotated[AsyncSession, Depends(get_db, scope="function")],
    ) -> None:
        for _ in range(100):
            await db.execute(sa.text("SELECT pg_sleep(0.05)"))

    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://t"
    )
    async with client:
        with pytest.raises(TimeoutError):
            await client.get("/")
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT 1")) == 1


async def test_the_engine_waits_for_nothing_without_end(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        for name in ("statement_timeout", "lock_timeout"):
            value = await connection.scalar(sa.text(f"SHOW {name}"))
            assert value not in (None, "0")


async def test_an_error_tells_no_values(settings: Settings) -> None:
    """They are what somebody sent, and errors go to the log."""
    engine = create_engine(settings)
    async with engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            await connection.execute(sa.text("SELECT CAST(:n AS int) / 0"), {"n": 4711})
    await engine.dispose()
    assert "division by zero" in str(caught.value)
    assert "4711" not in str(caught.value)
