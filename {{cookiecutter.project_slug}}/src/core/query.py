"""Statements that are compiled once and handed to the database's driver.

SQLAlchemy writes the SQL and knows the types; what it does anew for each execution
(cache keys, contexts, cursors, results) takes several times as long as the driver.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.session import Session

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
        self._writes = not statement.is_select
        # Values that only SQLAlchemy can make: a column's default in Python.
        self._is_sqlalchemys = bool(compiled.prefetch)

    async def fetch(
        self, session: AsyncSession, values: Mapping[str, Any]
    ) -> Sequence[Row]:
        """Return the rows that it returns for these parameters.

        It is part of the session's transaction, and sees what that has written. A
        SELECT before there is one stands for itself: no BEGIN and no COMMIT.
        """
        if self._is_sqlalchemys or not (
            isinstance(session, Session) and session.can_lend(for_writing=self._writes)
        ):
            rows: Sequence[Any]
            rows = (await session.execute(self.statement, dict(values))).all()
            return rows
        given = {**self._fixed, **values}
        arguments = _converted(self._writers, [given[n] for n in self._parameters])
        statements.info("%s\n%r", self.sql, arguments)
        async with session.lend(for_writing=self._writes) as driver:
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
