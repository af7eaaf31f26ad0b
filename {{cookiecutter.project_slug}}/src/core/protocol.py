"""HTTP/1.1 as uvicorn speaks it, with bounds on how requests and answers travel.

httptools keeps what it reads of a header until the header ends: without a bound, one
client whose header does not end keeps the process from everything else. And uvicorn
waits for ever for the rest of a request, and for who does not read an answer.
"""

import asyncio
import uuid
from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from src.core import metrics
from src.core.config import get_settings
from src.core.logging import get_logger
from src.core.routing import UNMATCHED
from src.core.security import DEFAULT_HEADERS, FIXED_HEADERS

MAX_HEAD = 65_536  # bytes of a request line with its headers, as they arrive
LINGER = 2.0  # seconds in which who was refused may finish sending

logger = get_logger()


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses, in the service's format, what is no HTTP, or ambiguous, or too long, or
    too slow."""

    _in_body = False
    _arriving = False  # whether a part of a request is here, and not yet all of it
    _is_over = False  # whether it was refused, and nothing more is read of it
    _unread = 0  # bytes since something whole was read: a head, a part of a body
    _deadline: asyncio.TimerHandle | None = None  # for the client to send
    _stalled: asyncio.TimerHandle | None = None  # until it reads

    def connection_made(  # type: ignore[override]  # as in uvicorn
        self, transport: asyncio.Transport
    ) -> None:
        """Wait for a first request, but not for ever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        if self._stalled is not None:
            self._stalled.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as heads and trailers keep to their bound."""
        if self._is_over:
            return
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD:
            self._refuse(431, "header_too_large", "The head of the request is too long")
        elif self._deadline is None and not self._is_busy():
            self._wait()  # most requests are here at once, and need no deadline

    def on_message_begin(self) -> None:
        """Expect the rest."""
        self._arriving = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one that comes behind the body is none, whatever it says."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse, with a 400, what others on the way may read as something else."""
        names = [name for name, _ in self.headers]
        if names.count(b"host") > 1 or (
            b"host" not in names and self.parser.get_http_version() == "1.1"
        ):
            raise ValueError("not one Host")
        for name, value in self.headers:
            if name == b"transfer-encoding" and value.lower() != b"chunked":
                raise ValueError("a coding of the body that is not ours")
        has_body = b"content-length" in names or b"transfer-encoding" in names
        method = self.parser.get_method()
        if method == b"CONNECT" or (has_body and self._is_other_protocol()):
            raise ValueError("the parser would take the body for another protocol's")
        self._in_body = True
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count anew: bodies have a bound of their own."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Count anew: one connection carries many requests."""
        self._in_body = self._arriving = False
        self._unread = 0
        self._stop_waiting()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Wait no more: the client reads."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, "bad_request", msg)

    def _is_other_protocol(self) -> bool:
        return bool(self.parser.should_upgrade()) and not self._should_upgrade()

    def _is_busy(self) -> bool:
        """Whether the next move is ours."""
        cycle = self.cycle
        return not self._arriving and cycle is not None and not cycle.response_complete

    def _watch(self, left: int) -> None:
        """End the connection unless the client reads some of what is left."""

        def look() -> None:
            now = self.transport.get_write_buffer_size()
            if now < left:
                self._watch(now)
            else:
                self.transport.abort()

        self._stalled = self.loop.call_later(_patience(), look)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(_patience(), self._end)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        """End a connection whose client has taken too long."""
        self._deadline = None
        if self._arriving:
            message = "The request took too long to arrive"
            self._refuse(408, "request_timeout", message)
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer instead of the application, once, and end the connection."""
        if self._is_over:
            return
        cycle = self.cycle  # of this request, once its head is here; else of the last
        if not self._in_body and cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # that answer is still owed, and the last
            self.flow.pause_reading()
            return
        request_id = str(uuid.uuid4())
        logger.info(
            "request_refused",
            status=status,
            message=message,
            client=self.client[0] if self.client else None,
            request_id=request_id,
        )
        metrics.http_requests_total.labels("OTHER", UNMATCHED, status).inc()
        if self._in_body and (cycle.response_started or self.pipeline):
            self.transport.close()
            return
        self.transport.write(_answer(status, code, message, request_id))
        self._hang_up()

    def _hang_up(self) -> None:
        """Say no more, and let what the client still sends come to nothing.

        To close at once would reset the connection, and who is still sending could
        lose the answer before reading it (RFC 9112, 9.6).
        """
        self._is_over = True
        self._stop_waiting()
        if self._in_body:  # the application still waits for the rest of it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not self.transport.can_write_eof():  # TLS
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(LINGER, self.transport.abort)


def _patience() -> float:
    return get_settings().client_timeout


def _answer(status: int, code: str, message: str, request_id: str) -> bytes:
    title = HTTPStatus(status).phrase
    body = orjson.dumps(
        {
            "title": title,
            "status": status,
            "error": code,
            "message": message,
            "request_id": request_id,
        }
    )
    headers = {
        "content-type": "application/problem+json",
        "content-length": len(body),
        "x-request-id": request_id,
        "connection": "close",
        **FIXED_HEADERS,
        **DEFAULT_HEADERS,
    }
    lines = [f"HTTP/1.1 {status} {title}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
