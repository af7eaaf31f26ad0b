"""Sessions and transactions: what is committed, what is announced, and how long."""

import asyncio
import time
from typing import Annotated

import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from structlog.testing import capture_logs

from src.core import engines
from src.core.config import Settings
from src.core.database import (
    async_session_maker,
    get_db,
    read_session_maker,
    reading,
    transaction,
)
from src.core.engines import Engines, create_engine
from src.core.write_log import Write, note_write
from tests.conftest import client_of

CREATED = Write("parcel", "parcels", "created", "7")
DELETED = Write("parcel", "parcels", "deleted", "8")
TERMINATE = b"X\0\0\0\x04"  # a client's last message


@pytest.mark.usefixtures("app")
async def test_writes_are_logged_after_the_commit() -> None:
    with capture_logs() as lines:
        async with transaction() as session:
            await session.execute(sa.text("SELECT 1"))
            note_write(session, CREATED)
            async with session.begin_nested():
                note_write(session, DELETED)
            assert lines == []
    assert [(line["event"], line["parcel_id"]) for line in lines] == [
        ("parcel_created", "7"),
        ("parcel_deleted", "8"),
    ]


@pytest.mark.usefixtures("app")
async def test_writes_that_are_rolled_back_are_not_logged() -> None:
    async def fail() -> None:
        async with transaction() as session:
            await session.execute(sa.text("SELECT 1"))
            note_write(session, CREATED)
            raise LookupError

    with capture_logs() as lines, pytest.raises(LookupError):
        await fail()
    assert lines == []


@pytest.mark.usefixtures("app")
async def test_writes_of_a_savepoint_that_is_rolled_back_are_not_logged() -> None:
    with capture_logs() as lines:
        async with transaction() as session:
            note_write(session, CREATED)
            outer = await session.begin_nested()
            async with session.begin_nested():
                note_write(session, DELETED)
            await outer.rollback()
    assert [line["event"] for line in lines] == ["parcel_created"]


async def test_all_writes_of_a_transaction_are_kept_or_none(
    app: FastAPI, connection: AsyncConnection
) -> None:
    await connection.execute(sa.text("CREATE TABLE _kept (n int)"))
    await connection.commit()
    insert = sa.text("INSERT INTO _kept VALUES (1 / CAST(:n AS int))")

    async def write(last: int) -> None:
        async with transaction() as session:
            for n in (1, last):
                await session.execute(insert, {"n": n})

    try:
        with pytest.raises(sa.exc.DBAPIError, match="division by zero"):
            await write(0)
        count = sa.text("SELECT count(*) FROM _kept")
        assert await connection.scalar(count) == 0
        await write(1)
        assert await connection.scalar(count) == 2
        await connection.commit()
    finally:
        await connection.execute(sa.text("DROP TABLE _kept"))
        await connection.commit()


async def test_a_session_outside_of_the_application_connects_by_the_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a script or shell: nothing has bound the session maker to a pool."""
    monkeypatch.setitem(async_session_maker.kw, "bind", None)
    async with async_session_maker() as session:
        name = await session.scalar(sa.text("SELECT current_database()"))
    assert name == sa.make_url(settings.database_url).database


async def test_a_request_has_a_time_limit_for_all_that_it_asks(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {"transaction_timeout": 0.1}
    monkeypatch.setitem(async_session_maker.kw, "info", limit)
    probe = FastAPI()

    @probe.post("/")
    async def wait(
        db: Annotated[AsyncSession, Depends(get_db, scope="function")],
    ) -> None:
        for _ in range(100):
            await db.execute(sa.text("SELECT pg_sleep(0.05)"))

    async with client_of(probe) as client:
        with pytest.raises(TimeoutError):
            await client.post("/")
    async with async_session_maker() as session:
        assert await session.scalar(sa.text("SELECT 1")) == 1


async def test_every_statement_has_a_time_limit(app: FastAPI) -> None:
    pools: Engines = app.state.engines
    for _, engine in pools.items():
        async with engine.connect() as connection:
            for name in ("statement_timeout", "lock_timeout"):
                value = await connection.scalar(sa.text(f"SHOW {name}"))
                assert value not in (None, "0")


async def test_both_pools_together_stay_within_their_limit(
    settings: Settings,
) -> None:
    for size, overflow in ((5, 10), (2, 0), (4, 3)):
        changes = {"pool_size": size, "max_overflow": overflow}
        pools = Engines(settings.model_copy(update=changes))
        sizes = [engine.pool.size() for engine in (pools.write, pools.read)]  # type: ignore[attr-defined]
        assert sum(sizes) == size
        await pools.dispose()


async def test_reads_fall_back_to_the_primary_while_the_replica_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql+asyncpg://app@127.0.0.1:1/app"
    pools = Engines(settings.model_copy(update={"database_read_url": away}))
    monkeypatch.setitem(read_session_maker.kw, "bind", pools.read)
    info = {"read_only": True, "engines": pools}
    monkeypatch.setitem(read_session_maker.kw, "info", info)
    with capture_logs() as lines:
        for _ in range(2):
            async with reading() as session:
                assert await session.scalar(sa.text("SELECT 1")) == 1
    assert [line["event"] for line in lines] == ["replica_unavailable"]
    await pools.dispose()


@pytest.mark.parametrize("noticed", [True, False])
async def test_an_idle_connection_that_died_is_replaced(
    settings: Settings, noticed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PING_AFTER", 60 if noticed else 0)
    engine = create_engine(settings)
    pid = sa.text("SELECT pg_backend_pid()")
    async with engine.connect() as connection:
        before = await connection.scalar(pid)
    other = create_engine(settings)
    async with other.connect() as connection:
        kill = sa.text("SELECT pg_terminate_backend(:pid, 5000)")
        await connection.execute(kill, {"pid": before})
    await other.dispose()
    if noticed:
        await asyncio.sleep(0.1)
    async with engine.connect() as connection:
        assert await connection.scalar(pid) != before
    await engine.dispose()


async def test_closing_a_connection_does_not_wait_for_a_frozen_server(
    settings: Settings,
) -> None:
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
    engine = create_engine(settings, there)
    async with engine.connect() as connection:
        await connection.execute(sa.text("SELECT 1"))
    began = time.monotonic()
    await engine.dispose()
    assert time.monotonic() - began < 10 * engines.CLOSE_TIMEOUT  # of a busy machine
    over.set()
    await served.wait()
    server.close()


async def test_an_error_tells_no_values(settings: Settings) -> None:
    """They are what somebody sent, and errors are logged."""
    engine = create_engine(settings)
    async with engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            await connection.execute(sa.text("SELECT CAST(:n AS int) / 0"), {"n": 4711})
    await engine.dispose()
    assert "division by zero" in str(caught.value)
    assert "4711" not in str(caught.value)
