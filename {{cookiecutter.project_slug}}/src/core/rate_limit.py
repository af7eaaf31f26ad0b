"""Rate limits: how often one client may call one endpoint.

The decorators are slowapi's: `@limiter.limit("5/minute")`, `@limiter.shared_limit`,
`@limiter.exempt`. slowapi's own check is not used: its middlewares do not see the routes
of included routers, and its storages block the event loop. Instead `enforce_rate_limit`
is a dependency of the whole application, and `RateLimitStore` keeps the counts.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from limits import RateLimitItem, parse_many
from slowapi.util import get_remote_address
from starlette.requests import HTTPConnection

from src.core.errors import RateLimitExceededError
from src.core.rate_limit_store import RateLimitStore

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

parse = functools.lru_cache(parse_many)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: the arguments of slowapi's decorators, in their order."""

    limit_value: str | Callable[..., str]
    key_func: Callable[..., str] | None = None  # else the client's address
    per_method: bool = False
    methods: Sequence[str] | None = None
    error_message: str | Callable[[], str] | None = None
    exempt_when: Callable[..., bool] | None = None
    cost: int | Callable[[Request], int] = 1
    override_defaults: bool = True
    scope: str | Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.limit_value, str):
            parse(self.limit_value)  # so that an invalid limit stops the start

    def applies_to(self, request: Request) -> bool:
        """Return whether the limit counts this request."""
        if self.methods and request.method.upper() not in map(str.upper, self.methods):
            return False
        return not (self.exempt_when and _call(self.exempt_when, request))

    async def enforce(self, request: Request, store: RateLimitStore) -> None:
        """Count the request; raise an error if that is more than the limit allows."""
        client = _call(self.key_func or get_remote_address, request)
        endpoint = _name(request.scope["endpoint"])
        scope = self.scope(endpoint) if callable(self.scope) else self.scope or endpoint
        if self.per_method:
            scope = f"{scope}:{request.method}"
        cost = self.cost(request) if callable(self.cost) else self.cost
        value = self.limit_value
        for item in parse(_call(value, client) if callable(value) else value):
            retry_after = await store.hit(item, client, scope, cost=cost)
            if retry_after is not None:
                raise self._error(item, retry_after)

    def _error(self, item: RateLimitItem, retry_after: float) -> RateLimitExceededError:
        error = RateLimitExceededError(retry_after, limit=str(item))
        message = self.error_message
        error.message = (message() if callable(message) else message) or error.message
        return error


class Limiter:
    """Remembers the limits that decorators set; the endpoints are not wrapped.

    A limit replaces the default one of POST, PUT, PATCH and DELETE; with
    `override_defaults=False` it applies in addition to it.
    """

    def __init__(self) -> None:
        self.enabled = True
        self._limits: dict[object, list[Limit]] = {}
        self._exempt: set[object] = set()

    def limit(
        self, limit_value: str | Callable[..., str], *args: Any, **options: Any
    ) -> Callable[[Endpoint], Endpoint]:
        """Limit one endpoint; `Limit` has the other arguments."""
        limit = Limit(limit_value, *args, **options)

        def add(endpoint: Endpoint) -> Endpoint:
            self._limits.setdefault(inspect.unwrap(endpoint), []).append(limit)
            return endpoint

        return add

    def shared_limit(
        self,
        limit_value: str | Callable[..., str],
        scope: str | Callable[[str], str],
        key_func: Callable[..., str] | None = None,
        **options: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Limit several endpoints together: those with the same scope share a count."""
        return self.limit(limit_value, key_func, scope=scope, **options)

    def exempt(self, obj: Endpoint) -> Endpoint:
        """Free an endpoint from every limit, the default one included."""
        self._exempt.add(inspect.unwrap(obj))
        return obj

    def limits_of(self, request: Request, default: Limit) -> list[Limit]:
        """Return the limits of the request's endpoint."""
        endpoint = inspect.unwrap(request.scope["endpoint"])
        if endpoint in self._exempt:
            return []
        limits = self._limits.get(endpoint, [])
        if request.method not in WRITES or any(it.override_defaults for it in limits):
            return limits
        return [*limits, default]


limiter = Limiter()


async def enforce_rate_limit(connection: HTTPConnection) -> None:
    """Raise an error (429) if the client has reached a limit of the endpoint.

    The application has it as a dependency. FastAPI rejects some bodies before it calls
    dependencies, so the handlers of those errors call it too; a request counts once.
    WebSockets have the dependency as well, hence `HTTPConnection`; they are not limited.
    """
    if not isinstance(connection, Request) or "endpoint" not in connection.scope:
        return
    if getattr(connection.state, "rate_limit_enforced", False):
        return
    connection.state.rate_limit_enforced = True
    store: RateLimitStore = connection.app.state.rate_limit_store
    if not (store.enabled and limiter.enabled):
        return
    for limit in limiter.limits_of(connection, Limit(store.default_limit)):
        if limit.applies_to(connection):
            await limit.enforce(connection, store)


def _call(function: Callable[..., Any], argument: object) -> Any:
    """Call a function that takes one argument or, as slowapi allows, none."""
    return function(argument) if _takes_argument(function) else function()


@functools.lru_cache
def _takes_argument(function: Callable[..., Any]) -> bool:
    return bool(inspect.signature(function).parameters)


def _name(endpoint: Callable[..., Any]) -> str:
    named = endpoint if hasattr(endpoint, "__qualname__") else type(endpoint)
    return f"{named.__module__}.{named.__qualname__}"
