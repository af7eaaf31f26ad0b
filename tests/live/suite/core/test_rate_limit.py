"""Rate limits: decorators, the dependency, and Redis lost and regained."""

import asyncio
import functools
import sys
import time
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from limits import parse
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from src.core import rate_limit, rate_limit_store
from src.core.config import Settings
from src.core.errors import RateLimitExceededError
from src.core.rate_limit import Limiter, enforce_rate_limit
from src.core.rate_limit_store import RateLimitStore

URL = "postgresql+asyncpg://app@localhost/app"
ITEM = parse("2/minute")


async def endpoint() -> None:
    """Stand for a route."""


async def other() -> None:
    """Stand for another route."""


class App:
    """Stand for `request.app`."""

    def __init__(self, **settings: Any) -> None:
        self.state = self
        self.rate_limit_store = RateLimitStore(Settings(database_url=URL, **settings))


def request(
    app: App, method: str = "POST", route: object = endpoint, client: str = "192.0.2.1"
) -> Request:
    return Request(
        {
            "type": "http",
            "app": app,
            "method": method,
            "endpoint": route,
            "client": (client, 1),
            "headers": [],
        }
    )


@pytest.fixture
def limiter(monkeypatch: pytest.MonkeyPatch) -> Limiter:
    """A limiter of the test's own."""
    fresh = Limiter()
    monkeypatch.setattr(rate_limit, "limiter", fresh)
    return fresh


async def allowed(*requests: Request) -> list[bool]:
    """Whether each of the requests passes, in turn."""
    results = []
    for one in requests:
        try:
            await enforce_rate_limit(one)
            results.append(True)
        except RateLimitExceededError:
            results.append(False)
    return results


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_writes_are_limited_by_default(method: str) -> None:
    app = App(rate_limit="2/minute")
    calls = [request(app, method) for _ in range(3)]
    assert await allowed(*calls) == [True, True, False]


async def test_reads_are_not() -> None:
    app = App(rate_limit="1/minute")
    assert await allowed(*[request(app, "GET") for _ in range(3)]) == [True] * 3


async def test_each_client_and_each_endpoint_is_counted_separately() -> None:
    app = App(rate_limit="1/minute")
    calls = [
        request(app),
        request(app, client="192.0.2.2"),
        request(app, route=other),
        request(app),
    ]
    assert await allowed(*calls) == [True, True, True, False]


async def test_the_error_says_when_to_try_again() -> None:
    app = App(rate_limit="1/minute")
    await enforce_rate_limit(request(app))
    with pytest.raises(RateLimitExceededError) as refusal:
        await enforce_rate_limit(request(app))
    assert 1 <= int(refusal.value.headers["Retry-After"]) <= 60
    assert refusal.value.extensions == {"limit": "1 per 1 minute"}


async def test_limits_can_be_switched_off(limiter: Limiter) -> None:
    off = App(rate_limit="1/minute", rate_limit_enabled=False)
    assert await allowed(request(off), request(off)) == [True, True]
    on = App(rate_limit="1/minute")
    limiter.enabled = False
    assert await allowed(request(on), request(on)) == [True, True]


async def test_a_decorator_replaces_the_default_and_leaves_the_function(
    limiter: Limiter,
) -> None:
    assert limiter.limit("1/minute")(endpoint) is endpoint
    app = App(rate_limit="5/minute")
    assert await allowed(request(app), request(app)) == [True, False]
    assert await allowed(request(app, "GET")) == [False]


async def test_a_decorator_may_add_to_the_default(limiter: Limiter) -> None:
    limiter.limit("5/minute", override_defaults=False)(endpoint)
    app = App(rate_limit="1/minute")
    assert await allowed(request(app), request(app)) == [True, False]


async def test_an_exempt_endpoint_has_no_limit(limiter: Limiter) -> None:
    assert limiter.exempt(endpoint) is endpoint
    app = App(rate_limit="1/minute")
    assert await allowed(request(app), request(app)) == [True, True]


