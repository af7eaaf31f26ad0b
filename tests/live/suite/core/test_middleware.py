"""The middlewares, each around a small application."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import Response
from prometheus_client import REGISTRY
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from src.core.middleware import (
    BodyLimitMiddleware,
    CancellationMiddleware,
    MetricsMiddleware,
    PathMiddleware,
    RequestIDMiddleware,
    SecurityHeadersMiddleware,
)
from src.core.overload import OverloadMiddleware
from src.core.security import CORSMiddleware
from tests.core.probe import LAYERS, UUID, application, client_of, count_of, http


async def test_a_request_without_an_id_gets_one_everywhere() -> None:
    async with client_of(*LAYERS) as client:
        answer = await client.get("/v1/things/x")
    request_id = answer.headers["X-Request-ID"]
    assert UUID.fullmatch(request_id)
    assert answer.json() == {"state": request_id, "logged": request_id}
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize("request_id", ["a", "0190-Az_.9", "x" * 128])
async def test_a_valid_id_from_the_client_is_kept(request_id: str) -> None:
    async with client_of(*LAYERS) as client:
        answer = await client.get("/", headers={"X-Request-ID": request_id})
    assert answer.headers["X-Request-ID"] == request_id
    assert answer.json()["logged"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", 'a"b', "a\x1b[31m", "ä"])
async def test_any_other_id_is_replaced(request_id: str) -> None:
    async with client_of(*LAYERS) as client:
        headers = [(b"x-request-id", request_id.encode())]
        answer = await client.get("/", headers=headers)
    assert UUID.fullmatch(answer.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("method", "path", "label", "endpoint", "status"),
    [
        ("GET", "/v1/things/7", "GET", "/v1/things/{name}", 200),
        ("GET", "/v1/things/7/", "GET", "/v1/things/{name}", 200),
        ("HEAD", "/v1/things/7", "HEAD", "/v1/things/{name}", 200),
        ("OPTIONS", "/v1/things/7", "OPTIONS", "/v1/things/{name}", 204),
        ("DELETE", "/v1/things/7", "DELETE", "/v1/things/{name}", 405),
        ("BREW", "/v1/things/7", "OTHER", "/v1/things/{name}", 405),
        ("GET", "/", "GET", "/", 200),
        ("GET", "/slashed", "GET", "/slashed/", 200),
        ("GET", "/fail", "GET", "/fail", 500),
        ("GET", "/nothing/4711", "GET", "unmatched", 404),
        ("OPTIONS", "/nothing/4711", "OPTIONS", "unmatched", 404),
    ],
)
async def test_requests_are_counted_and_logged_by_route(
    method: str, path: str, label: str, endpoint: str, status: int
) -> None:
    before = count_of(label, endpoint, status)
    with capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        async with client_of(*LAYERS) as client:
            answer = await client.request(method, path)
    assert count_of(label, endpoint, status) == before + 1
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == (label, endpoint, status)
    assert line["duration"] >= 0
    assert line["client"] == "127.0.0.1"
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert REGISTRY.get_sample_value("http_requests_in_progress") == 0


async def test_a_client_that_disconnects_is_not_an_error() -> None:
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/leave",
        "query_string": b"",
        "headers": [],
    }

    async def nothing(*_: Message) -> Any:
        """Receive and send as a server does whose client has left."""

    with capture_logs() as lines:
        await application(*LAYERS)(scope, nothing, nothing)
    assert [(line["event"], line.get("status")) for line in lines] == [
        ("client_disconnected", None),
        ("request", 499),
    ]


async def test_headers_are_added_unless_the_route_has_its_own() -> None:
    app = application(
        Middleware(
            SecurityHeadersMiddleware,
            fixed={"X-Frame-Options": "DENY"},
            defaults={"Cache-Control": "no-store"},
        )
    )

    @app.get("/cached")
    async def cached(response: Response) -> None:
        response.headers["Cache-Control"] = "max-age=60"

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        usual, own = await client.get("/nothing"), await client.get("/cached")
    assert usual.headers["X-Frame-Options"] == own.headers["X-Frame-Options"] == "DENY"
    assert usual.headers["Cache-Control"] == "no-store"
    assert own.headers.get_list("Cache-Control") == ["max-age=60"]


@pytest.mark.parametrize("path", ["/body", "/nothing", "/body/"])
async def test_a_body_that_is_declared_too_large_is_not_read(path: str) -> None:
    async with client_of(*LAYERS) as client:
        answer = await client.post(path, content=b"x" * 11)
    assert answer.status_code == 413
    assert answer.json()["error"] == "payload_too_large"
    assert answer.json()["limit"] == 10


async def test_a_body_that_turns_out_too_large_is_refused() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x"

    async with client_of(*LAYERS) as client:
        answer = await client.post("/body", content=parts())
    assert answer.status_code == 413
    assert answer.json()["error"] == "payload_too_large"


async def test_a_body_within_the_limit_passes_declared_or_not() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * 10

    async with client_of(*LAYERS) as client:
        declared = await client.post("/body", content=b"x" * 10)
        streamed = await client.post("/body", content=parts())
    assert declared.json() == streamed.json() == {"size": 10}


@pytest.mark.parametrize(("length", "status"), [("9" * 5000, 413), ("ten", 200)])
async def test_an_invalid_content_length_is_handled(length: str, status: int) -> None:
    async with client_of(*LAYERS) as client:
        headers = {"Content-Length": length}
        answer = await client.post("/body", content=b"x", headers=headers)
    assert answer.status_code == status


async def test_an_unhandled_exception_is_logged_and_not_shown() -> None:
    with capture_logs() as lines:
        async with client_of(*LAYERS) as client:
            answer = await client.get("/fail")
    assert answer.status_code == 500
    assert answer.json()["error"] == "internal_server_error"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert "secret" not in answer.text
    (line,) = [line for line in lines if line["event"] == "unhandled_exception"]
    assert line["exception_type"] == "RuntimeError"
    assert line["path"] == "/fail"
    assert isinstance(line["exc_info"], RuntimeError)


async def test_a_cancelled_request_is_answered_with_503() -> None:
    answers: list[Message] = []

    async def nothing() -> Message:
        raise AssertionError("nothing should be received")

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {**http("/cancelled"), "method": "GET", "query_string": b""}
    with capture_logs() as lines:
        await application(*LAYERS)(scope, nothing, send)
    headers = dict(answers[0]["headers"])
    assert answers[0]["status"] == 503
    assert headers[b"content-type"] == b"application/problem+json"
    assert {b"x-request-id", b"retry-after"} <= headers.keys()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("request_cancelled", "warning"),
        ("request", "info"),
    ]


async def test_a_started_answer_is_cut_when_it_is_cancelled() -> None:
    answers: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    async def nothing() -> Message:
        raise AssertionError("nothing should be received")

    async def send(message: Message) -> None:
        answers.append(message)

    with pytest.raises(asyncio.CancelledError):
        await CancellationMiddleware(app)(http("/slow"), nothing, send)
    assert [answer["type"] for answer in answers] == ["http.response.start"]


async def test_an_exception_within_an_answer_ends_the_connection() -> None:
    transport = httpx2.ASGITransport(application(*LAYERS))
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        with capture_logs() as lines, pytest.raises(RuntimeError):
            await client.get("/fail-late")
    assert "unhandled_exception" in [line["event"] for line in lines]


async def test_an_unhandled_exception_reaches_the_server() -> None:
    """It is where error trackers and tracers look for it."""
    transport = httpx2.ASGITransport(application(*LAYERS))
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        with pytest.raises(RuntimeError, match="secret"):
            await client.get("/fail")


@pytest.mark.parametrize(
    "layer",
    [
        RequestIDMiddleware,
        MetricsMiddleware,
        lambda app: SecurityHeadersMiddleware(app, {}, {}),
        lambda app: BodyLimitMiddleware(app, 1),
        lambda app: OverloadMiddleware(app, 1, [], application()),
        CORSMiddleware,
        CancellationMiddleware,
        PathMiddleware,
    ],
)
async def test_other_protocols_than_http_are_not_changed(layer: Any) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope)

    async def nothing(*_: Message) -> Any:
        raise AssertionError("nothing should be sent")

    scope = {"type": "lifespan"}
    await layer(app)(scope, nothing, nothing)
    assert seen == [scope]
