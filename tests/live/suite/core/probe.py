"""A small application with a route for each case that middleware has to handle."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.routing import Mount
from starlette.types import Scope

from src.api.error_handlers import register_error_handlers
from src.core.config import Settings
from src.core.middleware import (
    BodyLimitMiddleware,
    CancellationMiddleware,
    MetricsMiddleware,
    PathMiddleware,
    RequestIDMiddleware,
)
from src.core.rate_limit_store import RateLimitStore

SETTINGS = Settings(
    database_url="postgresql+asyncpg://app@localhost/app",  # is not connected to
    environment="test",
    cors_origins=["https://app.test"],
)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

LAYERS = (
    Middleware(RequestIDMiddleware),
    Middleware(MetricsMiddleware),
    Middleware(BodyLimitMiddleware, limit=10),
    Middleware(CancellationMiddleware),
    Middleware(PathMiddleware),
)


async def echo(request: Request) -> dict[str, Any]:
    """Return what the middlewares have set."""
    logged = structlog.contextvars.get_contextvars().get("request_id")
    return {"state": request.state.request_id, "logged": logged}


async def read(request: Request) -> dict[str, int]:
    """Read the body as a stream, as FastAPI would."""
    return {"size": len(await request.body())}


async def fail() -> None:
    """Raise an exception that nothing handles."""
    raise RuntimeError("secret")


async def leave() -> None:
    """Notice that the client has disconnected."""
    raise ClientDisconnect


async def cancelled() -> None:
    """Be cancelled, as by a server that stops."""
    raise asyncio.CancelledError


async def fail_late() -> Response:
    """Raise an exception after the answer has begun."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("secret")

    return StreamingResponse(parts())


def application(*layers: Middleware) -> FastAPI:
    app = FastAPI(middleware=layers, redirect_slashes=False, openapi_url=None)
    app.state.settings = SETTINGS
    app.state.rate_limit_store = RateLimitStore(SETTINGS)
    register_error_handlers(app)
    things = APIRouter(prefix="/things")
    things.add_api_route("/{name}", echo, methods=["GET"])
    things.add_api_route("/{name}", read, methods=["PUT"])
    version = APIRouter(prefix="/v1")
    version.include_router(things)
    app.include_router(version)
    app.add_api_route("/", echo, methods=["GET"])
    app.add_api_route("/slashed/", echo, methods=["GET"])
    app.add_api_route("/fail", fail, methods=["GET"])
    app.add_api_route("/fail-late", fail_late, methods=["GET"])
    app.add_api_route("/cancelled", cancelled, methods=["GET"])
    app.add_api_route("/leave", leave, methods=["GET"])
    app.add_api_route("/body", read, methods=["POST"])
    app.add_api_websocket_route("/socket", fail)
    app.router.routes.append(Mount("/mounted", Starlette()))
    return app


def client_of(*layers: Middleware) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(application(*layers), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


def http(path: str, *headers: tuple[bytes, bytes]) -> Scope:
    """Return the scope of a request, for a middleware alone."""
    state = {"request_id": "1"}
    return {"type": "http", "path": path, "headers": headers, "state": state}


def count_of(method: str, endpoint: str, status: int) -> float:
    """Return how often Prometheus has seen such a request."""
    labels = {"method": method, "endpoint": endpoint, "status": str(status)}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0
