"""The engines: how connections are opened, tested, pooled and closed."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Any

import asyncpg
from sqlalchemy import Engine, ExceptionContext, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from src.core import metrics
from src.core.config import Settings
from src.core.logging import get_logger

CLOSE_TIMEOUT = 0.5  # seconds that closing a connection may take
PING_AFTER = 5.0  # seconds of idleness after which a connection is tested before use
# Statements that a connection keeps prepared: a dozen for each entity.
STATEMENT_CACHE = ("prepared_statement_cache_size", 500)
REPLICA_RETRY = 5.0  # seconds without a replica before it is tried again

logger = get_logger()


class Connection(asyncpg.Connection):
    """A connection that reports a failed COMMIT, and closes within a time limit."""

    async def execute(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own signature
    ) -> str:
        """Run a statement; raise an error if a COMMIT has rolled back.

        PostgreSQL rolls back, and reports no error, if a statement of the transaction
        has failed.
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
        """Close the connection within CLOSE_TIMEOUT, or at once if a timeout is given.

        SQLAlchemy passes a timeout of two seconds if the connection is invalid; the
        server may not respond then.
        """
        if timeout is None:
            with contextlib.suppress(TimeoutError):
                await super().close(timeout=CLOSE_TIMEOUT)
        else:
            self.terminate()


def create_engine(
    settings: Settings, url: str | None = None, *, read_only: bool = False, **pool: Any
) -> AsyncEngine:
    """Return an engine with a time limit for everything that it waits for.

    With `read_only`, the database rejects writes, and unless READ_TRANSACTIONS is set,
    each statement is its own transaction: no BEGIN and no COMMIT are sent.
    """
    url = url or settings.database_url
    options: dict[str, Any] = {}
    if read_only and not settings.read_transactions:
        options["isolation_level"] = "AUTOCOMMIT"
    engine = create_async_engine(
        url,
        hide_parameters=not settings.debug,  # logs contain no values of requests
        connect_args=_connect_args(settings, url, read_only=read_only),
        **options,
        **pool,
    )
    if settings.pool_pre_ping:
        ping_idle_connections(engine.sync_engine)
    if options:
        close_unfinished_connections(engine.sync_engine)
    return engine


def _connect_args(settings: Settings, url: str, *, read_only: bool) -> dict[str, Any]:
    """Return the arguments of asyncpg.connect()."""
    statement_timeout = int(settings.statement_timeout * 1000)
    server_settings = {
        "application_name": settings.app_name[:63],
        "statement_timeout": str(statement_timeout),
        "lock_timeout": str(statement_timeout // 2),
        "idle_in_transaction_session_timeout": str(2 * statement_timeout),
    }
    if read_only:
        server_settings["default_transaction_read_only"] = "on"
    arguments: dict[str, Any] = {
        "connection_class": Connection,
        "timeout": settings.connect_timeout,
        "command_timeout": settings.command_timeout,
        "server_settings": server_settings,
    }
    if STATEMENT_CACHE[0] not in make_url(url).query:  # some PgBouncers need 0
        arguments |= dict([STATEMENT_CACHE])
    return arguments


def ping_idle_connections(engine: Engine) -> None:
    """Test a connection before its use if it was idle for PING_AFTER seconds.

    SQLAlchemy's `pool_pre_ping` tests it each time, which costs a BEGIN and a ROLLBACK.
    A connection that the server has closed is recognised without a test.
    """

    @event.listens_for(engine, "checkin")
    def note(_: Any, record: Any) -> None:
        record.info["returned_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def test(connection: Any, record: Any, _: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("the server has closed the connection")
        idle = time.monotonic() - record.info.get("returned_at", time.monotonic())
        if idle >= PING_AFTER:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError("the connection does not answer") from error


def close_unfinished_connections(engine: Engine) -> None:
    """Close a connection if the driver rejects a statement after preparing it.

    For example, a parameter may not fit its type. In autocommit, the server keeps the
    locks of such a statement until the next one, and a migration would wait for them.
    """

    @event.listens_for(engine, "handle_error")
    def close(context: ExceptionContext) -> None:
        error = context.original_exception.__cause__
        of_driver = isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError))
        # Only what the server reports has a severity.
        if of_driver and not getattr(error, "severity", None) and context.connection:
            context.connection.invalidate()


