"""The application: what it is made of, and in which order."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from src.api._direct import direct_route
from src.api.openapi import operation_id, read_openapi
from src.api.routes import ROUTERS, docs, health, metrics
from src.core.config import Settings, get_settings
from src.core.database import (
    STATEMENT_TIMEOUT,
    TIMEOUT,
    Base,
    async_session_maker,
    create_engine,
)
from src.core.dispatch import dispatch_by_prefix
from src.core.errors import register_error_handlers
from src.core.logging import get_logger, setup_logging
from src.core.metrics import register, shared_with_workers
from src.core.middleware import (
    BodyLimitMiddleware,
    MetricsMiddleware,
    PathMiddleware,
    RequestIDMiddleware,
    SecurityHeadersMiddleware,
    UnhandledErrorMiddleware,
)
from src.core.overload import OverloadMiddleware, Refusal
from src.core.rate_limit import Budgets, enforce_rate_limit
from src.core.readiness import Readiness
from src.core.routing import handle_method_not_allowed, route_table
from src.core.security import (
    DEFAULT_HEADERS,
    FIXED_HEADERS,
    CORSMiddleware,
    cors_options,
)
from src.core.shutdown import draining

logger = get_logger()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Put the service together; nothing is opened before it starts."""
    settings = settings or get_settings()
    setup_logging(settings)
    app = FastAPI(
        title=settings.app_name,
        version=settings.version,
        description=settings.description,
        lifespan=lifespan,
        middleware=_middleware(settings),
        dependencies=[Depends(enforce_rate_limit)],
        generate_unique_id_function=operation_id,
        redirect_slashes=False,  # PathMiddleware answers both forms
        openapi_url=None,  # the docs routes serve it, made once
    )
    # The way that FastAPI's documentation shows to replace the document.
    app.openapi = lambda: read_openapi(app)  # type: ignore[method-assign]
    app.state.settings = settings
    app.state.budgets = Budgets(settings)
    app.state.readiness = Readiness(settings, app.state.budgets)
    register_error_handlers(app)
    app.add_exception_handler(405, handle_method_not_allowed)
    for router in (health.router, metrics.router, *ROUTERS):
        app.include_router(router)
    if settings.docs:
        app.include_router(docs.router)
    dispatch_by_prefix(app, direct_route)
    _register_entities()
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """What surrounds the routes, outermost first."""
    cors = Middleware(CORSMiddleware, **cors_options(settings))
    refusal: ASGIApp = Refusal({**FIXED_HEADERS, **DEFAULT_HEADERS})
    if settings.cors_origins:
        refusal = CORSMiddleware(refusal, **cors_options(settings))
    return [
        # Before a request costs more than its refusal.
        Middleware(
            OverloadMiddleware,
            limit=settings.max_requests_in_progress,
            spared=("/health/", "/metrics/"),
            refusal=refusal,
        ),
        # Everything below logs with the request's id, and answers with it.
        Middleware(RequestIDMiddleware),
        # Sees the final status, whichever layer below it answers.
        Middleware(MetricsMiddleware),
        # On every answer: 413s and 500s too.
        Middleware(SecurityHeadersMiddleware, FIXED_HEADERS, DEFAULT_HEADERS),
        # Outside of what can fail, so that browsers may read errors.
        *([cors] if settings.cors_origins else []),
        # Before anything reads a body.
        Middleware(BodyLimitMiddleware, limit=settings.max_body_size),
        # A bug in what follows becomes a 500 that has all of the above.
        Middleware(UnhandledErrorMiddleware),
        # Next to the router, whose view of paths and methods it completes.
        Middleware(PathMiddleware),
    ]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what requests need, and close it after the last of them.

    Nothing here waits for the database: the service starts without it, says so in
    /health/ready, and serves as soon as it is there.
    """
    settings: Settings = app.state.settings
    engine = create_engine(settings)
    info = {
        TIMEOUT: settings.transaction_timeout,
        STATEMENT_TIMEOUT: settings.statement_timeout,
    }
    async_session_maker.configure(bind=engine, info=info)
    app.state.engine = engine
    route_table(app)
    if settings.docs:
        docs.openapi_json(app)
    async with shared_with_workers(engine):
        settle_garbage()
        with draining(app.state.readiness.drain, settings.shutdown_delay):
            logger.info("service_started", version=settings.version)
            yield
    await app.state.budgets.close()
    # A server that hangs must not keep the process from ending.
    with suppress(TimeoutError):
        async with asyncio.timeout(settings.connect_timeout):
            await engine.dispose()
    logger.info("service_stopped")


def settle_garbage() -> None:
    """Leave what is there for good out of garbage collections.

    What a service holds at its start is most of what it ever holds, and looking through
    it again and again takes time from requests. Once more for this is not worth it
    either: of what is old by now, nothing is garbage.
    """
    gc.collect(1)
    gc.freeze()


def _register_entities() -> None:
    """Show every entity's counters from the start."""
    mappers = Base.registry.mappers
    register(table.name for mapper in mappers for table in mapper.tables)


def __getattr__(name: str) -> Any:
    """Make `app` when `uvicorn src.main:app` asks for it: importing does nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = create_app()
    return globals()["app"]
