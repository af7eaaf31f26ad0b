"""The application: its middleware, error handlers and routers, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from src.api.endpoint_plans import plan_endpoints
from src.api.error_handlers import register_error_handlers
from src.api.openapi import build_openapi, operation_id
from src.api.routes import ROUTERS, docs, health, metrics
from src.core.config import Settings, get_settings
from src.core.database import Base, bind_sessions
from src.core.dispatch import dispatch_by_prefix
from src.core.engines import Engines
from src.core.garbage import freeze_garbage
from src.core.logging import get_logger, setup_logging
from src.core.metrics import register, shared_with_workers
from src.core.middleware import (
    BodyLimitMiddleware,
    CancellationMiddleware,
    MetricsMiddleware,
    PathMiddleware,
    RequestIDMiddleware,
    SecurityHeadersMiddleware,
)
from src.core.overload import OverloadMiddleware, Refusal
from src.core.rate_limit import enforce_rate_limit
from src.core.rate_limit_store import RateLimitStore
from src.core.readiness import Readiness
from src.core.routing import route_table
from src.core.security import DEFAULT_HEADERS, FIXED_HEADERS, with_cors
from src.core.shutdown import draining
from src.models.base import plural_of

logger = get_logger()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application; connections are opened when it starts."""
    settings = settings or get_settings()
    setup_logging(
        settings.log_level, json_logs=settings.json_logs, log_sql=settings.debug
    )
    app = FastAPI(
        title=settings.app_name,
        version=settings.version,
        description=settings.description,
        lifespan=lifespan,
        middleware=_middleware(settings),
        dependencies=[Depends(enforce_rate_limit)],
        generate_unique_id_function=operation_id,
        redirect_slashes=False,  # PathMiddleware accepts both forms
        openapi_url=None,  # src/api/routes/docs.py serves it
    )
    app.openapi = partial(build_openapi, app)  # type: ignore[method-assign]
    app.state.settings = settings
    app.state.engines = Engines(settings)
    app.state.rate_limit_store = RateLimitStore(settings)
    app.state.readiness = Readiness(
        settings, app.state.engines, app.state.rate_limit_store
    )
    register_error_handlers(app)
    for router in (health.router, metrics.router, *ROUTERS):
        app.include_router(router)
    if settings.docs:
        app.include_router(docs.router)
    dispatch_by_prefix(app)
    if settings.endpoint_plans:
        plan_endpoints(app)
    _register_entities()
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """Return the middleware, outermost first."""
    return [
        # First, so that a rejected request costs as little as possible.
        Middleware(
            OverloadMiddleware,
            limit=settings.max_requests_in_progress,
            spared=("/health/", "/metrics/"),
            refusal=with_cors(Refusal(FIXED_HEADERS | DEFAULT_HEADERS), settings),
        ),
        # Sets the request id of the log lines and of the response.
        Middleware(RequestIDMiddleware),
        # Sees the final status, whichever layer below it responds.
        Middleware(MetricsMiddleware),
        # Applies to every response, errors included.
        Middleware(SecurityHeadersMiddleware, FIXED_HEADERS, DEFAULT_HEADERS),
        # Outside of the layers that can fail, so that browsers can read errors.
        Middleware(with_cors, settings=settings),
        # Before anything reads a body.
        Middleware(BodyLimitMiddleware, limit=settings.max_body_size),
        # Responds to requests that a stopping server cancels.
        Middleware(CancellationMiddleware),
        # Next to the router: trailing slashes, HEAD and OPTIONS.
        Middleware(PathMiddleware),
    ]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Set up what requests need, and close it after the last request.

    This does not wait for the database: the service starts without it, reports that in
    /health/ready, and serves requests as soon as the database responds.
    """
    settings: Settings = app.state.settings
    engines: Engines = app.state.engines
    engines.loop = asyncio.get_running_loop()
    bind_sessions(
        engines,
        transaction_timeout=settings.transaction_timeout,
        max_total=settings.max_total,
    )
    route_table(app)
    async with shared_with_workers(engines.items()):
        freeze_garbage()
        with draining(app.state.readiness.drain, settings.shutdown_delay):
            logger.info("service_started", version=settings.version)
            if settings.environment == "development":
                limits = "on" if settings.limits_rates else "off"
                cors = "loopback origins allowed"
                logger.info("development_defaults", rate_limits=limits, cors=cors)
            yield
    await app.state.rate_limit_store.close()
    # A database that hangs must not keep the process from ending.
    with suppress(TimeoutError):
        async with asyncio.timeout(settings.connect_timeout):
            await engines.dispose()
    logger.info("service_stopped")


def _register_entities() -> None:
    """Register the counters of every entity, so that they are exposed as zero."""
    register(plural_of(mapper.class_) for mapper in Base.registry.mappers)


def __getattr__(name: str) -> Any:
    """Create `app` when it is first used: importing this module has no effects."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = create_app()
    return globals()["app"]


def __dir__() -> list[str]:
    """Include `app` in the names, where `fastapi run src/main.py` looks for it."""
    return sorted({*globals(), "app"})
