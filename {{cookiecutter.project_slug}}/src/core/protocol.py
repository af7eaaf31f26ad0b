"""HTTP/1.1 as uvicorn speaks it, with a bound on what comes before a body.

httptools keeps what it reads of a header until the header ends. Without a bound, one
client whose header does not end keeps the process from everything else.
"""

import uuid
from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 65_536  # bytes of a request line with its headers, as they arrive


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses a head that is too long, and what is no HTTP, in the service's format."""

    _head: int | None = 0  # its bytes so far; None in a body

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the head keeps to its bound."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MAX_HEAD:
            message = "Request header fields too large."
            self.logger.warning(message)
            self._refuse(431, "header_too_large", message)

    def on_headers_complete(self) -> None:
        """Count no further: bodies have a bound of their own."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Count anew: one connection carries many requests."""
        self._head = 0
        super().on_message_complete()

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
