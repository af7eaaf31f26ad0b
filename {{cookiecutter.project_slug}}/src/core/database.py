"""The base class of the tables, the sessions, and the code that commits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from typing import Any

import asyncpg
from sqlalchemy import ColumnClause, Index, MetaData, Table, orm
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.visitors import iterate
from starlette.requests import HTTPConnection

from src.core.config import get_settings
from src.core.engines import Engines, create_engine

MAX_NAME = 63  # bytes of an identifier in PostgreSQL
# Advice for errors of a reading session, by SQLSTATE.
NOT_IN_A_READ = {
    "25006": "The session of a GET or HEAD request only reads. To write in one, declare "
    "WriteSessionDep (src/api/dependencies.py) instead of SessionDep.",
    "25P01": "The session of a GET or HEAD request has no transaction. For a stream, a "
    "savepoint, a lock or SET LOCAL set READ_TRANSACTIONS=true, or declare "
    "WriteSessionDep (src/api/dependencies.py) instead of SessionDep.",
}


def _name(kind: str) -> Callable[[Any, Table], str]:
    """Return a function that names a constraint or index after its table and columns.

    A name of more than 63 bytes is shortened and ends in a hash of the whole name.
    PostgreSQL would truncate it, and two truncated names could be equal.
    """

    def name(constraint: Any, table: Table) -> str:
        columns = [] if kind == "pk" else [column.name for column in constraint.columns]
        parts = [constraint.name] if kind == "ck" else columns
        full = "_".join([kind, table.name, *parts])
        if len(full) <= MAX_NAME:
            return full
        return f"{full[: MAX_NAME - 9]}_{sha256(full.encode()).hexdigest()[:8]}"

    return name


def columns_of(index: Index) -> list[str]:
    """Return the names of an index's columns, and of those in its expressions."""
    expressions: list[Any] = [*index.expressions]
    parts = (part for one in expressions for part in iterate(one))
    return [str(part.name) for part in parts if isinstance(part, ColumnClause)]


NAMING_CONVENTION: dict[str, Any] = {
    "ix_name": _name("ix"),
    "uq_name": _name("uq"),
    "fk_name": _name("fk"),
    "pk_name": _name("pk"),
    # With "constraint_name" in the key, SQLAlchemy adds the prefix to a given name, as
    # CHECKs need. Other constraints keep a given name.
    "ck_constraint_name": _name("ck"),
    "ix": "%(ix_name)s",
    "uq": "%(uq_name)s",
    "fk": "%(fk_name)s",
    "pk": "%(pk_name)s",
    "ck": "%(ck_constraint_name)s",
}


class Base(orm.DeclarativeBase):
    """The base of every table, with stable names for constraints and indexes."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Session(orm.Session):
    """SQLAlchemy's session, which connects to DATABASE_URL if it has no bind.

    That is the case in scripts and shells; the application binds its session makers to
    connection pools.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the engine of a statement."""
        if self.bind is None:
            self.bind = _unpooled_engine(bool(self.info.get("read_only"))).sync_engine
        return super().get_bind(*args, **kwargs)


@cache
def _unpooled_engine(read_only: bool) -> AsyncEngine:
    return create_engine(get_settings(), read_only=read_only, poolclass=NullPool)


def _session_maker(**info: object) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(
        sync_session_class=Session,
        expire_on_commit=False,
        close_resets_only=False,  # using a closed session is an error
        info=info,
    )


async_session_maker = _session_maker()
# The database refuses every write of these sessions.
read_session_maker = _session_maker(read_only=True)


def bind_sessions(engines: Engines, **limits: float) -> None:
    """Bind both session makers to these engines; `limits` are those of sessions."""
    info = {"engines": engines, **limits}
    async_session_maker.configure(bind=engines.write, info=info)
    read_session_maker.configure(bind=engines.read, info={"read_only": True, **info})


async def get_db(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yield the session of a request: it only reads for GET and HEAD.

    Depend on it with `scope="function"` (see `SessionDep`): then it commits before the
    response is sent, so a 201 means that the row is stored.
    """
    reads = connection.scope.get("method") in ("GET", "HEAD")
    async with reading() if reads else transaction() as db:
        yield db


async def get_write_db() -> AsyncIterator[AsyncSession]:
    """Yield a session that may write, with any method of the request."""
    async with transaction() as db:
        yield db


@asynccontextmanager
async def transaction(
    session_maker: async_sessionmaker[AsyncSession] = async_session_maker,
) -> AsyncIterator[AsyncSession]:
    """Open a session that commits when the block ends, and rolls back on any error.

    If it takes longer than TRANSACTION_TIMEOUT in total, from the wait for a connection
    to the commit, TimeoutError is raised.
    """
    session = session_maker()
    async with _time_limit(session), session:
        yield session
        await session.commit()


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncSession]:
    """Open a session that only reads, on the replica if there is one.

    It has nothing to commit, and the same time limit as `transaction()`.
    """
    session = read_session_maker()
    async with _time_limit(session), await _on_replica(session) as session:
        try:
            yield session
            if session.new or session.dirty or session.deleted:
                await session.flush()  # the database rejects it
        except DBAPIError as error:
            _explain(error)
            raise


@asynccontextmanager
async def _time_limit(session: AsyncSession) -> AsyncIterator[None]:
    """Raise a TimeoutError that says why, if the block takes too long."""
    seconds = session.info.get("transaction_timeout")
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(
            f"the transaction took longer than TRANSACTION_TIMEOUT, {seconds} s"
        ) from error


async def _on_replica(session: AsyncSession) -> AsyncSession:
    """Return a session on the replica, if there is one and it responds."""
    engines: Engines | None = session.info.get("engines")
    replica = engines.usable_replica() if engines else None
    if engines is None or replica is None:
        return session
    on_replica = read_session_maker(bind=replica)
    try:
        await on_replica.connection()
    except (OSError, TimeoutError, asyncpg.PostgresError, DBAPIError) as error:
        await on_replica.close()
        engines.replica_failed(error)
        return session
    engines.replica_answered()
    return on_replica


def _explain(error: DBAPIError) -> None:
    """Raise an error with advice if a reading session cannot run the statement."""
    advice = NOT_IN_A_READ.get(str(getattr(error.orig, "sqlstate", "")))
    if advice:
        raise RuntimeError(advice) from error
