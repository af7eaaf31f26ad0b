"""Rejects requests when too many are in progress."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core import metrics
from src.core.errors import UnavailableError, problem_response
from src.core.logging import get_logger
from src.core.middleware import encode_headers, method_label, sane_id
from src.core.routing import UNMATCHED, route_path

BODY_HEADERS = {b"content-length", b"transfer-encoding"}
REPORT_INTERVAL = 1.0  # seconds between log lines about rejected requests

logger = get_logger()


class OverloadMiddleware:
    """Rejects requests at once while `limit` requests are in progress.

    So the requests in progress stay fast, and load balancers can use other instances. A
    request counts once its body has arrived, so that slow clients do not block others.
    Paths that start with one of `spared` are never rejected: health checks and metrics.

    It is outside of all other middleware, which takes longer than a rejection: otherwise
    an overload would use up the CPU for rejections.
    """

    def __init__(
        self, app: ASGIApp, limit: int, spared: Sequence[str], refusal: ASGIApp
    ) -> None:
        self.app = app
        self.limit = limit
        self.spared = tuple(spared)
        self.refusal = refusal
        self.in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or route_path(scope).startswith(self.spared):
            return await self.app(scope, receive, send)
        if self.in_progress >= self.limit:
            return await self.refusal(scope, receive, send)
        has_body = any(name in BODY_HEADERS for name, _ in scope["headers"])
        counted = 0 if has_body else 1
        self.in_progress += counted

        async def receive_and_count() -> Message:
            nonlocal counted
            message = await receive()
            if not (counted or message.get("more_body")):
                counted = 1
                self.in_progress += 1
            return message

        try:
            await self.app(scope, receive_and_count if has_body else receive, send)
        finally:
            self.in_progress -= counted


class Refusal:
    """The response to a rejected request: a 503 with a request id and these headers.

    Rejected requests are logged and counted in sum, once a second. To do it for each, and
    to look for its route, would take as long as the rejection.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        error = UnavailableError("Too many requests are in progress")
        answer = problem_response(error, "")
        self.status = answer.status_code
        # The request id is the last member, and needs no escaping.
        self.body, self.end = bytes(answer.body[:-2]), bytes(answer.body[-2:])
        own = [pair for pair in answer.raw_headers if pair[0] != b"content-length"]
        self.headers = [*own, *encode_headers(headers)]
        self.refused: Counter[str] = Counter()  # by method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = sane_id(scope)
        body = self.body + request_id + self.end
        headers = [
            *self.headers,
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id),
        ]
        if not self.refused:
            asyncio.get_running_loop().call_later(REPORT_INTERVAL, self._report)
        self.refused[method_label(scope)] += 1  # even if the client has disconnected
        start = {"status": self.status, "headers": headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body})

    def _report(self) -> None:
        """Log and count the requests that were rejected since the last report."""
        for method, count in self.refused.items():
            labels = (method, UNMATCHED, self.status)
            metrics.http_requests_total.labels(*labels).inc(count)
        logger.warning("requests_refused", count=self.refused.total())
        self.refused.clear()
