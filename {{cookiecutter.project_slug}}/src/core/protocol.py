"""An HTTP/1.1 protocol that adds limits of size and time to uvicorn's protocol.

uvicorn accepts headers of any length, waits without a limit for the rest of a request and
for a client that does not read its response, and loses the body of a request that offers
another protocol (`Upgrade: h2c`, as Java's client does). The protocol here is between the
socket and uvicorn's protocol: it passes on complete, valid heads, and bodies as they
arrive. `http_protocol` in src/__main__.py leaves it out if uvicorn has changed too much.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, cast

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.server import ServerState

from src.core import metrics
from src.core.config import get_settings
from src.core.errors import PROBLEM_JSON, problem_members
from src.core.http_framing import (
    MAX_HEAD,
    Body,
    FramingError,
    Head,
    TooLongError,
    answer_head_for_http_1_0,
    check_beginning,
    read_head,
)
from src.core.logging import get_logger
from src.core.routing import UNMATCHED
from src.core.security import DEFAULT_HEADERS, FIXED_HEADERS

LINGER = 2.0  # seconds for a client to finish sending a request that was rejected

logger = get_logger()


class BoundedHttpProtocol(asyncio.Protocol):
    """Contains uvicorn's protocol; rejects invalid, ambiguous, long or slow requests.

    It waits for a head until `_body` is set, then for the rest of that body. While
    uvicorn has paused reading, all bytes are kept: it pauses for a request that is
    pipelined behind another, and for a body that the application does not read. After a
    rejected request the connection ends, and what still arrives is dropped. For a
    WebSocket, uvicorn replaces this protocol by another one.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = _loop or asyncio.get_running_loop()
        self._inner: Any = AutoHTTPProtocol(  # type: ignore[call-arg]
            config=config, server_state=server_state, app_state=app_state, _loop=_loop
        )
        self._websockets = config.ws_protocol_class is not None
        self._transport: asyncio.Transport
        self._send_timer = _Timer(self._loop, self._end_waiting)
        self._read_timer = _Timer(self._loop, self._end_unless_it_reads)
        self._pending = b""  # received, and not passed on yet
        self._body: Body | None = None  # of the current request, until it ends
        self._progress = 0  # bytes of the body since the timer was started
        self._is_paused = False
        self._is_behind = False  # whether the last request is pipelined
        self._is_answered = False  # whether its response has begun
        self._http_1_0: Head | None = None  # the last request, if it is HTTP/1.0
        self._unwrapped: Body | None = None  # decodes a response for such a client
        self._unread = 0  # bytes that the client had not read
        self._is_handing_on = False
        self._is_rejected = False  # by uvicorn's parser
        self._refusal = b""
        self._is_over = False  # whether nothing more is received
        self.is_hung_up = False  # whether nothing more is sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._inner.connection_made(_Outlet(self, self._transport))
        self._send_timer.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._send_timer.stop()
        self._read_timer.stop()
        if not self.is_hung_up:
            self._is_over = self.is_hung_up = True
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on complete heads and parts of bodies; keep the rest."""
        if self._is_over:
            return
        if self._pending:
            data, self._pending = self._pending + data, b""
        try:
            while data:
                if self._is_paused:
                    self._pending = data
                    break
                if self._body is None:
                    data = self._receive_head(data)
                else:
                    data = self._receive_body(self._body, data)
        except FramingError as error:
            self._refuse(error.status, error.code, str(error))
        if self._body is not None and not self._send_timer.runs:
            self._send_timer.start()  # not needed if the whole body has arrived

    def pause_writing(self) -> None:
        """Start to wait until the client reads."""
        self._inner.pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Stop waiting: the client has read."""
        self._read_timer.stop()
        self._inner.resume_writing()

    # From the client to uvicorn. Each method returns the rest of the data.

    def _receive_head(self, data: bytes) -> bytes:
        data = data.lstrip(b"\r\n")  # empty lines may precede a request
        end = data.find(b"\r\n\r\n") + 4
        if (end if end > 3 else len(data)) > MAX_HEAD:
            raise TooLongError("The head of the request is too long")
        if end < 4:
            check_beginning(data)
            self._pending = data
            if not self._send_timer.runs:
                self._send_timer.start()
                self._inner.data_received(b"\r\n")  # stops its keep-alive timer
            return b""
        head = read_head(data[:end], websockets=self._websockets)
        self._send_timer.stop()
        if head.is_websocket:
            return self._hand_over(head, data[end:])
        self._hand_on(head.text)
        self._body = head.body
        self._http_1_0 = head if head.is_http_1_0 else None
        self._is_answered = False
        self._is_behind = self._is_paused
        return data[end:]

    def _receive_body(self, body: Body, data: bytes) -> bytes:
        content, rest = body.take(data)
        self._progress += len(content)
        if body.ended or self._progress > MAX_HEAD:
            self._send_timer.stop()  # a large body may take longer, if it keeps coming
            self._progress = 0
        if body.ended:
            self._body = None
            if self._is_answered:  # uvicorn may have no keep-alive timer any more
                self._send_timer.start()
        if framed := body.framed(content):
            self._hand_on(framed)
        return rest

    def _hand_on(self, data: bytes) -> None:
        self._is_handing_on = True
        self._inner.data_received(data)
        self._is_handing_on = False
        if self._is_rejected:
            raise FramingError("The request is not valid HTTP/1.1")

    def _hand_over(self, head: Head, rest: bytes) -> bytes:
        """Let uvicorn replace this protocol by its WebSocket protocol."""
        self._read_timer.stop()
        self._inner.data_received(head.text)
        protocol = cast(asyncio.Protocol, self._transport.get_protocol())
        if protocol is self:
            return rest
        if rest:
            protocol.data_received(rest)
        return b""

    def pause_reading(self) -> None:
        """Stop passing on data; uvicorn calls this."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Pass on data again; uvicorn calls this."""
        self._is_paused = self._is_behind = False
        if self._pending:
            self._loop.call_soon(self._go_on)
        else:
            self._transport.resume_reading()

    def _go_on(self) -> None:
        self.data_received(b"")
        if not self._is_paused and not self._transport.is_closing():
            self._transport.resume_reading()

    # From uvicorn to the client.

    def write(self, data: bytes) -> None:
        """Send a part of a response."""
        if self._is_handing_on:  # not by the application, but an error of the parser
            self._is_rejected = True
            return
        if self.is_hung_up:
            return
        if self._unwrapped is not None:
            data, _ = self._unwrapped.take(data)
        elif not (self._is_answered or self._is_behind or data[9:10] == b"1"):
            self._is_answered = True  # by this head, which is not a 100 Continue
            if self._http_1_0 is not None:
                data, self._unwrapped = answer_head_for_http_1_0(data, self._http_1_0)
                if self._unwrapped is not None:
                    self._inner.shutdown()  # the response ends with the connection
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection after the client has read the response."""
        if self._is_handing_on or self.is_hung_up:
            return
        if self._is_over or self._body is not None:
            self._hang_up()
            return
        self._send_timer.stop()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._watch_reader()

    # How long a client may take.

    def _end_waiting(self) -> None:
        if self._is_paused:
            self._send_timer.start()  # the client is not the one that is slow
        elif self._body is None and not self._pending:
            self._inner.shutdown()
        else:
            message = "The request took too long to arrive"
            self._refuse(408, "request_timeout", message)

    def _watch_reader(self) -> None:
        self._unread = self._transport.get_write_buffer_size()
        self._read_timer.start()

    def _end_unless_it_reads(self) -> None:
        if self._transport.get_write_buffer_size() < self._unread:
            self._watch_reader()
        else:
            self._transport.abort()

    # The end.

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Send an error instead of the application, and end the connection."""
        request_id = str(uuid.uuid4())
        address = self._transport.get_extra_info("peername")
        logger.info(
            "request_refused",
            status=status,
            message=message,
            client=address[0] if address else None,
            request_id=request_id,
        )
        metrics.http_requests_total.labels("OTHER", UNMATCHED, status).inc()
        self._is_over = True
        self._send_timer.stop()
        if not self._is_answered or self._body is None:
            self._refusal = _problem(status, code, message, request_id)
        if self._body is not None:
            self._hang_up()
            return
        self._transport.pause_reading()
        self._inner.shutdown()  # closes at once, or after the responses in progress
        self._refusal = b""

    def _hang_up(self) -> None:
        """Send no more, and drop what the client still sends for LINGER seconds.

        Closing at once would reset the connection, and a client that is still sending
        could lose the response before it reads it (RFC 9112, 9.6).
        """
        self._is_over = self.is_hung_up = True
        self._body = None
        self._send_timer.stop()
        self._loop.call_soon(self._inner.connection_lost, None)
        self._transport.write(self._refusal)
        if self._transport.is_closing() or not self._transport.can_write_eof():  # TLS
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER, self._transport.abort)


