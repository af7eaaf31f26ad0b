"""SELECTs that are compiled once and handed to the database's driver.

SQLAlchemy writes the SQL and knows the types; what it does anew for each execution
(cache keys, contexts, cursors, results) takes several times as long as the driver.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import greenlet_spawn

DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

FLOAT8, NUMERIC = 701, 1700  # PostgreSQL's numbers for its types

Row = Sequence[Any]
Converter = Callable[[Any], Any]

# Where SQLAlchemy logs its statements with DEBUG=true.
statements = logging.getLogger("sqlalchemy.engine.Engine")


class Query:
    """One SELECT with named parameters, and how to read what it returns."""

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement
        compiled = statement.compile(dialect=DIALECT)
        self.sql = str(compiled)
        self._parameters: Sequence[str] = compiled.positiontup or ()
        binds = {name: compiled.binds[name] for name in self._parameters}
        self._fixed = {n: b.value for n, b in binds.items() if not b.required}
        self._writers = [
            _implementation(bind).bind_processor(DIALECT) for bind in binds.values()
        ]
        self._readers = [_reader(column) for column in statement.selected_columns]
        self._is_plain = not any(self._readers)

    async def fetch(
        self, session: AsyncSession, values: Mapping[str, Any]
    ) -> Sequence[Row]:
        """Return the rows that the parameters lead to.

        Once the session's transaction has begun, the query is part of it and sees what
        it has written. Before that it stands for itself: no BEGIN and no COMMIT.
        """
        if session.in_transaction():
            rows: Sequence[Any]
            rows = (await session.execute(self.statement, dict(values))).all()
            return rows
        given = {**self._fixed, **values}
        arguments = _converted(self._writers, [given[n] for n in self._parameters])
        statements.info("%s\n%r", self.sql, arguments)
        async with _lent(session.sync_session.bind) as driver:
            records: Sequence[Any] = await driver.fetch(self.sql, *arguments)
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


@asynccontextmanager
async def _lent(bind: sa.Engine | sa.Connection | None) -> AsyncIterator[Any]:
    """Lend a connection as the driver has it: of a pool, or the session's only one."""
    if isinstance(bind, sa.Connection):
        yield bind.connection.driver_connection
        return
    assert bind is not None  # noqa: S101  # nosec B101 - bound when the service starts
    connection = await greenlet_spawn(bind.raw_connection)
    try:
        yield connection.driver_connection
    except asyncpg.PostgresError:
        raise  # an answer: the connection is as good as before
    except BaseException:
        connection.invalidate()
        raise
    finally:
        await greenlet_spawn(connection.close)
