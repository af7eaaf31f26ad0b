"""Transactions: what is announced, and when."""

import asyncio
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
    GOODBYE,
    LAST_CALL,
    STATEMENT_TIMEOUT,
    TIMEOUT,
    async_session_maker,
    create_engine,
    get_db,
    record,
    transaction,
)

Maker = async_sessionmaker[AsyncSession]
TERMINATE = b"X\0\0\0\x04"  # a client's last message


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


async def test_what_commits_itself_is_sent_early_enough_to_be_answered(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {TIMEOUT: 50, STATEMENT_TIMEOUT: 20}
    monkeypatch.setitem(async_session_maker.kw, "info", limits)
    sessions = get_db()
    session = await anext(sessions)
    left = session.info[LAST_CALL] - asyncio.get_running_loop().time()
    assert 20 < left <= 30
    with pytest.raises(StopAsyncIteration):
        await anext(sessions)


async def test_a_request_has_a_time_limit_for_all_that_it_asks(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {TIMEOUT: 0.1, STATEMENT_TIMEOUT: 0.05}
    monkeypatch.setitem(async_session_maker.kw, "info", limits)
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


async def test_a_goodbye_that_nobody_hears_is_short(settings: Settings) -> None:
    """It comes when all is done: what was committed must not turn into an error."""
    url = sa.make_url(settings.database_url)
    over, served = asyncio.Event(), asyncio.Event()

    async def pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while (data := await source.read(65_536)) and data != TERMINATE:
            to.write(data)

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(url.host, url.port)
        asking = asyncio.create_task(pass_on(reader, far_writer))
        answering = asyncio.create_task(pass_on(far_reader, writer))
        await over.wait()
        far_writer.close()
        await asyncio.wait([asking, answering])
        writer.close()
        served.set()

    server = await asyncio.start_server(proxy, "127.0.0.1")
    host, port = server.sockets[0].getsockname()
    there = url.set(host=host, port=port).render_as_string(hide_password=False)
    engine = create_engine(settings.model_copy(update={"database_url": there}))
    async with engine.connect() as connection:
        await connection.execute(sa.text("SELECT 1"))
    async with asyncio.timeout(10 * GOODBYE):  # of a busy machine
        await engine.dispose()
    over.set()
    await served.wait()
    server.close()


async def test_an_error_tells_no_values(settings: Settings) -> None:
    """They are what somebody sent, and errors go to the log."""
    engine = create_engine(settings)
    async with engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            await connection.execute(sa.text("SELECT CAST(:n AS int) / 0"), {"n": 4711})
    await engine.dispose()
    assert "division by zero" in str(caught.value)
    assert "4711" not in str(caught.value)
