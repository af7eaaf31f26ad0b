"""How requests and answers travel: what is refused, and how long a client may take."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from src.core import protocol
from src.core.config import Settings
from src.core.protocol import MAX_HEAD, BoundedHttpProtocol

PATIENCE = 0.1  # seconds
LARGE = 20_000_000  # bytes, more than sockets hold
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
H2C = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body and the headers that it came with, or with much."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/large":
        body = bytes(LARGE)
    names = b",".join(name for name, _ in scope["headers"])
    headers = [(b"content-length", str(len(body)).encode()), (b"x-names", names)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


Connect = Any


@pytest.fixture
async def connect(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connect]:
    """Connects to an application behind the protocol."""
    impatient = settings.model_copy(update={"client_timeout": PATIENCE})
    monkeypatch.setattr(protocol, "get_settings", lambda: impatient)
    config = uvicorn.Config(echo, log_config=None, access_log=False, lifespan="off")
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()

    def make() -> BoundedHttpProtocol:
        return BoundedHttpProtocol(config, state, {}, _loop=loop)

    server = await loop.create_server(make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def connected() -> AsyncIterator[
        tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.transport.abort()

    yield connected
    server.close()
    for task in [*state.tasks]:
        await task


async def answers(connect: Connect, *parts: bytes) -> bytes:
    """Send the parts, a moment between them; return all until the connection ends."""
    async with connect() as (reader, writer):
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            return bytes(await reader.read())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NO HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (POST + b"Host: y\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (H2C + b"Content-Length: 99\r\n\r\n", 400),
        (H2C + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 400),
        (CHUNKED + b"no length\r\n", 400),
        (POST + b"X-Long: " + MAX_HEAD * b"x", 431),
        (POST, 408),
        (POST + b"Content-Length: 9\r\n\r\n{", 408),
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


async def test_trailers_have_the_bound_of_a_head(connect: Connect) -> None:
    begun = CHUNKED + b"0\r\nX-Trailer: "
    answer = await answers(connect, begun, (MAX_HEAD + 1) * b"x")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_what_comes_behind_a_body_is_no_header(connect: Connect) -> None:
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    trailers = b"1\r\na\r\n0\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    answer = await answers(connect, CHUNKED, trailers, last)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert b"x-forwarded-for" not in answer


async def test_an_offer_of_another_protocol_is_passed_over(connect: Connect) -> None:
    offer = H2C.replace(b"POST", b"GET") + b"\r\n"
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert (await answers(connect, offer, last)).count(b"HTTP/1.1 200 ") == 2


async def test_an_answer_that_is_owed_is_given(connect: Connect) -> None:
    answer = await answers(connect, GET + b"NO HTTP\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("parts", [[], [b"\r\n"], [GET, b"\r\n"]])
async def test_who_has_nothing_to_say_is_not_waited_for(
    connect: Connect, parts: list[bytes]
) -> None:
    answer = await answers(connect, *parts)
    assert answer.startswith(b"HTTP/1.1 200 ") is (GET in parts)


async def test_who_does_not_read_is_not_waited_for(connect: Connect) -> None:
    async with connect() as (reader, writer):
        reader._limit = 1  # so that the client's side keeps nothing either
        writer.write(GET.replace(b" / ", b" /large "))
        await asyncio.sleep(5 * PATIENCE)
        reader._limit = LARGE
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
