"""How requests and answers travel: what is refused, and how long a client may take."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from src.__main__ import http_protocol
from src.core import protocol
from src.core.config import Settings
from src.core.http_framing import MAX_HEAD
from src.core.protocol import BoundedHttpProtocol

PATIENCE = 0.1  # seconds
LARGE = 20_000_000  # bytes, more than sockets hold
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
OFFER = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
)
WEBSOCKET = OFFER.replace(b"h2c", b"websocket")
OLD = b"GET / HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path, the headers and the body that came, or as the path says."""
    path = scope["path"]
    answer = b""
    if path != "/early":
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            answer += message.get("body", b"")
            more = message.get("more_body", False)
    if path == "/large":
        answer = bytes(LARGE)
    names = b",".join(name for name, _ in scope["headers"])
    headers = [(b"x-path", path.encode()), (b"x-names", names)]
    if path != "/events":
        headers.append((b"content-length", str(len(answer)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/events":
        for _ in range(5):
            event = {"type": "http.response.body", "body": b"event", "more_body": True}
            await send(event)
            await asyncio.sleep(PATIENCE)
    await send({"type": "http.response.body", "body": answer})


class WebSocket(asyncio.Protocol):
    """Stands in for the protocol that uvicorn has for a WebSocket: sends all back."""

    def __init__(self, **_: Any) -> None:
        """Take what uvicorn gives."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


Connect = Any


@pytest.fixture
async def connect(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connect]:
    """Connects to an application behind the protocol."""
    impatient = settings.model_copy(update={"client_timeout": PATIENCE})
    monkeypatch.setattr(protocol, "get_settings", lambda: impatient)
    options: Any = {"log_config": None, "access_log": False, "lifespan": "off"}
    config = uvicorn.Config(echo, ws=WebSocket, **options)
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()

    def make() -> BoundedHttpProtocol:
        return BoundedHttpProtocol(config, state, {}, _loop=loop)

    server = await loop.create_server(make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def connected(
        **options: Any,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
        yield reader, writer
        writer.transport.abort()

    yield connected
    server.close()
    for task in [*state.tasks]:
        await task
    await asyncio.sleep(0.02)
    assert not state.connections


async def answers(connect: Connect, *parts: bytes) -> bytes:
    """Send the parts, a moment between them; return all until the connection ends."""
    async with connect() as (reader, writer):
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            return bytes(await reader.read())


def chunks(*lines: bytes) -> bytes:
    return CHUNKED + b"".join(line + b"\r\n" for line in lines)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NO HTTP\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400),  # refused by uvicorn's parser
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (POST + b"Host: y\r\n\r\n", 400),
        (POST + b"X-Name : y\r\n\r\n", 400),
        (POST + b"X-Name: y\r\n folded\r\n\r\n", 400),
        (POST + b"X-Name: y\rz\r\n\r\n", 400),
        (POST + b"X-Name: y\nX-Other: z\r\n\r\n", 400),
        (POST + b"X-Name: \x00\r\n\r\n", 400),
        (POST + b": y\r\n\r\n", 400),
        (POST + b"Content-Length: +1\r\n\r\n", 400),
        (POST + b"Content-Length: 1, 1\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (POST + 2 * b"Transfer-Encoding: chunked\r\n" + b"\r\n", 400),
        (chunks(b"no length"), 400),
        (chunks(b"0x1", b"a"), 400),
        (chunks(b"-1", b"a"), 400),
        (chunks(b"1 ", b"a"), 400),
        (chunks(b"1", b"ab", b"0", b""), 400),
        (chunks(b"0", b"X-Name : y", b""), 400),
        (POST + b"X-Long: " + MAX_HEAD * b"x", 431),
        (POST + b"X-Long: " + MAX_HEAD * b"x" + b"\r\n\r\n", 431),
        (b"GET /" + MAX_HEAD * b"x", 431),
        (chunks(b"1;" + MAX_HEAD * b"x", b"a"), 431),
        (chunks(b"0", b"X-Long: " + MAX_HEAD * b"x", b""), 431),
        (POST, 408),
        (POST + b"Content-Length: 9\r\n\r\n{", 408),
        (POST + OFFER + b"Content-Length: 9\r\n\r\n{", 408),
        (CHUNKED, 408),
        (chunks(b"9", b"{"), 408),
    ],
)
async def test_it_is_refused_in_the_one_format(
    connect: Connect, sent: bytes, status: int
) -> None:
    with capture_logs() as lines:
        more = [GET] if status == 400 else []  # it would end what has no end yet
        answer = await answers(connect, sent, *more)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"x-content-type-options: nosniff" in head.lower()
    assert b"connection: close" in head.lower()
    problem = json.loads(body)  # of one answer: what follows a refusal is not read
    assert problem["status"] == status
    (line,) = [line for line in lines if line["event"] == "request_refused"]
    assert (line["status"], line["request_id"]) == (status, problem["request_id"])


@pytest.mark.parametrize("begun", [POST, CHUNKED + b"0\r\n"])
async def test_who_still_sends_reads_the_refusal(
    connect: Connect, begun: bytes
) -> None:
    async with connect() as (reader, writer):
        writer.write(begun + b"X-Long: ")
        for _ in range(50):
            writer.write(MAX_HEAD * b"x")
            await writer.drain()
            await asyncio.sleep(0.001)
        async with asyncio.timeout(30):
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_who_never_ends_is_cut_off(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LINGER", PATIENCE)

    async def keep_sending(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"NO HTTP\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(PATIENCE / 10)

    async with connect() as (_, writer):
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(keep_sending(writer), 30)


async def test_a_head_may_be_as_long_as_the_bound_and_come_in_pieces(
    connect: Connect,
) -> None:
    head = LAST[:-2] + b"X-Long: "
    head += (MAX_HEAD - len(head) - 4) * b"x" + b"\r\n\r\n"
    assert (await answers(connect, head)).startswith(b"HTTP/1.1 200 ")
    pieces = [bytes([byte]) for byte in b"\r\n" + LAST]
    async with connect() as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_what_comes_behind_a_body_is_no_header(connect: Connect) -> None:
    trailers = b"1;name=value\r\na\r\n0\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    answer = await answers(connect, CHUNKED, trailers, LAST)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert b"\r\n\r\naHTTP/1.1" in answer
    assert b"x-forwarded-for" not in answer


@pytest.mark.parametrize("offer", [OFFER, WEBSOCKET])
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 4\r\n\r\nbody",
        CHUNKED[len(POST) :] + b"4\r\nbody\r\n0\r\n\r\n",
    ],
)
async def test_an_offer_of_another_protocol_is_ignored(
    connect: Connect, offer: bytes, body: bytes
) -> None:
    """The request has its body, and an answer in order with what follows it."""
    answer = await answers(connect, POST + offer + body + GET, LAST)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.index(b"body") < answer.index(b"/last")
    assert b"upgrade" not in answer


async def test_a_websocket_is_handed_over(connect: Connect) -> None:
    async with connect() as (reader, writer):
        writer.write(GET[:-2] + WEBSOCKET + b"\r\nfirst")
        assert (await reader.readuntil(b"first")).startswith(b"GET / HTTP/1.1\r\n")
        await asyncio.sleep(3 * PATIENCE)
        sent = 2 * MAX_HEAD * b"\0"
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent


async def test_requests_are_answered_in_order(connect: Connect) -> None:
    body = 3 * MAX_HEAD * b"x"
    large = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    events = GET.replace(b" / ", b" /events ")
    answer = await answers(connect, events + large + large + GET, LAST)
    assert answer.count(b"HTTP/1.1 200 ") == 5
    places = [answer.index(b"event"), answer.index(body), answer.rindex(body)]
    assert places == sorted(places)
    assert answer.index(b"/last") > places[-1]


async def test_http_1_0_keeps_its_connection(connect: Connect) -> None:
    events = OLD.replace(b" / ", b" /events ")
    answer = await answers(connect, OLD, OLD, events)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"connection: keep-alive\r\n") == 2
    assert b"transfer-encoding" not in answer  # which HTTP/1.0 does not know
    assert answer.endswith(b"\r\n\r\n" + 5 * b"event")


async def test_who_expects_to_be_asked_for_the_body_is_asked(connect: Connect) -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    async with connect() as (reader, writer):
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"a" + LAST)
        assert (await reader.read()).count(b"HTTP/1.1 200 ") == 2


async def test_an_answer_that_is_owed_is_given(connect: Connect) -> None:
    answer = await answers(connect, GET + b"NO HTTP\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_bad_body_behind_an_early_answer_ends_the_connection(
    connect: Connect,
) -> None:
    early = CHUNKED.replace(b" / ", b" /early ")
    answer = await answers(connect, early, b"no length\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("parts", [[], [b"\r\n"], [GET, b"\r\n"]])
async def test_who_has_nothing_to_say_is_not_waited_for(
    connect: Connect, parts: list[bytes]
) -> None:
    answer = await answers(connect, *parts)
    assert answer.startswith(b"HTTP/1.1 200 ") is (GET in parts)


async def test_who_is_idle_behind_an_early_answer_is_not_waited_for(
    connect: Connect,
) -> None:
    head = POST.replace(b" / ", b" /early ") + b"Content-Length: 1\r\n\r\n"
    async with asyncio.timeout(2):  # uvicorn alone would wait without a limit
        assert (await answers(connect, head, b"a")).startswith(b"HTTP/1.1 200 ")


async def test_a_large_body_may_take_longer(connect: Connect) -> None:
    part = 2 * MAX_HEAD * b"x"
    head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (5 * len(part))
    async with connect() as (reader, writer):
        writer.write(head)
        for _ in range(5):
            writer.write(part)
            await asyncio.sleep(PATIENCE / 2)
        assert (await reader.read()).endswith(5 * part)


async def test_an_answer_may_take_longer(connect: Connect) -> None:
    answer = await answers(connect, GET.replace(b" / ", b" /events "), LAST)
    assert answer.count(b"5\r\nevent\r\n") == 5
    assert answer.count(b"HTTP/1.1 200 ") == 2


async def test_who_does_not_read_is_not_waited_for(connect: Connect) -> None:
    async with connect(limit=1) as (reader, writer):  # the client keeps nothing either
        writer.write(GET.replace(b" / ", b" /large "))
        await asyncio.sleep(5 * PATIENCE)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(LARGE)


async def test_who_reads_slowly_is_served(connect: Connect) -> None:
    async with connect() as (reader, writer):
        writer.write(GET.replace(b" / ", b" /large "))
        received = 0
        while part := await reader.read(LARGE):
            received += len(part)
            if received > LARGE:
                break
            await asyncio.sleep(PATIENCE / 20)
        assert received > LARGE


class MadeOtherwise(asyncio.Protocol):
    """Takes other arguments than uvicorn's protocols do today."""

    shutdown = None


class Unstoppable(asyncio.Protocol):
    """Has no `shutdown()`."""

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any):
        """Take what uvicorn's protocols do today."""


@pytest.mark.parametrize(
    "module",
    [
        None,  # cannot be imported
        SimpleNamespace(),
        SimpleNamespace(AutoHTTPProtocol=MadeOtherwise),
        SimpleNamespace(AutoHTTPProtocol=Unstoppable),
    ],
)
def test_without_what_it_is_built_on_uvicorns_own_serves(
    monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    config = uvicorn.Config(echo, http=http_protocol())
    config.load()
    assert config.http_protocol_class is BoundedHttpProtocol
    monkeypatch.setitem(sys.modules, "uvicorn.protocols.http.auto", module)
    with capture_logs() as lines:
        assert http_protocol() == "auto"
    assert [line["event"] for line in lines] == ["http_bounds_unavailable"]