async def test_endpoints_with_a_shared_limit_are_counted_together(
    limiter: Limiter,
) -> None:
    limiter.shared_limit("1/minute", scope="exports")(endpoint)
    limiter.shared_limit("1/minute", scope="exports")(other)
    app = App()
    assert await allowed(request(app), request(app, route=other)) == [True, False]


async def test_methods_and_per_method(limiter: Limiter) -> None:
    limiter.limit("1/minute", methods=["post", "PUT"], per_method=True)(endpoint)
    app = App()
    calls = [request(app, m) for m in ("POST", "PUT", "POST", "GET", "GET")]
    assert await allowed(*calls) == [True, True, False, True, True]


async def test_cost(limiter: Limiter) -> None:
    limiter.limit("3/minute", cost=lambda _: 3)(endpoint)
    app = App()
    assert await allowed(request(app), request(app)) == [True, False]


async def test_key_functions_may_take_the_request_or_nothing(limiter: Limiter) -> None:
    limiter.limit("1/minute", lambda request: request.method)(endpoint)
    limiter.limit("1/minute", key_func=lambda: "everybody")(other)
    app = App()
    calls = [request(app, "PUT"), request(app, "POST"), request(app, "PUT")]
    assert await allowed(*calls) == [True, True, False]
    calls = [request(app, route=other, client=client) for client in ("a", "b")]
    assert await allowed(*calls) == [True, False]


async def test_the_message_of_a_limit_is_the_message_of_its_error(
    limiter: Limiter,
) -> None:
    limiter.limit("0/minute", error_message="One export at a time")(endpoint)
    with pytest.raises(RateLimitExceededError) as error:
        await enforce_rate_limit(request(App()))
    assert error.value.message == "One export at a time"


async def test_a_decorator_around_the_limited_function_does_not_hide_the_limit(
    limiter: Limiter,
) -> None:
    @functools.wraps(endpoint)
    async def wrapped() -> None:
        await endpoint()

    limiter.limit("1/minute")(endpoint)
    calls = [request(App(), "GET", wrapped) for _ in range(2)]
    calls[1].scope["app"] = calls[0].app
    assert await allowed(*calls) == [True, False]


async def test_a_limit_may_depend_on_the_client(limiter: Limiter) -> None:
    limiter.limit(lambda key: "1/minute" if key == "192.0.2.1" else "9/minute")(
        endpoint
    )
    app = App()
    assert await allowed(request(app), request(app)) == [True, False]
    friend = [request(app, client="192.0.2.2") for _ in range(2)]
    assert await allowed(*friend) == [True, True]


async def test_exempt_when_may_take_the_request(limiter: Limiter) -> None:
    limiter.limit("1/minute", exempt_when=lambda: True)(endpoint)
    limiter.limit("1/minute", exempt_when=lambda r: r.method == "PUT")(other)
    app = App()
    assert await allowed(request(app), request(app)) == [True, True]
    calls = [request(app, m, other) for m in ("PUT", "PUT", "POST", "POST")]
    assert await allowed(*calls) == [True, True, True, False]


def test_a_limit_that_makes_no_sense_is_refused_at_once(limiter: Limiter) -> None:
    with pytest.raises(ValueError, match="ten"):
        limiter.limit("ten per minute")


async def test_an_endpoint_may_be_an_object() -> None:
    app = App(rate_limit="1/minute")
    route = App()
    assert await allowed(request(app, route=route)) == [True]
    assert await allowed(request(app, route=route)) == [False]


def served(**settings: Any) -> TestClient:
    """An application as src/main.py makes it: the dependency, and error handlers."""
    app = FastAPI(dependencies=[Depends(enforce_rate_limit)])
    app.state.rate_limit_store = RateLimitStore(Settings(database_url=URL, **settings))

    @app.exception_handler(RateLimitExceededError)
    async def too_many(_: Request, __: RateLimitExceededError) -> JSONResponse:
        return JSONResponse(None, 429)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, _: RequestValidationError) -> JSONResponse:
        try:
            await enforce_rate_limit(request)
        except RateLimitExceededError as error:
            return await too_many(request, error)
        return JSONResponse(None, 422)

    @app.post("/items")
    async def create(item: dict[str, int]) -> None:
        """Take a body."""

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    return TestClient(app)


