"""Translates database errors to the service's errors, by their SQLSTATE.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import socket
from collections.abc import Iterable
from functools import cache, lru_cache

import asyncpg
import structlog
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import ColumnCollectionConstraint

from src.core.database import Base, columns_of
from src.core.errors import (
    ConflictError,
    InUseError,
    InvalidError,
    ReferenceNotFoundError,
    ServiceError,
    UnavailableError,
)

logger = structlog.get_logger(__name__)

# Some are not wrapped by SQLAlchemy: those of the pool, and those raised on connecting.
DATABASE_ERRORS: tuple[type[Exception], ...] = (
    DBAPIError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    EmulatedDBAPIException,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)

# A duplicate, or a violation of an EXCLUDE constraint.
CONFLICTS = {"23505", "23P01"}
# PostgreSQL 18 reports ON DELETE RESTRICT as 23001, older servers as 23503.
FOREIGN_KEY_VIOLATIONS = {"23503", "23001"}
# A value that a constraint, a type or an index cannot hold.
INVALID_VALUES = {
    "22001",  # string too long
    "22003",  # number out of range
    "22007",  # not a date or time
    "22008",  # date or time out of range
    "22021",  # character not in the encoding
    "22P02",  # not the type's syntax
    "22P05",  # character without translation
    "23502",  # null where none may be
    "23514",  # CHECK
    "54000",  # index entry too large
}
# Temporary errors. All others are bugs: a 500, and a traceback in the log.
PASSING = (
    "08",  # connection lost
    "25006",  # read-only: a standby, or about to become one
    "25P03",  # idle in a transaction for too long
    "25P04",  # a transaction that took too long
    "28",  # authentication failed: a password that is being changed
    "40",  # deadlock, serialisation failure
    "42P01",  # no such table
    "42703",  # no such column
    "53",  # disk full, out of memory, too many connections
    "55P03",  # lock timeout
    "57",  # shutting down, starting, statement cancelled
    "58",  # input or output failed
)

NOT_MIGRATED = {"42P01", "42703"}

# How CHECKs compare two columns, and the same from the side of the other column.
COMPARISONS = {
    "lt": "less than",
    "le": "less than or equal to",
    "gt": "greater than",
    "ge": "greater than or equal to",
    "ne": "different from",
}
MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "ne": "ne"}

# Errors of the driver without a SQLSTATE. It raises InternalClientError if a server that
# is shutting down sends a message between two statements.
LOST = (OSError, TimeoutError, asyncpg.InternalClientError)


def translate(error: BaseException) -> ServiceError:
    """Return the service's error for a database error.

    A plain ServiceError means that the cause is a bug.
    """
    state, constraint, table = _details(error)
    if state in CONFLICTS:
        return ConflictError(_resource(table), _columns(table, constraint))
    if state in FOREIGN_KEY_VIOLATIONS:
        if _is_delete(error):
            return InUseError(_resource(table))  # of the table that refers to it
        return ReferenceNotFoundError(_columns(table, constraint))
    if state in INVALID_VALUES:
        return _invalid(table, constraint, error)
    if not _passes(error, state):
        return ServiceError()
    if state in NOT_MIGRATED:
        _log_not_migrated(str(_origin(error)))
        return UnavailableError("The database is not migrated to this release")
    logger.warning(
        "database_unavailable",
        sqlstate=state,
        exception_type=type(error).__name__,
        reason=str(_origin(error)),
    )
    return UnavailableError("The database is temporarily unavailable")


@lru_cache(maxsize=100)
def _log_not_migrated(reason: str) -> None:
    """Log the reason once: every request would repeat it until the migration."""
    logger.warning(
        "database_not_migrated",
        reason=reason,
        advice="run `alembic upgrade head`, or correct the name in a query of your own",
    )


def _passes(error: BaseException, state: str | None) -> bool:
    """Return whether the error is temporary."""
    if state is None:
        return not isinstance(error, DBAPIError) or _lost(error)
    # A migration has changed the result of a prepared statement; a retry prepares it.
    stale = isinstance(_origin(error), asyncpg.InvalidCachedStatementError)
    return stale or state.startswith(PASSING)


def _lost(error: DBAPIError) -> bool:
    """Return whether an error without SQLSTATE is a lost or timed-out connection."""
    cause: BaseException | None = error.orig
    while cause is not None:
        if isinstance(cause, LOST):
            return True
        cause = cause.__cause__
    return error.connection_invalidated


def _details(error: BaseException) -> tuple[str | None, str | None, str | None]:
    """Return the SQLSTATE, constraint and table of the server's message."""
    origin = _origin(error)
    state = getattr(origin, "sqlstate", None)
    constraint = getattr(origin, "constraint_name", None)
    return state, constraint, _table(origin)


