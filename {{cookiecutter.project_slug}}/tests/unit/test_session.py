"""A session's transaction is one, whoever begins it: the driver or SQLAlchemy."""

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from src.core.config import Settings
from src.core.database import LAST_CALL, create_engine, transaction
from src.core.query import Query
from tests.unit.test_query import SLEEP, VALUES, process_id

NOTES = sa.Table(
    "_notes",
    sa.MetaData(),
    sa.Column("id", sa.Uuid, primary_key=True),
    *(sa.Column(name, t) for name, (t, _) in VALUES.items() if name != "id"),
)
ALL = Query(sa.select(NOTES.c.text))
RETURNED = sa.insert(NOTES).returning(*NOTES.c)
PAUSE = 0.3
SLOW = (
    f"""CREATE OR REPLACE FUNCTION pg_temp.pause() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep({PAUSE}); RETURN NEW; END $$""",
    """CREATE TRIGGER pause BEFORE INSERT ON _notes FOR EACH ROW
    WHEN (NEW.text = 'slow') EXECUTE FUNCTION pg_temp.pause()""",
)


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """An engine of one connection: what it should have given back, it lacks."""
    one = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    engine = create_engine(settings.model_copy(update=one))
    async with engine.begin() as connection:
        await connection.run_sync(NOTES.metadata.create_all)
    yield engine
    async with engine.begin() as connection:
        await connection.run_sync(NOTES.metadata.drop_all)
    await engine.dispose()


async def add(session: AsyncSession, text: str, **values: Any) -> Any:
    """Insert by the driver."""
    row: Mapping[str, Any] = {"id": uuid.uuid4(), "text": text, **values}
    (added,) = await Query(RETURNED, tuple(row)).fetch(session, row)
    return added


async def add_slowly(session: AsyncSession, text: str) -> None:
    """Insert by SQLAlchemy."""
    await session.execute(sa.insert(NOTES), {"id": uuid.uuid4(), "text": text})


async def texts(engine: AsyncEngine) -> list[str]:
    """Return what is there for all to see."""
    async with AsyncSession(engine) as session:
        return sorted(text for (text,) in await ALL.fetch(session, {}))


@pytest.mark.parametrize("is_null", [False, True])
async def test_values_are_stored_as_by_sqlalchemy(
    engine: AsyncEngine, is_null: bool
) -> None:
    values = {name: None if is_null else value for name, (_, value) in VALUES.items()}
    values["text"] = "by the driver"
    values["id"] = uuid.uuid4()
    async with transaction(async_sessionmaker(engine)) as session:
        (returned,) = await Query(RETURNED, tuple(values)).fetch(session, values)
    async with AsyncSession(engine) as session:
        stored = (await session.execute(sa.select(NOTES))).one()
    read = dict(zip(NOTES.c.keys(), stored, strict=True))
    assert read == dict(zip(NOTES.c.keys(), returned, strict=True)) == values