class Engines:
    """The engines of one process: for writing, for reading, and for a replica.

    The two pools of the primary share POOL_SIZE and MAX_OVERFLOW, so that a process never
    has more connections to it than these allow.
    """

    def __init__(self, settings: Settings) -> None:
        size, overflow = settings.pool_size, settings.max_overflow
        self._by_name: dict[str, AsyncEngine] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        writing = max(1, size // 2)
        reading = max(1, size - writing)
        spare = max(0, size + overflow - writing - reading)
        self.write = self._add("write", settings, writing, spare // 2)
        self.read = self._add(
            "read", settings, reading, spare - spare // 2, read_only=True
        )
        self.replica: AsyncEngine | None = None
        if url := settings.database_read_url:
            self.replica = self._add(
                "replica", settings, size, overflow, url=url, read_only=True
            )
            event.listen(self.replica.sync_engine, "handle_error", self._note_error)
        self._replica_retry_at: float | None = None  # while it does not respond

    def _add(
        self, name: str, settings: Settings, size: int, overflow: int, **options: Any
    ) -> AsyncEngine:
        metrics.database_pool_limit.labels(name).set(size + overflow)
        engine = self._by_name[name] = create_engine(
            settings,
            pool_size=size,
            max_overflow=overflow,
            pool_timeout=settings.pool_timeout,
            pool_recycle=settings.pool_recycle,
            **options,
        )
        self._keep_to_event_loop(engine.sync_engine)
        return engine

    def _keep_to_event_loop(self, engine: Engine) -> None:
        """Pool only connections of the event loop in which the application started.

        A connection can only be used in its own loop, and Starlette's TestClient, without
        `with`, has a new loop for each request.
        """

        @event.listens_for(engine, "connect")
        def note(_: Any, record: Any) -> None:
            record.info["loop"] = asyncio.get_running_loop()
            self.loop = self.loop or record.info["loop"]

        @event.listens_for(engine, "checkout")
        def test(_: Any, record: Any, __: Any) -> None:
            if record.info["loop"] is not asyncio.get_running_loop():
                raise DisconnectionError("the connection is one of another event loop")

        @event.listens_for(engine, "checkin")
        def leave(_: Any, record: Any) -> None:
            if record.info.get("loop") is not self.loop:
                record.invalidate()

    def items(self) -> Iterable[tuple[str, AsyncEngine]]:
        """Return each engine with the name of its pool in the metrics."""
        return self._by_name.items()

    def usable_replica(self) -> AsyncEngine | None:
        """Return the replica, or None if there is none or it has just failed.

        After a failure only one request in REPLICA_RETRY seconds tries it.
        """
        if self._replica_retry_at is not None:
            if time.monotonic() < self._replica_retry_at:
                return None
            self._replica_retry_at = time.monotonic() + REPLICA_RETRY
        return self.replica

    def replica_answered(self) -> None:
        """Read from the replica again."""
        self._replica_retry_at = None

    def _note_error(self, context: ExceptionContext) -> None:
        """Stop using a replica that is lost or does not respond in time."""
        error = context.original_exception
        if context.is_disconnect or isinstance(error, (OSError, TimeoutError)):
            self.replica_failed(error)

    def replica_failed(self, error: BaseException) -> None:
        """Read from the primary for the next REPLICA_RETRY seconds."""
        self._replica_retry_at = time.monotonic() + REPLICA_RETRY
        logger.warning("replica_unavailable", error=repr(error))

    async def dispose(self) -> None:
        """Close all connections."""
        for engine in self._by_name.values():
            await engine.dispose()
