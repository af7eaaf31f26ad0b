"""Liveness and readiness checks."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from src.api import http
from src.core.errors import UnavailableError
from src.core.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


class HealthStatus(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"
    service: str


class ReadinessStatus(BaseModel):
    """The process should get requests; optional checks may have failed."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str]


@router.get("/health")
async def get_health(request: Request) -> HealthStatus:
    """Return 200 while the process runs; the database is not checked.

    A short outage of the database must not cause a restart of the process.
    """
    return HealthStatus(service=request.app.state.settings.app_name)


@router.get("/ready", responses=http.problems(503))
async def get_readiness(request: Request) -> ReadinessStatus:
    """Check the database, its schema, and Redis where it is configured.

    A 503 has the results in its member `checks`. The result for Redis does not change
    the status: requests are served without it.
    """
    readiness: Readiness = request.app.state.readiness
    ready, checks = await readiness.check()
    if not ready:
        raise UnavailableError("The service is not ready", checks=checks)
    return ReadinessStatus(checks=checks)