async def test_both_see_what_the_other_has_written(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await add(session, "a")
        assert [text for (text,) in await ALL.fetch(session, {})] == ["a"]
        assert list(await session.scalars(sa.select(NOTES.c.text))) == ["a"]
        await add_slowly(session, "b")
        await add(session, "c")
        assert len(await ALL.fetch(session, {})) == 3
        assert session.in_transaction()
        await session.commit()
        assert not session.in_transaction()
    assert await texts(engine) == ["a", "b", "c"]


async def commit_one(session: AsyncSession, text: str, **values: Any) -> None:
    """Insert by a statement that commits itself."""
    row: Mapping[str, Any] = {"id": uuid.uuid4(), "text": text, **values}
    await Query(RETURNED, tuple(row)).fetch(session, row, autocommit=True)


async def test_a_statement_can_commit_itself(engine: AsyncEngine) -> None:
    async with transaction(async_sessionmaker(engine)) as session:
        await commit_one(session, "a")
        assert not session.in_transaction()
        assert await texts(engine) == ["a"]


async def test_a_statement_that_is_not_alone_does_not_commit_itself(
    engine: AsyncEngine,
) -> None:
    class Base(orm.DeclarativeBase):
        metadata = NOTES.metadata

    class Note(Base):
        __table__ = NOTES

    async def fail(first: Any) -> None:
        async with transaction(async_sessionmaker(engine)) as session:
            await first(session)
            await commit_one(session, "b")
            raise LookupError

    async def leave_pending(session: AsyncSession) -> None:
        session.add(Note(id=uuid.uuid4(), text="a"))

    async def write(session: AsyncSession) -> None:
        await add(session, "a")

    async def leave_changed(session: AsyncSession) -> None:
        note: Any = await session.scalar(sa.select(Note))
        await session.commit()
        note.text = "c"

    async def leave_deleted(session: AsyncSession) -> None:
        note: Any = await session.scalar(sa.select(Note))
        await session.commit()
        await session.delete(note)

    async with transaction(async_sessionmaker(engine)) as session:
        await add(session, "0")
    for first in (leave_pending, leave_changed, leave_deleted, write):
        with pytest.raises(LookupError):
            await fail(first)
        assert await texts(engine) == ["0"]


async def test_nothing_is_asked_after_what_has_committed_itself(
    engine: AsyncEngine,
) -> None:
    async def look(session: AsyncSession, _: str) -> None:
        await ALL.fetch(session, {})

    async def go_on(more: Any) -> None:
        async with transaction(async_sessionmaker(engine)) as session:
            await commit_one(session, "a")
            await more(session, "b")

    for more in (add, add_slowly, commit_one, look):
        with pytest.raises(RuntimeError, match=r"without http\.autocommitted"):
            await go_on(more)
    assert await texts(engine) == ["a"] * 4


async def test_of_two_at_once_only_one_commits_itself(engine: AsyncEngine) -> None:
    async with transaction(async_sessionmaker(engine)) as session:
        both = [commit_one(session, text) for text in "ab"]
        _, refused = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(refused, RuntimeError)
    assert await texts(engine) == ["a"]


async def test_what_a_request_gives_up_is_not_stored(engine: AsyncEngine) -> None:
    """Time was lost before, so that the server might store it after the request."""

    async def create(text: str) -> None:
        async with transaction(async_sessionmaker(engine)) as session:
            session.info[LAST_CALL] = -math.inf
            async with asyncio.timeout(PAUSE / 3 if text == "slow" else None):
                await commit_one(session, text)

    async with engine.begin() as connection:
        for statement in SLOW:
            await connection.execute(sa.text(statement))
    with pytest.raises(TimeoutError):
        await create("slow")
    await create("in time")
    await asyncio.sleep(2 * PAUSE)
    assert await texts(engine) == ["in time"]


@pytest.mark.parametrize("late", [False, True])
async def test_what_could_not_commit_itself_lets_others_be_written(
    engine: AsyncEngine, late: bool
) -> None:
    one = uuid.uuid4()
    async with transaction(async_sessionmaker(engine)) as session:
        await add(session, "a", id=one)
    async with transaction(async_sessionmaker(engine)) as session:
        session.info[LAST_CALL] = -math.inf if late else math.inf
        with pytest.raises(asyncpg.UniqueViolationError):
            await commit_one(session, "b", id=one)
        await add(session, "c")
    assert await texts(engine) == ["a", "c"]


async def test_on_a_connection_of_somebody_else_it_is_for_them_to_commit(
    engine: AsyncEngine,
) -> None:
    async with engine.connect() as connection:
        maker = async_sessionmaker(connection, join_transaction_mode="create_savepoint")
        await connection.begin()
        async with transaction(maker) as session:
            await commit_one(session, "a")
        await connection.rollback()
    assert await texts(engine) == []


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("end", ["rollback", "close", "reset", "invalidate", "error"])
async def test_a_transaction_that_is_not_committed_leaves_nothing(
    engine: AsyncEngine, end: str, both: bool
) -> None:
    async def fail() -> None:
        async with transaction(async_sessionmaker(engine)) as session:
            await add(session, "a")
            if both:
                await add_slowly(session, "b")
            if end == "error":
                raise LookupError
            await getattr(session, end)()
            assert not session.in_transaction()

    if end == "error":
        with pytest.raises(LookupError):
            await fail()
    else:
        await fail()
    assert await texts(engine) == []


async def test_a_session_serves_one_transaction_after_the_other(
    engine: AsyncEngine,
) -> None:
    async with AsyncSession(engine) as session:
        await add(session, "a")
        await session.rollback()
        await add(session, "b")
        await session.commit()
        await add_slowly(session, "c")
        await session.commit()
        async with session.begin():
            await add(session, "d")
        await add(session, "e")
        async with session.begin_nested() as savepoint:
            await add(session, "f")
            await savepoint.rollback()
        await session.commit()
    assert await texts(engine) == ["b", "c", "d", "e"]


@pytest.mark.parametrize("by_driver", [True, False])
async def test_a_commit_that_was_none_is_an_error(
    engine: AsyncEngine, by_driver: bool
) -> None:
    """PostgreSQL rolls back, and says so in a word that nobody reads."""

    async def go_on_after_a_failure() -> None:
        async with transaction(async_sessionmaker(engine)) as session:
            if not by_driver:
                await add_slowly(session, "a")
            one = uuid.uuid4()
            await add(session, "b", id=one)
            with pytest.raises((asyncpg.UniqueViolationError, DBAPIError)):
                await add(session, "c", id=one)

    with pytest.raises(Exception, match="rolled back, not committed"):
        await go_on_after_a_failure()
    assert await texts(engine) == []


async def test_a_lost_connection_takes_its_transaction_along(
    engine: AsyncEngine,
) -> None:
    async with AsyncSession(engine) as session:
        await add(session, "a")
        before = await process_id(session)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await SLEEP.fetch(session, {"seconds": 0.5})
        for go_on in (session.commit(), add(session, "b")):
            with pytest.raises(InvalidRequestError):
                await go_on
        await session.rollback()
        assert await process_id(session) != before
    assert await texts(engine) == []


async def test_two_at_once_lose_nothing_in_silence(engine: AsyncEngine) -> None:
    """One connection runs one statement at a time, and a session has one."""
    async with AsyncSession(engine) as session:
        both = [add(session, text) for text in "ab"]
        results = await asyncio.gather(*both, return_exceptions=True)
        assert any(isinstance(result, Exception) for result in results)
        with pytest.raises(InvalidRequestError):
            await session.commit()
    assert await texts(engine) == []
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT 1")) == 1


async def test_what_is_pending_is_sent_first(engine: AsyncEngine) -> None:
    class Base(orm.DeclarativeBase):
        pass

    class Note(Base):
        __table__ = NOTES

    async with AsyncSession(engine) as session:
        session.add(Note(id=uuid.uuid4(), text="a"))
        assert [text for (text,) in await ALL.fetch(session, {})] == ["a"]
        await add(session, "b")
        await session.commit()
    assert await texts(engine) == ["a", "b"]


async def test_a_lock_lasts_as_long_as_the_transaction(engine: AsyncEngine) -> None:
    locked = Query(sa.select(NOTES.c.text).with_for_update())
    async with AsyncSession(engine) as session:
        await locked.fetch(session, {})
        assert session.in_transaction()


async def test_an_isolation_level_holds_for_the_driver_too(engine: AsyncEngine) -> None:
    level = Query(sa.select(sa.func.current_setting("transaction_isolation")))
    serial = engine.execution_options(isolation_level="SERIALIZABLE")
    async with AsyncSession(serial) as session:
        await add(session, "a")
        ((found,),) = await level.fetch(session, {})
        assert found == "serializable"
        await session.commit()
    assert await texts(engine) == ["a"]


async def test_defaults_that_python_makes_are_made(engine: AsyncEngine) -> None:
    table = sa.Table(
        "_notes",
        sa.MetaData(),
        sa.Column("id", sa.Uuid, primary_key=True, default=uuid.uuid4),
        sa.Column("text", sa.Text, default=lambda: "made", onupdate=lambda: "changed"),
        sa.Column("size", sa.BigInteger),
    )
    insert = Query(sa.insert(table).returning(table.c.text), ("size",))
    update = Query(sa.update(table).returning(table.c.text), ("size",))
    async with AsyncSession(engine) as session:
        assert [tuple(row) for row in await insert.fetch(session, {"size": 1})] == [
            ("made",)
        ]
        assert [tuple(row) for row in await update.fetch(session, {"size": 2})] == [
            ("changed",)
        ]
