"""Statements that are compiled once and handed to the database's driver.

SQLAlchemy writes the SQL and knows the types; what it does anew for each execution
(cache keys, contexts, cursors, results) takes several times as long as the driver.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_, greenlet_spawn

from src.core.database import AUTOCOMMITTED

DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

FLOAT8, NUMERIC = 701, 1700  # PostgreSQL's numbers for its types

Row = Sequence[Any]
Converter = Callable[[Any], Any]

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
        what writes, with `autocommit`: no more can be written then (see `transaction`).
        """
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
        within = session.in_transaction() or (self._begins and not autocommit)
        fetch = _within if within else _alone
        records = await fetch(session.sync_session, self.sql, arguments)
        if self._begins and not within:
            session.info[AUTOCOMMITTED] = True
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


async def _alone(session: Session, sql: str, arguments: Row) -> Sequence[Any]:
    """Send one statement over a connection of the pool, or the session's only one."""
    bind = session.bind
    if isinstance(bind, sa.Connection):
        return await _fetch(bind.connection, bind, sql, arguments)
    assert bind is not None  # noqa: S101  # nosec B101 - bound when the service starts
    connection = await greenlet_spawn(bind.raw_connection)
    try:
        return await _fetch(connection, connection, sql, arguments)
    finally:
        await greenlet_spawn(connection.close)


async def _within(session: Session, sql: str, arguments: Row) -> Sequence[Any]:
    """Send it over that of the session's transaction, which begins if it has not."""
    connection = await greenlet_spawn(_begun, session)
    return await _fetch(connection.connection, connection, sql, arguments)


async def _fetch(lent: Any, owner: Any, sql: str, arguments: Row) -> Sequence[Any]:
    """Send it over a connection that was lent, and is not lent again once it broke."""
    try:
        records: Sequence[Any] = await lent.driver_connection.fetch(sql, *arguments)
    except BaseException as error:
        if not _is_answer(error):
            owner.invalidate()
        raise
    return records


def _begun(session: Session) -> sa.Connection:
    """Bring the session to where SQLAlchemy itself would send its statement.

    It tells the driver to begin with the first statement of its own, and this is none.
    """
    if session.autoflush:
        session.flush()
    connection = session.connection()
    driver: Any = connection.connection.dbapi_connection
    if driver._transaction is None:
        try:
            await_(driver._start_transaction())
        except BaseException:
            connection.invalidate()
            raise
    return connection


def _is_answer(error: BaseException) -> bool:
    """Whether the server refused a statement, and the connection is as good as before.

    FATAL is what it says last: it has ended the session.
    """
    ended = getattr(error, "severity_en", None) in ("FATAL", "PANIC")
    return isinstance(error, asyncpg.PostgresError) and not ended