def _table(origin: object) -> str | None:
    """Return the table as the metadata has it: with its schema, if it is not public."""
    table: str | None = getattr(origin, "table_name", None)
    qualified = f"{getattr(origin, 'schema_name', None)}.{table}"
    return qualified if qualified in Base.metadata.tables else table


def _origin(error: BaseException) -> object:
    """Return the driver's error: SQLAlchemy wraps it twice, except on connecting."""
    driver = error.orig if isinstance(error, DBAPIError) else error
    return getattr(driver, "__cause__", None) or driver


def _is_delete(error: BaseException) -> bool:
    statement = getattr(_origin(error), "query", None) or ""
    return statement.lstrip().upper().startswith("DELETE")


def _invalid(
    table: str | None, constraint: str | None, error: BaseException
) -> InvalidError:
    column = getattr(_origin(error), "column_name", None)
    fields = _json_names(table, [column]) if column else _columns(table, constraint)
    messages = ["The value violates a constraint of the database"] * len(fields)
    type_ = "database_constraint"
    if operator := _operator(table, constraint):
        left, right = fields
        meanings = [COMPARISONS[operator], COMPARISONS[MIRRORED[operator]]]
        messages = [
            f"The value must be {meaning} that of {other}"
            for meaning, other in zip(meanings, (right, left), strict=True)
        ]
        type_ = "comparison"
    return InvalidError(
        "The request is invalid: the database rejected a value",
        errors=[
            {"in": "body", "field": f"/{field}", "message": message, "type": type_}
            for field, message in zip(fields, messages, strict=True)
        ],
    )


def _operator(table: str | None, constraint: str | None) -> str | None:
    """Return how a CHECK compares two columns, if it does."""
    found = Base.metadata.tables.get(table or "")
    for one in found.constraints if found is not None else ():
        if str(one.name) == constraint:
            operator: str | None = one.info.get("operator")
            return operator
    return None


def _resource(table: str | None) -> str:
    """Return the resource name of a table, such as order_line for order_lines."""
    for mapper in Base.registry.mappers:
        if mapper.local_table is not None and table == getattr(
            mapper.local_table, "fullname", None
        ):
            return str(getattr(mapper.class_, "__resource__", table))
    return table or "resource"


def _columns(table: str | None, constraint: str | None) -> list[str]:
    """Return the JSON names of a constraint's fields."""
    columns = _constraints(Base.metadata, table or "").get(constraint or "", ())
    return _json_names(table, columns)


def _json_names(table: str | None, columns: Iterable[str]) -> list[str]:
    """Return the JSON names of columns, which a table's `info` has if they differ.

    A column of an association table belongs to a list of ids.
    """
    found = Base.metadata.tables.get(table or "")
    fields = found.info if found is not None else {}
    return [str(fields.get(column, column)) for column in columns]


@cache
def _constraints(metadata: MetaData, table_name: str) -> dict[str, tuple[str, ...]]:
    table = metadata.tables.get(table_name)
    if table is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    columns: tuple[str, ...] = ()
    for constraint in table.constraints:
        if isinstance(constraint, ColumnCollectionConstraint):
            columns = tuple(column.name for column in constraint.columns)
        # A CHECK that is given as text has no columns; `info` has those that it checks.
        columns = constraint.info["columns"] if constraint.info else columns
        found[str(constraint.name)] = columns
    for index in table.indexes:
        found[str(index.name)] = tuple(columns_of(index))
    return found
