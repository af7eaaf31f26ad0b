"""SQLAlchemy's session, which can lend the driver's connection, in its transaction.

A statement that the driver runs takes a part of the time that SQLAlchemy takes for it
(see src/core/query.py). All else that a session does is SQLAlchemy's, within the same
transaction: `execute`, `add`, `commit`, `rollback`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn


class _Session(orm.Session):
    """What a `Session` is on the inside, where SQLAlchemy may wait."""

    # The connection in whose transaction the driver has run something, and the same
    # as SQLAlchemy has it, once it runs something too.
    held: PoolProxiedConnection | None = None
    _joined: sa.Connection | None = None

    def get_bind(self, *args: Any, **kwargs: Any) -> sa.Engine | sa.Connection:
        bind = super().get_bind(*args, **kwargs)
        if self.held is None or isinstance(bind, sa.Connection):
            return bind
        if self._joined is None:
            self._joined = sa.Connection(bind, self.held)
        return self._joined

    def usable(self) -> PoolProxiedConnection | None:
        """Return what is held; raise where it was lost, and what it had written too."""
        if self.held is not None and not self.held.is_valid:
            raise PendingRollbackError("The transaction's connection is lost")
        return self.held

    @property
    def is_sqlalchemys(self) -> bool:
        """Whether SQLAlchemy has begun: there may be changes that are not sent yet."""
        return super().in_transaction()

    def in_transaction(self) -> bool:
        return self.held is not None or super().in_transaction()

    def commit(self) -> None:
        if super().in_transaction():
            super().commit()
        held = self.usable()
        if held is None:
            return
        try:
            held.commit()
        except BaseException:
            held.invalidate()  # whether it has happened, only the server knows
            raise
        finally:
            self._give_back()

    def rollback(self) -> None:
        super().rollback()
        self._give_back()

    def close(self) -> None:
        super().close()
        self._give_back()

    def _give_back(self) -> None:
        """Return the connection to its pool; what is not committed is rolled back."""
        held, self.held, self._joined = self.held, None, None
        if held is None:
            return
        try:
            if held.is_valid:
                held.rollback()
        except BaseException as error:
            held.invalidate()  # and the server rolls back, if it is still there
            if not isinstance(error, Exception):
                raise
        finally:
            held.close()


class Session(AsyncSession):
    """A session that can lend the driver's connection."""

    sync_session_class = _Session
    sync_session: _Session

    def can_lend(self, *, for_writing: bool) -> bool:
        """Whether the driver would see, and leave, all as SQLAlchemy does.

        Not once SQLAlchemy has begun: there may be changes that are not sent yet. Nor
        may it begin and commit on a connection that was given from outside.
        """
        if self.sync_session.is_sqlalchemys:
            return False
        return not for_writing or isinstance(self.sync_session.bind, sa.Engine)

    @asynccontextmanager
    async def lend(self, *, for_writing: bool) -> AsyncIterator[Any]:
        """Lend the driver's connection, where `can_lend` allows it.

        To write begins a transaction, which ends as any of the session's does. Before
        that, a read stands for itself: no BEGIN and no COMMIT.
        """
        bind, held = self.sync_session.bind, self.sync_session.usable()
        if isinstance(bind, sa.Connection):
            yield bind.connection.driver_connection
            return
        assert bind is not None  # noqa: S101  # nosec B101 - bound when the service starts
        lent: Any = held or await greenlet_spawn(bind.raw_connection)
        try:
            if for_writing and held is None:
                held = self.sync_session.held = lent
                # As SQLAlchemy's own cursors do before their first statement.
                await lent.dbapi_connection._start_transaction()
            yield lent.driver_connection
        except BaseException as error:
            if not _is_answer(error):
                lent.invalidate()
            raise
        finally:
            if held is None:
                await greenlet_spawn(lent.close)


def _is_answer(error: BaseException) -> bool:
    """Whether the server refused a statement, and the connection is as good as before.

    FATAL is what it says last: it has ended the session.
    """
    ended = getattr(error, "severity_en", None) in ("FATAL", "PANIC")
    return isinstance(error, asyncpg.PostgresError) and not ended
