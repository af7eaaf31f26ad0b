"""Liveness and readiness checks."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from src.core.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


class HealthStatus(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"
    service: str


class ReadinessStatus(BaseModel):
    """Whether the process should get requests, and what each check found."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


@router.get("/health")
async def get_health(request: Request) -> HealthStatus:
    """Return 200 while the process runs; the database is not checked.

    A short outage of the database must not cause a restart of the process.
    """
    return HealthStatus(service=request.app.state.settings.app_name)


@router.get("/ready", responses={503: {"model": ReadinessStatus}})
async def get_readiness(request: Request, response: Response) -> ReadinessStatus:
    """Check the database, its schema, and Redis where it is configured.

    The result for Redis does not change the status: requests are served without it.
    """
    readiness: Readiness = request.app.state.readiness
    ready, checks = await readiness.check()
    response.status_code = 200 if ready else 503
    return ReadinessStatus(status="ready" if ready else "not_ready", checks=checks)
