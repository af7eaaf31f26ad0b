"""Which requests are refused under overload, and with which answer."""

import asyncio

import pytest
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

import src.core.overload
from src.core.overload import OverloadMiddleware, Refusal
from tests.core.probe import LAYERS, UUID, client_of, count_of, http


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})


async def test_beyond_the_limit_requests_are_refused_at_once() -> None:
    full, over = asyncio.Event(), asyncio.Event()
    answers: list[Message] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        if scope["path"] == "/slow":
            full.set()
            await over.wait()

    async def send(message: Message) -> None:
        answers.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing should be received")

    layer = OverloadMiddleware(app, limit=1, spared=["/health/"], refusal=refuse)
    slow = asyncio.create_task(layer(http("/slow"), receive, send))
    await full.wait()
    await layer(http("/health/ready"), receive, send)
    assert answers == []
    await layer(http("/other"), receive, send)
    assert answers[0]["status"] == 503
    over.set()
    await slow
    answers.clear()
    await layer(http("/other"), receive, send)
    assert answers == []


async def test_a_refusal_has_the_one_format_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(src.core.overload, "REPORT_INTERVAL", 0.01)
    refusal = Refusal({"X-Frame-Options": "DENY"})
    layer = Middleware(OverloadMiddleware, limit=0, spared=(), refusal=refusal)
    before = count_of("GET", "unmatched", 503)
    with capture_logs() as lines:
        async with client_of(layer, *LAYERS) as client:
            answers = [
                await client.get("/v1/things/x", headers={"X-Request-ID": request_id})
                for request_id in ("mine", "", "a b")
            ]
        await asyncio.sleep(0.05)
    for answer in answers:
        problem = answer.json()
        assert answer.status_code == problem["status"] == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-ID"] == problem["request_id"]
        assert problem["error"] == "service_unavailable"
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["X-Frame-Options"] == "DENY"
    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert ids[0] == "mine"
    assert all(UUID.fullmatch(request_id) for request_id in ids[1:])
    assert count_of("GET", "unmatched", 503) == before + 3
    (line,) = lines
    assert (line["event"], line["count"], line["log_level"]) == (
        "requests_refused",
        3,
        "warning",
    )


async def test_a_refusal_is_counted_if_the_client_has_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(src.core.overload, "REPORT_INTERVAL", 0.01)

    async def cut(_: Message) -> None:
        raise OSError("the connection is closed")

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    before = count_of("GET", "unmatched", 503)
    with pytest.raises(OSError, match="closed"):
        await Refusal({})({**http("/v1/things/x"), "method": "GET"}, nothing, cut)
    await asyncio.sleep(0.05)
    assert count_of("GET", "unmatched", 503) == before + 1


async def test_a_request_counts_when_its_body_has_arrived() -> None:
    parts: asyncio.Queue[Message] = asyncio.Queue()
    statuses: list[int] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    layer = OverloadMiddleware(app, limit=1, spared=["/health/"], refusal=refuse)
    body = http("/slow", (b"content-length", b"2"))
    slow = asyncio.create_task(layer(body, parts.get, send))
    for more, refused in ((True, 0), (False, 1)):
        parts.put_nowait({"type": "http.request", "body": b"x", "more_body": more})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await layer(http("/other"), nothing, send)
        assert statuses.count(503) == refused
    parts.put_nowait(await nothing())
    await slow
    assert layer.in_progress == 0
