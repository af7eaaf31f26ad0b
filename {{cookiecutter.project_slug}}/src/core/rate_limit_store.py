"""The counts behind the rate limits: in this process, or in Redis for all processes."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter

from src.core.config import Settings
from src.core.logging import get_logger

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

REDIS_TIMEOUT = (
    0.15  # a request may wait 0.25 s for Redis; the rest is for a busy process
)
REDIS_RETRY_INTERVAL = 1.0

logger = get_logger()


class RateLimitStore:
    """Counts requests, in Redis where REDIS_URL is set.

    While Redis fails, requests are counted in this process, and one request a second
    tries Redis again. The first failure and the recovery are logged.
    """

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.limits_rates
        self.default_limit = settings.rate_limit
        self._service = settings.app_name
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._pool: BlockingConnectionPool | None = None
        self._shared = self._connect(settings.redis_url) if settings.redis_url else None
        self._redis_lost = False
        self._retry_at = 0.0

    async def hit(
        self, item: RateLimitItem, *identifiers: str, cost: int = 1
    ) -> float | None:
        """Count a request; return None, or after how many seconds to try again."""
        if self._shared is not None and time.monotonic() >= self._retry_at:
            if self._redis_lost:  # only this request tries; the others go on
                self._retry_at = time.monotonic() + REDIS_RETRY_INTERVAL
            try:
                async with asyncio.timeout(REDIS_TIMEOUT):
                    shared = (self._service, *identifiers)
                    retry_after = await _hit(self._shared, item, shared, cost)
            except Exception as error:  # a limit must never fail a request
                self._lose_redis(error)
            else:
                self._regain_redis()
                return retry_after
        return await _hit(self._local, item, identifiers, cost)

    async def check_redis(self) -> None:
        """Raise an exception if Redis is configured and does not answer."""
        if self._shared is not None:
            async with asyncio.timeout(REDIS_TIMEOUT):
                await self._shared.storage.get("readiness")

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool is not None:
            await self._pool.aclose()

    def _connect(self, url: str) -> FixedWindowRateLimiter:
        self._pool = _redis_pool(url)
        options: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage(f"async+{url}", implementation="redispy", **options)
        return FixedWindowRateLimiter(storage)

    def _lose_redis(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + REDIS_RETRY_INTERVAL
        if not self._redis_lost:
            self._redis_lost = True
            logger.warning("rate_limit_storage_lost", error=repr(error))

    def _regain_redis(self) -> None:
        if self._redis_lost:
            self._redis_lost = False
            self._retry_at = 0.0
            logger.info("rate_limit_storage_regained")


async def _hit(
    strategy: FixedWindowRateLimiter,
    item: RateLimitItem,
    identifiers: tuple[str, ...],
    cost: int,
) -> float | None:
    if await strategy.hit(item, *identifiers, cost=cost):
        return None
    stats = await strategy.get_window_stats(item, *identifiers)
    return stats.reset_time - time.time()


def _redis_pool(url: str) -> "BlockingConnectionPool":
    # Imported here because it is slow, and most services run without Redis.
    from redis.asyncio import BlockingConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return BlockingConnectionPool.from_url(
        url,
        max_connections=20,
        timeout=REDIS_TIMEOUT,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),  # the next request is the retry
    )
