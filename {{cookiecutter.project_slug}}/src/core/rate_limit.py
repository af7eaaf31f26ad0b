"""Limits how often one client may call one endpoint.

The interface is slowapi's: `limiter`, `@limiter.limit("5/minute")`, `@limiter.exempt`.
The enforcement is ours: slowapi's middleware lets every route of an included router
pass, and its storages block the event loop. `enforce_rate_limit` is a dependency of
the whole application and counts every matched request, a 404, a 415 and a 422 included.
A 413 by a declared length costs so little that it does not count.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import slowapi
from fastapi import Request
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from slowapi.util import get_remote_address
from slowapi.wrappers import Limit, LimitGroup

from src.core.config import Settings
from src.core.errors import RateLimitExceededError
from src.core.logging import get_logger

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REDIS_TIMEOUT = 0.15  # of the 250 ms promised; a busy process needs the rest
REDIS_RETRY_INTERVAL = 1.0
ENFORCED = "rate_limit_enforced"  # in the scope of a request that was counted

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Decorator = Callable[[Endpoint], Endpoint]

logger = get_logger()


class Limiter(slowapi.Limiter):
    """Notes the limits that decorators set, and hands the endpoints back unwrapped.

    Arguments mean what they mean in slowapi. A limit replaces the default one of
    POST, PUT, PATCH and DELETE; with `override_defaults=False` it comes on top.
    """

    def __init__(self) -> None:
        super().__init__(key_func=get_remote_address, auto_check=False)
        self._limits: dict[object, list[LimitGroup]] = {}
        self._exempt: set[object] = set()

    def limit(
        self,
        limit_value: str | Callable[..., str],
        key_func: Callable[..., str] | None = None,
        per_method: bool = False,
        methods: list[str] | None = None,
        error_message: str | Callable[..., str] | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: int | Callable[..., int] = 1,
        override_defaults: bool = True,
        *,
        scope: str | None = None,
    ) -> Decorator[Any]:
        """Limit one endpoint."""
        if isinstance(limit_value, str):
            parse_many(limit_value)  # a typing error shows at start, not in silence
        key = key_func or get_remote_address
        options = (methods, error_message, exempt_when, cost, override_defaults)
        group = LimitGroup(limit_value, key, scope, per_method, *options)

        def note(endpoint: Endpoint) -> Endpoint:
            self._limits.setdefault(endpoint, []).append(group)
            return endpoint

        return note

    def shared_limit(
        self,
        limit_value: str | Callable[..., str],
        scope: str | Callable[..., str],
        *args: Any,
        **kwargs: Any,
    ) -> Decorator[Any]:
        """Limit several endpoints that spend one budget, named by its scope."""
        return self.limit(limit_value, *args, scope=str(scope), **kwargs)

    def exempt(self, obj: Endpoint) -> Endpoint:
        """Free one endpoint from the default limit."""
        self._exempt.add(obj)
        return obj

    def limits_of(self, request: Request, default: list[Limit]) -> list[Limit]:
        """Return what holds for this request."""
        endpoint = request.scope.get("endpoint")
        groups = self._limits.get(endpoint)
        writes = request.method in WRITES
        if groups is None:
            return default if writes and endpoint not in self._exempt else []
        limits: list[Limit] = []
        for group in groups:
            # Untyped in slowapi; for limits that are functions of their caller.
            limits += group.with_request(request)  # type: ignore[no-untyped-call]
        if writes and not any(limit.override_defaults for limit in limits):
            return [*limits, *default]
        return limits


limiter = Limiter()


class Budgets:
    """Counts what clients spend: in this process, or in Redis for all processes.

    When Redis fails, requests go on with this process's own count; a request a second
    tries Redis again. Only the first failure and the recovery are logged.
    """

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.rate_limit_enabled
        options = (None, False, None, None, None, 1, True)
        group = LimitGroup(settings.rate_limit, get_remote_address, *options)
        self.default = list(group)
        self._service = settings.app_name
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._pool: BlockingConnectionPool | None = None
        self._shared = self._connect(settings.redis_url) if settings.redis_url else None
        self._redis_lost = False
        self._retry_at = 0.0

    async def spend(
        self, item: RateLimitItem, *who: str, cost: int = 1
    ) -> float | None:
        """Take from the budget; return None, or in how many seconds there is more."""
        if self._shared is not None and time.monotonic() >= self._retry_at:
            if self._redis_lost:  # let this request alone find out
                self._retry_at = time.monotonic() + REDIS_RETRY_INTERVAL
            try:
                async with asyncio.timeout(REDIS_TIMEOUT):
                    wait = await _hit(self._shared, item, (self._service, *who), cost)
            except Exception as error:  # whatever it is, requests go on
                self._lose_redis(error)
            else:
                self._regain_redis()
                return wait
        return await _hit(self._local, item, who, cost)

    async def check_redis(self) -> None:
        """Raise unless Redis, where configured, answers."""
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


async def enforce_rate_limit(request: Request) -> None:
    """Refuse the request with a 429 when its client has spent its budget.

    It counts a request once, however often it is asked.
    """
    if ENFORCED in request.scope:
        return
    request.scope[ENFORCED] = True
    budgets: Budgets = request.app.state.budgets
    if not (budgets.enabled and limiter.enabled):
        return
    for limit in limiter.limits_of(request, budgets.default):
        if limit.methods and request.method.lower() not in limit.methods:
            continue
        if limit.is_exempt(request):
            continue
        scope = limit.scope or _name(request.scope["endpoint"])
        if limit.per_method:
            scope = f"{scope}:{request.method}"
        cost = limit.cost(request) if callable(limit.cost) else limit.cost
        who = limit.key_func(request)
        wait = await budgets.spend(limit.limit, who, scope, cost=cost)
        if wait is not None:
            raise RateLimitExceededError(wait, limit=str(limit.limit))


async def enforce_before_body(request: Request) -> None:
    """Enforce the limit where FastAPI would read the body first.

    To read and to parse it costs far more than the refusal. What replaces the limit by
    `dependency_overrides` stays in its place, behind the body.
    """
    if enforce_rate_limit not in request.app.dependency_overrides:
        await enforce_rate_limit(request)


async def _hit(
    strategy: FixedWindowRateLimiter,
    item: RateLimitItem,
    who: tuple[str, ...],
    cost: int,
) -> float | None:
    if await strategy.hit(item, *who, cost=cost):
        return None
    stats = await strategy.get_window_stats(item, *who)
    return stats.reset_time - time.time()


def _name(endpoint: Callable[..., Any]) -> str:
    named = endpoint if hasattr(endpoint, "__qualname__") else type(endpoint)
    return f"{named.__module__}.{named.__qualname__}"


def _redis_pool(url: str) -> "BlockingConnectionPool":
    # Here, as it is slow to import and most often not needed.
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
