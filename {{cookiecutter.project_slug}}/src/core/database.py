"""The engine, the session factory, and the one place that commits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import asyncpg
import structlog
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase

from src.core import metrics
from src.core.config import Settings
from src.core.pool import Pool, ping_idle_connections

logger = structlog.get_logger(__name__)

# SQLAlchemy 2.1 does not quote these four of PostgreSQL's reserved words.
PGIdentifierPreparer.reserved_words = PGIdentifierPreparer.reserved_words | {
    "collation",
    "concurrently",
    "lateral",
    "tablesample",
}

GOODBYE = 0.5  # seconds; a request may wait for it that is done otherwise
MAX_NAME = 63  # bytes of an identifier in PostgreSQL


def _name(kind: str) -> Callable[[Any, Table], str]:
    """Name a constraint or index after its table and columns, within 63 bytes.

    What is longer ends in a hash of the whole: PostgreSQL would cut it, and two
    long names could then meet.
    """

    def name(constraint: Any, table: Table) -> str:
        columns = [] if kind == "pk" else [column.name for column in constraint.columns]
        parts = [constraint.name] if kind == "ck" else columns
        full = "_".join([kind, table.name, *parts])
        if len(full) <= MAX_NAME:
            return full
        return f"{full[: MAX_NAME - 9]}_{sha256(full.encode()).hexdigest()[:8]}"

    return name


NAMING_CONVENTION: dict[str, Any] = {
    "ix_name": _name("ix"),
    "uq_name": _name("uq"),
    "fk_name": _name("fk"),
    "pk_name": _name("pk"),
    # With "constraint_name" in the key SQLAlchemy completes a name that was given,
    # which a CHECK needs; all others keep a name that somebody chose.
    "ck_constraint_name": _name("ck"),
    "ix": "%(ix_name)s",
    "uq": "%(uq_name)s",
    "fk": "%(fk_name)s",
    "pk": "%(pk_name)s",
    "ck": "%(ck_constraint_name)s",
}


class Base(DeclarativeBase):
    """What every table shares: names of constraints that never change by chance."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


# Bound to the engine while the application runs: see `lifespan` in src/main.py, which
# also notes under these keys what a request's transaction and a statement may take.
TIMEOUT = "transaction_timeout"
STATEMENT_TIMEOUT = "statement_timeout"
async_session_maker: async_sessionmaker[AsyncSession] = async_sessionmaker(
    expire_on_commit=False
)

# Noted in a session's `info` once a statement of it commits itself.
AUTOCOMMITTED = "autocommitted"
ALONE = (
    "more was asked of the database after a row that had committed itself: await the "
    "creation, without http.autocommitted"
)
# Until when, by the loop's clock, a statement that commits itself can be sent: what takes
# longer than that is rolled back by the server before the request gives up.
LAST_CALL = "last_call"

Verb = Literal["created", "updated", "deleted"]


@dataclass(frozen=True)
class Operation:
    """A write that has happened once its transaction is committed."""

    resource: str
    table: str
    verb: Verb
    resource_id: str


class Connection(asyncpg.Connection):
    """A connection that says when a COMMIT was none, and that can be cut off."""

    async def execute(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own signature
    ) -> str:
        """Run a statement; raise where PostgreSQL rolls back at a COMMIT.

        It does so, without an error, after any statement of the transaction has failed:
        an answer that all is well would then be wrong.
        """
        status: str = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and query.startswith("COMMIT"):
            raise asyncpg.InFailedSQLTransactionError(
                "rolled back, not committed: a statement of the transaction had failed"
            )
        return status

    async def close(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own signature
    ) -> None:
        """Close in good order, but soon; without another word where there is a timeout.

        SQLAlchemy gives one where it has given the connection up: it would say goodbye
        first, and wait two seconds for a server that may be frozen.
        """
        if timeout is None:
            with contextlib.suppress(TimeoutError):  # then it is cut off
                await super().close(timeout=GOODBYE)
        else:
            self.terminate()


def create_engine(settings: Settings) -> AsyncEngine:
    """Return an engine whose every wait is bounded.

    A frozen server answers nothing at all: without `command_timeout` a request
    would wait for ever.
    """
    statement_timeout = int(settings.statement_timeout * 1000)
    engine = create_async_engine(
        settings.database_url,
        poolclass=Pool,
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=settings.pool_recycle,
        pool_pre_ping=settings.pool_pre_ping and not settings.pool_ping_after,
        hide_parameters=not settings.debug,  # values of a request stay out of the log
        connect_args={
            "connection_class": Connection,
            "timeout": settings.connect_timeout,
            "command_timeout": settings.command_timeout,
            "server_settings": {
                "application_name": settings.app_name[:63],
                "statement_timeout": str(statement_timeout),
                "lock_timeout": str(statement_timeout // 2),
                "idle_in_transaction_session_timeout": str(2 * statement_timeout),
            },
        },
    )
    if settings.pool_pre_ping and settings.pool_ping_after:
        ping_idle_connections(engine, settings.pool_ping_after)
    return engine


@asynccontextmanager
async def transaction(
    session_maker: async_sessionmaker[AsyncSession] = async_session_maker,
) -> AsyncIterator[AsyncSession]:
    """One unit of work: committed when the block ends, rolled back on any error.

    The transaction begins with the first statement that needs one (see
    src/core/query.py), so that a request that reads one row sends one statement. None
    may begin after a statement that committed itself: it could fail on its own.
    """
    session = session_maker()
    try:
        yield session
        if session.in_transaction():
            if AUTOCOMMITTED in session.info:
                raise RuntimeError(ALONE)
            await session.commit()
    finally:
        if session.in_transaction():  # something failed: closing rolls back
            async with session:
                pass
    _announce(session.info)


def record(
    session: AsyncSession, resource: str, table: str, verb: Verb, resource_id: Any
) -> None:
    """Note a write; it is logged and counted only after the commit."""
    operations = session.info.setdefault("operations", [])
    operations.append(Operation(resource, table, verb, str(resource_id)))


def _announce(info: dict[Any, Any]) -> None:
    operations: list[Operation] = info.pop("operations", [])
    for operation in operations:
        metrics.count(operation.table, operation.verb)
        logger.info(
            f"{operation.resource}_{operation.verb}",
            **{f"{operation.resource}_id": operation.resource_id},
        )


async def get_db() -> AsyncIterator[AsyncSession]:
    """One request, one transaction.

    Depend on it with `scope="function"` (see `SessionDep`): FastAPI then leaves the
    block, and commits, before it sends the answer, so that a 201 means that the row
    is on disk. All of it together, from the wait for a connection to the commit, ends
    within `transaction_timeout`.
    """
    limits = async_session_maker.kw.get("info", {})
    async with asyncio.timeout(limits.get(TIMEOUT)) as limit, transaction() as session:
        if (end := limit.when()) is not None:
            session.info[LAST_CALL] = end - limits[STATEMENT_TIMEOUT]
        yield session
