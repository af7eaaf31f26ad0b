"""A service as the documentation of its libraries shows it, for comparison.

It runs in a generated project's environment, with the same versions of everything, and
has the same paths. Nothing in it is wrong on purpose.
"""

import datetime as dt
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import nh3
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from sqlalchemy import DateTime, Numeric, String, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.responses import JSONResponse

engine = create_async_engine(os.environ["DATABASE_URL"])
session_maker = async_sessionmaker(engine, expire_on_commit=False)
requests_total = Counter("http_requests", "Requests", ["method", "endpoint", "status"])


class Kind(StrEnum):
    """Kinds of things."""

    SMALL = "small"
    LARGE = "large"


class Base(DeclarativeBase):
    """The tables."""


class ThingRow(Base):
    """One thing."""

    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    note: Mapped[str | None]
    amount: Mapped[int | None]
    ratio: Mapped[float | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    flag: Mapped[bool] = mapped_column(default=False)
    day: Mapped[dt.date | None]
    moment: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    token: Mapped[uuid.UUID | None]
    kind: Mapped[str | None]
    data: Mapped[Any] = mapped_column(JSONB, nullable=True)


class Thing(BaseModel):
    """A thing, as it comes in."""

    name: str
    note: str | None = None
    amount: int | None = None
    ratio: float | None = None
    price: Decimal | None = None
    flag: bool = False
    day: dt.date | None = None
    moment: dt.datetime | None = None
    token: uuid.UUID | None = None
    kind: Kind | None = None
    data: Any = None


class StrictThing(Thing):
    """The same, with what Pydantic's page on strict mode shows."""

    model_config = ConfigDict(strict=True)


class StoredThing(Thing):
    """A thing, as it goes out."""

    model_config = ConfigDict(from_attributes=True)
    id: int


class Changes(BaseModel):
    """What may be changed."""

    name: str | None = None
    note: str | None = None
    amount: int | None = None
    data: Any = None
    flag: bool | None = None
    price: Decimal | None = Field(default=None)


async def get_db() -> AsyncIterator[AsyncSession]:
    """One session a request, committed at its end."""
    async with session_maker() as session:
        yield session
        await session.commit()


Session = Annotated[AsyncSession, Depends(get_db)]
limiter = Limiter(
    key_func=get_remote_address,
    default_limits=[os.environ.get("RATE_LIMIT", "10/minute")],
    storage_uri=os.environ.get("REDIS_URL", "memory://"),
    enabled=os.environ.get("RATE_LIMIT_ENABLED") != "false",
)
router = APIRouter()
limited = limiter.limit("1000/minute") if "REDIS_URL" in os.environ else lambda f: f


@router.post("/things/", status_code=201)
@limited
async def create_thing(request: Request, thing: Thing, db: Session) -> StoredThing:
    """Store a thing."""
    values = thing.model_dump()
    for name in ("name", "note"):
        values[name] = values[name] and nh3.clean(values[name])
    row = ThingRow(**values)
    db.add(row)
    await db.flush()
    return StoredThing.model_validate(row)


@router.post("/parts/", status_code=201)
async def create_strictly(thing: StrictThing) -> StrictThing:
    """Take a thing strictly."""
    return thing


@router.get("/things/")
async def list_things(db: Session, skip: int = 0, limit: int = 20) -> dict[str, Any]:
    """Show a page."""
    rows = await db.scalars(select(ThingRow).offset(skip).limit(limit))
    return {"items": [StoredThing.model_validate(row) for row in rows]}


@router.get("/things/{thing_id}")
async def get_thing(thing_id: int, db: Session) -> StoredThing:
    """Show a thing."""
    row = await db.get(ThingRow, thing_id)
    if row is None:
        raise HTTPException(404, "Not found")
    return StoredThing.model_validate(row)


@router.patch("/things/{thing_id}")
async def update_thing(thing_id: int, changes: Changes, db: Session) -> StoredThing:
    """Change a thing."""
    row = await db.get(ThingRow, thing_id)
    if row is None:
        raise HTTPException(404, "Not found")
    for name, value in changes.model_dump(exclude_none=True).items():
        setattr(row, name, value)
    await db.flush()
    return StoredThing.model_validate(row)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


async def too_many(_: Request, error: Exception) -> Response:
    """Answer in one's own format."""
    body = {"error": "rate_limit_exceeded", "message": str(error), "request_id": ""}
    return JSONResponse(body, status_code=429, media_type="application/problem+json")


app = FastAPI(lifespan=lifespan)
app.state.limiter = limiter
app.add_exception_handler(RateLimitExceeded, too_many)
app.add_middleware(SlowAPIMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=["https://app.test"])


@app.middleware("http")
async def observe(request: Request, call_next: Any) -> Response:
    """Count requests, and set a header that makes browsers careful."""
    response: Response = await call_next(request)
    route = request.scope.get("route")
    endpoint = getattr(route, "path", request.url.path)
    requests_total.labels(request.method, endpoint, response.status_code).inc()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Request-ID"] = request.headers.get("X-Request-ID", "none")
    return response


app.include_router(router, prefix="/api/v1")


@app.get("/health/health")
async def health() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "ok"}


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "ready"}


@app.get("/metrics/metrics")
async def metrics() -> Response:
    """Expose the metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