@pytest.mark.parametrize("body", ["{", '{"a": "no number"}', '{"a": 1}'])
def test_a_request_counts_once_whatever_its_body(body: str) -> None:
    client = served(rate_limit="2/minute")
    answers = [client.post("/items", content=body).status_code for _ in range(3)]
    assert answers[0] == answers[1] != 429
    assert answers[2] == 429


def test_websockets_are_not_limited() -> None:
    client = served(rate_limit="1/minute")
    for _ in range(3):
        with client.websocket_connect("/socket") as socket:
            assert socket.receive_text() == "hello"


async def test_a_request_without_an_endpoint_is_not_counted() -> None:
    unknown = Request({"type": "http", "app": App(), "method": "POST", "headers": []})
    assert await allowed(unknown) == [True]


class Redis:
    """Counts like Redis, fails when told."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.hits = 0
        self.storage = self

    async def hit(self, *_: object, **__: object) -> bool:
        self.hits += 1
        if self.failure:
            raise self.failure
        return True

    async def get(self, _: str) -> int:
        if self.failure:
            raise self.failure
        return 0


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The stand-in, used by every store of the test."""
    fake = Redis()
    monkeypatch.setattr(RateLimitStore, "_connect", lambda *_: fake)
    return fake


async def test_requests_go_on_without_redis_and_one_line_says_so(
    redis: Redis,
) -> None:
    store = RateLimitStore(Settings(database_url=URL, redis_url="redis://localhost"))
    redis.failure = ConnectionError("refused")
    with capture_logs() as lines:
        waits = [await store.hit(ITEM, "client") for _ in range(3)]
    assert waits[:2] == [None, None]
    assert waits[2]
    assert [line["event"] for line in lines] == ["rate_limit_storage_lost"]
    assert redis.hits == 1


async def test_redis_is_used_again_once_it_answers(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit_store, "REDIS_RETRY_INTERVAL", 0.0)
    store = RateLimitStore(Settings(database_url=URL, redis_url="redis://localhost"))
    redis.failure = TimeoutError()
    with capture_logs() as lines:
        await store.hit(ITEM, "client")
        await store.hit(ITEM, "client")
        redis.failure = None
        await store.hit(ITEM, "client")
    assert [line["event"] for line in lines] == [
        "rate_limit_storage_lost",
        "rate_limit_storage_regained",
    ]


async def test_what_redis_counts_is_not_counted_here(redis: Redis) -> None:
    store = RateLimitStore(Settings(database_url=URL, redis_url="redis://localhost"))
    waits = [await store.hit(ITEM, "client") for _ in range(3)]
    assert waits == [None] * 3
    assert redis.hits == 3


async def test_the_check_of_redis_fails_with_it(redis: Redis) -> None:
    store = RateLimitStore(Settings(database_url=URL, redis_url="redis://localhost"))
    await store.check_redis()
    redis.failure = ConnectionError("refused")
    with pytest.raises(ConnectionError):
        await store.check_redis()


async def test_a_redis_that_never_answers_costs_a_quarter_of_a_second() -> None:
    async def listen(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        url = f"redis://127.0.0.1:{port}/0"
        store = RateLimitStore(Settings(database_url=URL, redis_url=url))
        loaded = set(sys.modules)
        started = time.monotonic()
        who = [str(number) for number in range(25)]
        waits = await asyncio.gather(*(store.hit(ITEM, one) for one in who))
        assert time.monotonic() - started < 1  # of a busy machine
        assert waits == [None] * 25
        assert set(sys.modules) == loaded  # nothing is left for the first requests
        await store.close()


def test_what_waits_for_redis_leaves_time_for_the_request() -> None:
    assert rate_limit_store.REDIS_TIMEOUT <= 0.6 * 0.25


async def test_without_redis_there_is_nothing_to_check_or_close() -> None:
    store = RateLimitStore(Settings(database_url=URL))
    await store.check_redis()
    await store.close()