class _Timer:
    """Calls back when the client has taken longer than `client_timeout`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, call_back: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._call_back = call_back
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._handle is not None

    def start(self) -> None:
        self.stop()
        seconds = get_settings().client_timeout
        self._handle = self._loop.call_later(seconds, self._end)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _end(self) -> None:
        self._handle = None
        self._call_back()


class _Outlet:
    """The transport that uvicorn's protocol gets; it wraps the real transport."""

    def __init__(
        self, protocol: BoundedHttpProtocol, transport: asyncio.Transport
    ) -> None:
        self._protocol = protocol
        self._transport = transport
        self.write = protocol.write
        self.close = protocol.close
        self.pause_reading = protocol.pause_reading
        self.resume_reading = protocol.resume_reading

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.write(b"".join(parts))

    def is_closing(self) -> bool:
        return self._protocol.is_hung_up or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _problem(status: int, code: str, message: str, request_id: str) -> bytes:
    title = HTTPStatus(status).phrase
    members = problem_members(status, code, message)
    body = orjson.dumps({**members, "request_id": request_id})
    headers = {
        "content-type": PROBLEM_JSON,
        "content-length": len(body),
        "x-request-id": request_id,
        "connection": "close",
        **FIXED_HEADERS,
        **DEFAULT_HEADERS,
    }
    lines = [f"HTTP/1.1 {status} {title}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
