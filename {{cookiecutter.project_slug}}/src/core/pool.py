"""A ping for connections that have been idle: the others pay no round trip for it."""

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

RETURNED = "returned_at"


def ping_idle_connections(engine: AsyncEngine, after: float) -> None:
    """Test a connection before its use when it was not used for so many seconds.

    SQLAlchemy's `pool_pre_ping` tests each time, which takes three round trips. Most
    dead connections need none: where the server has closed one, the driver knows.
    """
    pool, dialect = engine.sync_engine.pool, engine.sync_engine.dialect

    def note(_: Any, record: Any) -> None:
        record.info[RETURNED] = time.monotonic()

    def test(connection: Any, record: Any, _: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("the server has closed the connection")
        idle = time.monotonic() - record.info.get(RETURNED, time.monotonic())
        if idle >= after and not _answers(dialect, connection):
            raise DisconnectionError("the connection does not answer")

    event.listen(pool, "checkin", note)
    event.listen(pool, "checkout", test)


def _answers(dialect: Any, connection: Any) -> bool:
    try:
        return bool(dialect.do_ping(connection))
    except dialect.loaded_dbapi.Error:
        return False
