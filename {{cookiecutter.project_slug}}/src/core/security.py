"""Security headers and CORS; also the names of sanitizing.py and rate_limit.py."""

from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware as StarletteCORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.config import Settings
from src.core.rate_limit import enforce_rate_limit, limiter
from src.core.sanitizing import RICH_TEXT_TAGS, sanitize_html

__all__ = [
    "DEFAULT_HEADERS",
    "FIXED_HEADERS",
    "RICH_TEXT_TAGS",
    "CORSMiddleware",
    "enforce_rate_limit",
    "limiter",
    "sanitize_html",
    "with_cors",
]

FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Only old browsers read it.
    "X-XSS-Protection": "1; mode=block",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# For responses whose route does not set its own values; they are data, not pages.
DEFAULT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}

# Headers that websites may send besides those of CORS_HEADERS.
REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
    "X-Requested-With",
    # W3C trace context
    "traceparent",
    "tracestate",
    "baggage",
)


class CORSMiddleware(StarletteCORSMiddleware):
    """Starlette's, but it handles a rejected preflight as a normal OPTIONS request.

    Starlette responds with an error text; without CORS headers the browser blocks the
    request as well.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                response = self.preflight_response(headers)
                if response.status_code != 200:
                    return await self.simple_response(scope, receive, send, headers)
                return await response(scope, receive, send)
        await super().__call__(scope, receive, send)


def cors_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments of CORSMiddleware: only configured origins are allowed."""
    return {
        "allow_origins": settings.cors_origins,
        "allow_origin_regex": settings.cors_origin_regex,
        "allow_credentials": settings.cors_allow_credentials,
        "allow_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
        "allow_headers": (*REQUEST_HEADERS, *settings.cors_headers),
        "expose_headers": (
            "ETag",
            "Idempotency-Replayed",
            "Link",
            "Location",
            "Retry-After",
            "X-Request-ID",
            "X-Total-Count",
        ),
        "max_age": 600,
    }


def with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return the application with CORS headers, if a website may call it at all."""
    if settings.cors_origins or settings.cors_origin_regex:
        return CORSMiddleware(app, **cors_options(settings))
    return app
