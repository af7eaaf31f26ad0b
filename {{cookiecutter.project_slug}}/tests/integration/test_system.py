"""The service around its entities: health, metrics, docs, headers, errors, limits."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from src.core.config import Settings
from src.core.database import async_session_maker, read_session_maker
from src.core.engines import Engines
from src.core.readiness import Readiness
from src.main import create_app
from tests.answers import problem
from tests.conftest import client_of

PROBLEM = {"type", "title", "status", "detail", "error", "message", "request_id"}


class Letter(BaseModel):
    """The body of a route of the tests' own."""

    text: str


async def send(letter: Letter) -> Letter:
    """Return the body."""
    return letter


async def fail() -> None:
    """Raise an exception that nothing handles."""
    raise RuntimeError("secret")


def probe_app(settings: Settings, **changes: Any) -> FastAPI:
    """Return the service with routes of the tests' own and other settings."""
    app = create_app(settings.model_copy(update=changes))
    probe = APIRouter(prefix="/probe")
    probe.add_api_route("/letters", send, methods=["POST"])
    probe.add_api_route("/fail", fail, methods=["GET"])
    app.include_router(probe)
    return app


@pytest.fixture
async def probe(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service with the routes of the tests' own."""
    app = probe_app(
        settings,
        cors_origins=["https://app.test"],
        max_body_size=100,
        rate_limit="5/minute",
        rate_limit_enabled=True,
    )
    async with client_of(app, raise_app_exceptions=False) as client:
        yield client


async def test_health_says_that_the_process_runs(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    answer = await client.get("/health/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "service": settings.app_name}


async def test_ready_when_the_database_answers_and_is_migrated(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert set(answer.json()["checks"].values()) == {"ok"}


async def test_not_ready_while_draining(settings: Settings) -> None:
    app = probe_app(settings)
    readiness: Readiness = app.state.readiness
    readiness.drain()
    async with client_of(app) as client:
        answer = await client.get("/health/ready")
    engines: Engines = app.state.engines
    await engines.dispose()
    found = problem(answer, 503, "service_unavailable")
    assert found["checks"]["process"] == "draining"


async def test_metrics_show_requests_and_the_pool(client: httpx2.AsyncClient) -> None:
    await client.get("/nothing/of-this-name")
    answer = await client.get("/metrics/metrics")
    kind, *parameters = answer.headers["Content-Type"].split("; ")
    assert kind == "text/plain"
    assert "charset=utf-8" in parameters
    assert "of-this-name" not in answer.text
    for series in (
        'http_requests_total{endpoint="unmatched",method="GET",status="404"}',
        'http_request_duration_seconds_bucket{endpoint="unmatched",le="1.0",method="GET"'
        ',status="404"}',
        "http_requests_in_progress 1.0",
        'database_pool_size{pool="write"} ',
        'database_pool_checked_out{pool="read"} ',
        'database_pool_overflow{pool="read"} ',
        'database_pool_limit{pool="write"} ',
    ):
        assert f"\n{series}" in answer.text


async def test_the_openapi_document_is_served(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    assert (await client.get("/openapi.json")).json() == app.openapi()


async def test_every_operation_has_an_id_of_its_own(app: FastAPI) -> None:
    paths = app.openapi()["paths"].values()
    ids = Counter(one["operationId"] for path in paths for one in path.values())
    assert {name for name, count in ids.items() if count > 1} == set()


async def test_the_root_says_where_the_docs_are(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    answer = (await client.get("/")).json()
    assert (answer["service"], answer["version"]) == (
        settings.app_name,
        settings.version,
    )
    for path in (answer["docs"], answer["openapi"]):
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_docs_are_served_with_their_files(
    client: httpx2.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for source in re.findall(r'(?:src|href)="(/[^"]*)"', page.text):
        assert (await client.get(source)).status_code == 200
    assert (await client.get(f"{path}/nothing.js")).status_code == 404


async def test_production_has_no_docs(settings: Settings) -> None:
    async with client_of(probe_app(settings, environment="production")) as client:
        for path in ("/", "/docs", "/redoc", "/openapi.json", "/docs/start.js"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.json()["error"] == "route_not_found"


def check_headers(answer: httpx2.Response) -> None:
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-XSS-Protection"] == "1; mode=block"
    assert "max-age=63072000" in headers["Strict-Transport-Security"]
    policy = headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"frame-ancestors 'none'", "base-uri 'none'"} < set(policy)
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert headers["X-Request-ID"] == "r-1"
    assert "Server" not in headers


LETTER = {"content": b'{"text": "hello"}'}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "error"),
    [
        ("GET", "/health/health", {}, 200, None),
        ("POST", "/probe/letters", LETTER | {"headers": JSON}, 200, None),
        ("GET", "/nothing", {}, 404, "route_not_found"),
        ("DELETE", "/probe/letters", {}, 405, "method_not_allowed"),
        ("POST", "/probe/letters", {"content": b"x" * 101}, 413, "payload_too_large"),
        ("POST", "/probe/letters", {"json": {"text": 5}}, 422, "validation_error"),
        ("GET", "/probe/fail", {}, 500, "internal_server_error"),
    ],
)
async def test_every_answer_has_the_headers_and_every_error_the_one_format(
    probe: httpx2.AsyncClient,
    method: str,
    path: str,
    options: dict[str, Any],
    status: int,
    error: str | None,
) -> None:
    own = {"Origin": "https://app.test", "X-Request-ID": "r-1"}
    headers = options.get("headers", {}) | own
    answer = await probe.request(method, path, **(options | {"headers": headers}))
    assert answer.status_code == status
    check_headers(answer)
    kind = "application/problem+json" if error else "application/json"
    assert answer.headers["Content-Type"] == kind
    if error:
        body = answer.json()
        assert body.keys() >= PROBLEM
        assert (body["error"], body["status"]) == (error, status)
        assert body["request_id"] == "r-1"
        assert "secret" not in answer.text


async def test_the_rate_limit_counts_refused_requests(
    probe: httpx2.AsyncClient,
) -> None:
    for _ in range(5):
        answer = await probe.post("/probe/letters", json={"text": 5})
        assert answer.status_code == 422
    answer = await probe.post("/probe/letters", json={"text": "hello"})
    assert answer.status_code == 429
    assert answer.json()["error"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_405_names_every_method(probe: httpx2.AsyncClient) -> None:
    answer = await probe.delete("/health/health")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_other_origins_get_no_cors_headers(probe: httpx2.AsyncClient) -> None:
    headers = {"Origin": "https://evil.test"}
    answer = await probe.get("/health/health", headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_requests_beyond_the_limit_are_refused_at_once(
    settings: Settings,
) -> None:
    origin = "https://app.test"
    app = probe_app(settings, max_requests_in_progress=1, cors_origins=[origin])
    full, over = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        full.set()
        await over.wait()

    app.add_api_route("/probe/work", work, methods=["GET"])
    async with client_of(app) as client:
        busy = asyncio.create_task(client.get("/probe/work"))
        await full.wait()
        refused = await client.get("/nothing", headers={"Origin": origin})
        spared = await client.get("/health/health")
        over.set()
        assert (await busy).status_code == spared.status_code == 200
        assert (await client.get("/nothing")).status_code == 404
    assert refused.status_code == 503
    assert refused.json()["error"] == "service_unavailable"
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["Access-Control-Allow-Origin"] == origin
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_lifespan_binds_and_closes_the_pools(settings: Settings) -> None:
    app = probe_app(settings)
    engines: Engines = app.state.engines
    async with app.router.lifespan_context(app):
        assert async_session_maker.kw["bind"] is engines.write
        assert read_session_maker.kw["bind"] is engines.read
        pools = [engine.pool for _, engine in engines.items()]
    assert [engine.pool for _, engine in engines.items()] != pools


async def test_a_preflight_of_a_named_origin_is_answered(
    probe: httpx2.AsyncClient,
) -> None:
    headers = {"Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = (
        "traceparent, If-Match, X-Requested-With"
    )
    for origin, allowed in (("https://app.test", True), ("https://evil.test", False)):
        headers["Origin"] = origin
        answer = await probe.options("/probe/letters", headers=headers)
        assert answer.is_success
        assert ("Access-Control-Allow-Origin" in answer.headers) is allowed
