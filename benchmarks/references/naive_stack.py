"""L3: L2 with the features of a production service, as they are often added.

Three BaseHTTPMiddleware classes, SlowAPIMiddleware, CORS, structlog through the
standard library's logging, and a ping of every connection.
"""

import logging
import os
import sys
import time
import uuid

import structlog
from fastapi import Request, Response
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import Counter, Histogram
from slowapi import Limiter
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from benchmarks.references.fastapi_orm import app, session_maker

engine = create_async_engine(os.environ["DATABASE_URL"], pool_pre_ping=True)
session_maker.configure(bind=engine)

COMMON = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
]
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
}

structlog.configure(
    processors=[*COMMON, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=COMMON,
    )
)
logging.basicConfig(handlers=[handler], level=logging.INFO)
logger = structlog.get_logger("access")

requests_total = Counter(
    "http_requests_total", "Requests", ["method", "path", "status"]
)
seconds = Histogram("http_request_duration_seconds", "Duration", ["method", "path"])


class RequestIDMiddleware(BaseHTTPMiddleware):
    """Binds the request's id and logs the request."""

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        request_id = request.headers.get("X-Request-ID", str(uuid.uuid4()))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = await call_next(request)
        logger.info(
            "request",
            method=request.method,
            path=request.url.path,
            status=response.status_code,
            duration=time.perf_counter() - started,
            client=request.client.host if request.client else None,
        )
        response.headers["X-Request-ID"] = request_id
        return response


class MetricsMiddleware(BaseHTTPMiddleware):
    """Counts requests and their time."""

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        path = getattr(request.scope.get("route"), "path", "unmatched")
        requests_total.labels(request.method, path, response.status_code).inc()
        seconds.labels(request.method, path).observe(time.perf_counter() - started)
        return response


class SecurityHeadersMiddleware(BaseHTTPMiddleware):
    """Adds security headers."""

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response


app.state.limiter = Limiter(get_remote_address, default_limits=["1000000000/minute"])
app.add_middleware(SlowAPIMiddleware)
app.add_middleware(SecurityHeadersMiddleware)
app.add_middleware(MetricsMiddleware)
app.add_middleware(RequestIDMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=["https://app.example.com"])
