"""The readiness check: whether this process should get requests."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from src.core.config import Settings
from src.core.engines import Engines
from src.core.logging import get_logger
from src.core.rate_limit_store import RateLimitStore

MIGRATIONS = Path(__file__).parents[2] / "alembic"
CACHE_SECONDS = 1.0
# Requests are served without these, so they do not make the process unready.
OPTIONAL = {"redis", "replica"}

Check = Callable[[], Coroutine[Any, Any, None]]

logger = get_logger()


class NotReadyError(Exception):
    """A check has failed; clients may see the message."""


class Readiness:
    """The readiness of this process; the checks run at most once a second."""

    def __init__(
        self, settings: Settings, engines: Engines, rate_limits: RateLimitStore
    ) -> None:
        self._timeout = settings.readiness_timeout
        self._draining = False
        self._checks: dict[str, Check] = {
            "database": partial(check_database, engines.write),
            "schema": partial(check_schema, engines.write),
        }
        if engines.replica is not None:
            self._checks["replica"] = partial(check_database, engines.replica)
        if settings.redis_url:
            self._checks["redis"] = rate_limits.check_redis
        self._lock = asyncio.Lock()
        self._checked_at = float("-inf")
        self._results: dict[str, str] = {}
        self._abandoned: set[asyncio.Task[None]] = set()

    def drain(self) -> None:
        """Report "not ready" from now on: the process is about to stop."""
        self._draining = True
        logger.info("draining")

    async def check(self) -> tuple[bool, dict[str, str]]:
        """Return whether the process is ready, and the result of each check."""
        async with self._lock:
            await self._refresh()
        results = dict(self._results)
        if self._draining:
            results["process"] = "draining"
        vital = [result for name, result in results.items() if name not in OPTIONAL]
        return all(result == "ok" for result in vital), results

    async def _refresh(self) -> None:
        if time.monotonic() - self._checked_at < CACHE_SECONDS:
            return
        results = await asyncio.gather(
            *(self._run(name, check) for name, check in self._checks.items())
        )
        self._results = dict(zip(self._checks, results, strict=True))
        self._checked_at = time.monotonic()

    async def _run(self, name: str, check: Check) -> str:
        task = asyncio.create_task(check())
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            self._abandon(task)
        error = task.exception() if done else TimeoutError()
        if error is None:
            return "ok"
        logger.error("readiness_check_failed", check=name, error=repr(error))
        return str(error) if isinstance(error, NotReadyError) else "unavailable"

    def _abandon(self, task: asyncio.Task[None]) -> None:
        """Cancel a check without waiting: a hanging connection takes seconds to close."""
        task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # otherwise asyncio logs that it was not retrieved


async def check_database(engine: AsyncEngine) -> None:
    """Raise an error if the database does not respond."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def check_schema(engine: AsyncEngine) -> None:
    """Raise NotReadyError if migrations of this code are missing in the database.

    A database with newer migrations is accepted: during a rolling update the new release
    has migrated it, and the old release must still serve requests.
    """
    heads, known = await asyncio.to_thread(_revisions)
    async with engine.connect() as connection:
        table = await connection.scalar(text("SELECT to_regclass('alembic_version')"))
        versions = text("SELECT version_num FROM alembic_version")
        current = set(await connection.scalars(versions)) if table else set()
    if not heads <= current and current <= known:
        raise NotReadyError("not migrated; run: alembic upgrade head")


@cache
def _revisions() -> tuple[set[str], set[str]]:
    """Return the newest revisions of this code, and all of them."""
    from alembic.script import ScriptDirectory  # slow to import, and needed only once

    scripts = ScriptDirectory(str(MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    return set(scripts.get_heads()), known
