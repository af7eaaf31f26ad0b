"""HTTP/1.1 as uvicorn speaks it, with bounds on how a request arrives.

httptools keeps what it reads of a header until the header ends: without a bound, one
client whose header does not end keeps the process from everything else. And uvicorn
waits for ever for the rest of a request: each that never comes would cost a socket.
"""

import asyncio
import uuid
from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from src.core.config import get_settings

MAX_HEAD = 65_536  # bytes of a request line with its headers, as they arrive


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses, in the service's format, a head that is too long, a request that does
    not arrive within `receive_timeout`, and what is no HTTP."""

    _head: int | None = 0  # its bytes so far; None in a body
    _arriving = False  # whether a part of a request is here
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as in uvicorn
        self, transport: asyncio.Transport
    ) -> None:
        """Wait for a first request, but not for ever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the head keeps to its bound."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MAX_HEAD:
            message = "Request header fields too large."
            self.logger.warning(message)
            self._refuse(431, "header_too_large", message)
        elif self._arriving and self._deadline is None:  # most are here at once
            self._wait()

    def on_message_begin(self) -> None:
        """Expect the rest."""
        self._arriving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count no further: bodies have a bound of their own."""
        codings = [
            v.lower() for name, v in self.headers if name == b"transfer-encoding"
        ]
        if codings not in ([], [b"chunked"]):
            raise ValueError("a coding of the body that is not ours")  # a 400
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Count anew: one connection carries many requests."""
        self._head = 0
        self._arriving = False
        self._stop_waiting()
        super().on_message_complete()

    def _wait(self) -> None:
        seconds = get_settings().receive_timeout
        self._deadline = self.loop.call_later(seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        """End a connection that has taken too long."""
        self._deadline = None
        if not self._arriving:
            return self.transport.close()
        cycle = self.cycle  # of this request, once its head is here; else of the last
        if self._head is None:
            may_answer = not (cycle.response_started or self.pipeline)
        else:
            may_answer = cycle is None or cycle.response_complete
        if may_answer:
            message = "The request took too long to arrive."
            self.logger.info(message)  # on a slow network, no more than that
            self._refuse(408, "request_timeout", message)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, "bad_request", msg)

    def _refuse(self, status: int, code: str, message: str) -> None:
        request_id = str(uuid.uuid4())
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
        head = (
            f"HTTP/1.1 {status} {title}\r\n"
            "content-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
