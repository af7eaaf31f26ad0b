"""The pool of connections: who waits for one is served in turn, and which are tested."""

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util.queue import AsyncAdaptedQueue

RETURNED = "returned_at"


class Turns(asyncio.Queue[Any]):
    """A queue that hands what comes to whoever has waited longest.

    One of asyncio's only wakes that task. Another one may take the item before it runs,
    and it waits again, behind all others: some requests took ten times the usual.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._waiting: deque[asyncio.Future[Any]] = deque()

    def put_nowait(self, item: Any) -> None:
        """Hand the item over, or keep it where nobody waits."""
        if not self._hand_over(item):
            super().put_nowait(item)

    async def get(self) -> Any:
        """Wait for an item."""
        if not self.empty():
            return self.get_nowait()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):  # somebody passed over it already
                    self._waiting.remove(turn)
            # It came at the same moment: to the next, or back, even if all are back.
            elif not self._hand_over(turn.result()):
                self._put(turn.result())
            raise

    def _hand_over(self, item: Any) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(item)
                return True
        return False


class TurnsQueue(AsyncAdaptedQueue[Any]):
    """Such a queue for SQLAlchemy."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self._queue = Turns(maxsize)


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, with connections for who waits in the order of asking."""

    _queue_class = TurnsQueue


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
