"""The middleware, as pure ASGI classes, in the order of src/main.py."""

import asyncio
import random
import re
import time
import uuid
from collections.abc import Mapping

from fastapi import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from src.core import metrics
from src.core.errors import (
    PayloadTooLargeError,
    UnavailableError,
    problem_response,
)
from src.core.logging import get_logger
from src.core.routing import allow, route_path, route_table, route_template

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_DIGITS = 15  # of a Content-Length; more digits are too large in any case
CLIENT_LEFT = 499  # as in nginx's log: the client disconnected before the response

logger = get_logger()


class RequestIDMiddleware:
    """Sets the request's id: the client's if it is valid, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id = sane_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id),
                ]
            await send(message)

        bound = bind_contextvars(request_id=request_id.decode())
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            reset_contextvars(**bound)


class MetricsMiddleware:
    """Measures each request, for Prometheus and for its log line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = CLIENT_LEFT
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        metrics.http_requests_in_progress.inc()
        try:
            await self.app(scope, receive, send_and_note)
        except Exception:  # the 500 is sent outside of all middleware
            status = 500
            raise
        finally:
            metrics.http_requests_in_progress.dec()
            _note(scope, status, time.perf_counter() - started)


def _note(scope: Scope, status: int, duration: float) -> None:
    method = method_label(scope)
    route = route_template(scope)
    metrics.observe(method, route, status, duration)
    client = scope.get("client")
    logger.info(
        "request",
        method=method,
        route=route,
        status=status,
        duration=round(duration, 6),
        client=client[0] if client else None,
    )


class SecurityHeadersMiddleware:
    """Adds security headers; a route can set its own values for the defaults."""

    def __init__(
        self,
        app: ASGIApp,
        fixed: Mapping[str, str],
        defaults: Mapping[str, str],
    ) -> None:
        self.app = app
        self.fixed = encode_headers(fixed)
        self.defaults = encode_headers(defaults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                own = {name for name, _ in headers}
                missing = (pair for pair in self.defaults if pair[0] not in own)
                message["headers"] = [*headers, *self.fixed, *missing]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimitMiddleware:
    """Rejects a body that is too large, by its declared or its actual length."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        length = _header(scope, b"content-length")
        if length is None or not length.isdigit():
            return await self.app(scope, self._counting(receive), send)
        if len(length) > MAX_DIGITS or int(length) > self.limit:
            refusal = problem_response(PayloadTooLargeError(self.limit), _id(scope))
            return await refusal(scope, receive, send)
        await self.app(scope, receive, send)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                # While it reads a body, FastAPI only lets an HTTPException through.
                error = PayloadTooLargeError(self.limit)
                detail = {"message": error.message, **error.extensions}
                raise HTTPException(error.status, detail)
            return message

        return receive_and_count


class CancellationMiddleware:
    """Sends a 503 for a request that the server cancels because it is stopping."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        answering = False

        async def send_and_note(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:  # uvicorn would log it as an error
            logger.warning("request_cancelled", path=scope["path"])
            if answering:
                raise
            stopping = UnavailableError("The service is shutting down")
            await problem_response(stopping, _id(scope))(scope, receive, send)


class PathMiddleware:
    """Handles paths with and without a trailing slash, HEAD as GET, and OPTIONS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        table = route_table(scope["app"])
        path = table.canonical(route_path(scope))
        scope["path"] = scope.get("root_path", "") + path
        # No route matches with one more slash. The $ of a pattern ignores a line end, and
        # an encoded slash is a part of an id, not the end of it.
        has_encoded_slash = b"%2f" in (scope.get("raw_path") or b"").lower()
        if path.endswith("\n") or (has_encoded_slash and table.divides(path)):
            path += "/"
            scope["path"] += "/"
        if scope["method"] == "HEAD":
            return await self._head(scope, receive, send)
        if scope["method"] == "OPTIONS":
            places = route_table(scope["app"], complete=True).at(path)
            if places:
                scope["endpoint"] = places[0].endpoint
                answer = Response(status_code=204, headers={"Allow": allow(places)})
                return await answer(scope, receive, send)
        await self.app(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_get = {**scope, "method": "GET"}

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(as_get, receive, send_without_body)
        finally:
            scope["endpoint"] = as_get.get("endpoint")


def method_label(scope: Scope) -> str:
    """Return the method for metrics and logs; unknown methods are all OTHER."""
    return scope["method"] if scope["method"] in METHODS else "OTHER"


def sane_id(scope: Scope) -> bytes:
    """Return the client's id for its request if it is valid, else a new one."""
    sent = _header(scope, b"x-request-id")
    sane = sent is not None and REQUEST_ID.fullmatch(sent)
    if sane and sent:
        return sent
    # It need not be secret, so it needs no system call, as `uuid4` makes.
    bits = random.getrandbits(128)  # nosec B311
    return str(uuid.UUID(int=bits, version=4)).encode()


def _id(scope: Scope) -> str:
    return str(scope["state"]["request_id"])


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
