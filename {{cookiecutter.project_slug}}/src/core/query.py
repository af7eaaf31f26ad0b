"""Statements that are compiled once and handed to the database's driver.

SQLAlchemy writes the SQL and knows the types; what it does anew for each execution
(cache keys, contexts, cursors, results) takes several times as long as the driver.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_, greenlet_spawn

from src.core.database import ALONE, AUTOCOMMITTED, LAST_CALL

DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

FLOAT8, NUMERIC = 701, 1700  # PostgreSQL's numbers for its types

Row = Sequence[Any]
Converter = Callable[[Any], Any]
Fetch = Callable[[Session, str, Row], Awaitable[Sequence[Any]]]
Sender = Callable[[Any, Any, str, Row], Awaitable[Sequence[Any]]]

# Where SQLAlchemy logs its statements with DEBUG=true.
statements = logging.getLogger("sqlalchemy.engine.Engine")


class Query:
    """One statement with named parameters, and how to read what it returns.

    An INSERT or UPDATE is compiled for `columns`, the parameters that it sets.
    """

    def __init__(
        self,
        statement: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.statement = statement
        compiled: Any = statement.compile(dialect=DIALECT, column_keys=columns)
        self.sql = str(compiled)
        self._parameters: Sequence[str] = compiled.positiontup or ()
        binds = {name: compiled.binds[name] for name in self._parameters}
        self._fixed = {n: b.value for n, b in binds.items() if not b.required}
        self._writers = [
            _implementation(bind).bind_processor(DIALECT) for bind in binds.values()
        ]
        returned = statement.exported_columns
        self._readers = [_reader(column) for column in returned]
        self._is_plain = not any(self._readers)
        # To write, or to hold a lock, takes a transaction.
        locks = getattr(statement, "_for_update_arg", None) is not None
        self._begins = locks or not statement.is_select
        # Values that only SQLAlchemy can make: a column's default in Python.
        self._is_sqlalchemys = bool(compiled.prefetch)

    async def fetch(
        self,
        session: AsyncSession,
        values: Mapping[str, Any],
        *,
        autocommit: bool = False,
    ) -> Sequence[Row]:
        """Return the rows that it returns for these parameters.

        It is part of the session's transaction, and sees what that has written. A
        SELECT before there is one stands for itself: no BEGIN and no COMMIT. So does
        what writes, with `autocommit`: nothing more can be asked of the session then.
        """
        if AUTOCOMMITTED in session.info:
            raise RuntimeError(ALONE)
        if self._is_sqlalchemys:
            rows: Sequence[Any]
            rows = (await session.execute(self.statement, dict(values))).all()
            return rows
        given = {**self._fixed, **values}
        arguments = _converted(self._writers, [given[n] for n in self._parameters])
        statements.info("%s\n%r", self.sql, arguments)
        # A session on one connection is part of what somebody does there: a script.
        autocommit = autocommit and isinstance(session.bind, AsyncEngine)
        # What waits to be written, such as an object that was added, has begun one.
        fetch: Fetch = _alone
        if session.in_transaction():
            fetch = _within
        elif self._begins:
            fetch = _autocommitted if autocommit else _within
        records = await fetch(session.sync_session, self.sql, arguments)
        if self._is_plain:
            return records
        return [_converted(self._readers, record) for record in records]


def _converted(converters: Sequence[Converter | None], row: Row) -> Row:
    pairs = zip(converters, row, strict=True)
    return [convert(value) if convert else value for convert, value in pairs]


def _reader(column: sa.ColumnElement[Any]) -> Converter | None:
    """What makes of the driver's value one of the type; most types need nothing."""
    oid = FLOAT8 if isinstance(column.type, sa.Float) else NUMERIC  # numbers ask for it
    return _implementation(column).result_processor(DIALECT, oid)


def _implementation(column: sa.ColumnElement[Any]) -> sa.types.TypeEngine[Any]:
    return column.type.dialect_impl(DIALECT)


async def _within(session: Session, sql: str, arguments: Row) -> Sequence[Any]:
    """Send it over that of the session's transaction, which begins if it has not."""
    connection = await greenlet_spawn(_begun, session)
    return await _fetch(connection.connection, connection, sql, arguments)


async def _autocommitted(session: Session, sql: str, arguments: Row) -> Sequence[Any]:
    """Send it as a transaction of its own."""
    session.info[AUTOCOMMITTED] = True  # at once: others may use the session meanwhile
    last_call = session.info.get(LAST_CALL, math.inf)
    try:
        return await _alone(session, sql, arguments, partial(_committed, last_call))
    except BaseException:
        del session.info[AUTOCOMMITTED]
        raise


async def _alone(
    session: Session, sql: str, arguments: Row, send: Sender | None = None
) -> Sequence[Any]:
    """Send one statement over a connection of the pool, or the session's only one."""
    bind = session.bind
    send = send or _fetch
    if isinstance(bind, sa.Connection):
        return await send(bind.connection, bind, sql, arguments)
    assert bind is not None  # noqa: S101  # nosec B101 - bound when the service starts
    connection = await greenlet_spawn(bind.raw_connection)
    try:
        return await send(connection, connection, sql, arguments)
    finally:
        await greenlet_spawn(connection.close)


async def _committed(
    last_call: float, lent: Any, owner: Any, sql: str, arguments: Row
) -> Sequence[Any]:
    """Send what writes, on its own or, after the last call, between BEGIN and COMMIT.

    On its own it could be committed after the request had to give up.
    """
    if asyncio.get_running_loop().time() <= last_call:
        return await _fetch(lent, owner, sql, arguments)
    driver = lent.dbapi_connection
    with _invalidating(owner):
        await driver._start_transaction()
    records = await _fetch(lent, owner, sql, arguments)
    with _invalidating(owner):
        await greenlet_spawn(driver.commit)
    return records


async def _fetch(lent: Any, owner: Any, sql: str, arguments: Row) -> Sequence[Any]:
    """Send it over a connection that was lent, and is not lent again once it broke."""
    try:
        records: Sequence[Any] = await lent.driver_connection.fetch(sql, *arguments)
    except BaseException as error:
        if not _is_answer(error):
            owner.invalidate()
        raise
    return records


@contextmanager
def _invalidating(connection: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise


def _begun(session: Session) -> sa.Connection:
    """Bring the session to where SQLAlchemy itself would send its statement.

    It tells the driver to begin with the first statement of its own, and this is none.
    """
    if session.autoflush:
        session.flush()
    connection = session.connection()
    driver: Any = connection.connection.dbapi_connection
    if driver._transaction is None:
        with _invalidating(connection):
            await_(driver._start_transaction())
    return connection


def _is_answer(error: BaseException) -> bool:
    """Whether the server refused a statement, and the connection is as good as before.

    FATAL is what it says last: it has ended the session.
    """
    ended = getattr(error, "severity_en", None) in ("FATAL", "PANIC")
    return isinstance(error, asyncpg.PostgresError) and not ended
