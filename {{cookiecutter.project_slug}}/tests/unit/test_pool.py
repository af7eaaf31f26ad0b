"""Connections of the pool: who waits for one gets it in turn."""

import asyncio
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.core.config import Settings
from src.core.database import create_engine
from src.core.query import Query

ONLY = Query(sa.select(sa.literal(1)))
ONE = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2}


async def test_who_asked_first_is_served_first(settings: Settings) -> None:
    engine = create_engine(settings.model_copy(update={**ONE, "pool_timeout": 30}))
    served: list[str] = []

    async def use_twice(name: str) -> None:
        async with AsyncSession(engine) as session:
            for turn in (name, f"{name} again"):  # before who was woken has run
                await ONLY.fetch(session, {})
                served.append(turn)

    tasks = [asyncio.create_task(use_twice(name)) for name in "abcd"]
    await asyncio.gather(*tasks)
    again = [f"{name} again" for name in "abcd"]
    assert served == ["a", "b", "c", "d", *again]
    await engine.dispose()


async def test_a_connection_for_who_has_left_goes_to_the_next(
    settings: Settings,
) -> None:
    engine = create_engine(settings.model_copy(update={**ONE, "pool_timeout": 30}))
    held = await engine.connect()

    async def take() -> AsyncConnection:
        return await engine.connect()

    waiting = [asyncio.create_task(take()) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()  # while it waits
    await asyncio.sleep(0.01)
    await held.close()
    waiting[1].cancel()  # when it has been given the connection, and does not know yet
    async with asyncio.timeout(5):
        await (await waiting[2]).close()
    for task in waiting[:2]:
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "Connections in pool: 1" in engine.pool.status()
    await engine.dispose()


async def test_who_leaves_takes_no_place_along(settings: Settings) -> None:
    both = {"pool_size": 1, "max_overflow": 1, "pool_timeout": 30}
    engine = create_engine(settings.model_copy(update=both))
    first, second = await engine.connect(), await engine.connect()

    async def take() -> AsyncConnection:
        return await engine.connect()

    waiting = asyncio.create_task(take())
    await asyncio.sleep(0.01)
    # One is handed over, the other fills the pool, and who was to have the first leaves.
    returned = [asyncio.create_task(one.close()) for one in (first, second)]
    asyncio.get_running_loop().call_soon(waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.gather(*returned)
    async with asyncio.timeout(5), engine.connect(), engine.connect():
        assert "Checked out connections: 2" in engine.pool.status()
    await engine.dispose()


async def test_who_waits_in_vain_is_told(settings: Settings) -> None:
    engine = create_engine(settings.model_copy(update=ONE))
    held = await engine.connect()
    with pytest.raises(PoolTimeoutError):
        await engine.connect()
    assert not cast(Any, engine.pool)._pool._queue._waiting
    await held.close()
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT 1")) == 1
    await engine.dispose()
