"""Idempotency keys: statements, routes of one's own, rules of access, and the purge."""

import datetime as dt

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.purge import BATCH, purge
from src.api import http, idempotency
from src.api.dependencies import SessionDep
from src.core import metrics
from src.core.config import Settings
from src.core.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    RateLimitExceededError,
    ReferenceNotFoundError,
    UnavailableError,
)
from src.main import create_app
from src.models.idempotency import idempotency_keys as keys
from src.repositories.idempotency import EXPIRED_AT_ONCE
from tests.answers import json_of, problem
from tests.cases import CASES
from tests.conftest import client_of
from tests.support import Body, Case
from tests.tables import each_case

REPLAYED = "idempotency-replayed"
# One whose rows refer to no others.
CASE = next(
    case
    for case in CASES
    if "create" in case.verbs and not any(one.required for one in case.references)
)
# Errors that are the answer to a key, and those after which the request can be sent again.
STORED = {
    "conflict": ConflictError("thing", ["name"]),
    "missing": NotFoundError("thing"),
    "reference": ReferenceNotFoundError(["thing_id"]),
}
NOT_STORED = {
    "invalid": InvalidError(),
    "changed": PreconditionFailedError(),
    "limited": RateLimitExceededError(1),
    "unavailable": UnavailableError(),
    "http": HTTPException(409, "not one of the service's errors"),
}


def keyed(key: str = "k") -> dict[str, str]:
    """Return the header of a key."""
    return {"Idempotency-Key": key}


async def count(db: AsyncSession) -> int:
    """Return the number of keys that are stored."""
    await db.rollback()
    return await db.scalar(sa.select(sa.func.count()).select_from(keys)) or 0


@each_case
@pytest.mark.needs("create")
async def test_a_key_costs_a_lock_a_lookup_a_savepoint_and_what_stores_it(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    bodies = [await case.factory.request(db_session) for _ in range(2)]

    async def sent(body: Body, headers: dict[str, str]) -> list[str]:
        statements.clear()
        json_of(await client.post(case.url, json=body, headers=headers), 201)
        return [one.split()[0].rstrip(";").upper() for one in statements]

    assert await count(db_session) == 0  # by a connection, whose start takes others
    await db_session.rollback()
    begin, *work, commit = await sent(bodies[0], {})
    assert (begin, work[0], commit) == ("BEGIN", "INSERT", "COMMIT")
    lookup = [begin, "SELECT", "SELECT"]
    store = ["INSERT", "WITH", commit]
    expected = [*lookup, "SAVEPOINT", *work, "RELEASE", *store]
    assert await sent(bodies[1], keyed()) == expected
    # Fields with rules of their own depend on the row.
    has_rules = getattr(case.factory.entity, "__field_access__", {})
    checks = ["SELECT"] if has_rules else []
    assert await sent(bodies[1], keyed()) == [*lookup, *checks, "ROLLBACK"]


async def test_expired_keys_are_removed_a_few_at_a_time_and_by_the_purge(
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    settings: Settings,
) -> None:
    now = dt.datetime.now(dt.UTC)
    hour = dt.timedelta(hours=1)
    row = {"request_hash": b"", "status": 201, "headers": {}, "body": b""}
    expired = 2 * BATCH + 500
    for number in range(expired + 5):
        expires_at = now - hour if number < expired else now + hour
        new = {**row, "id": str(number).encode(), "expires_at": expires_at}
        await db_session.execute(sa.insert(keys).values(new))
    await db_session.commit()
    body = CASE.factory.payload()
    json_of(await client.post(CASE.url, json=body, headers=keyed()), 201)
    assert await count(db_session) == expired + 5 + 1 - EXPIRED_AT_ONCE
    # One that another transaction has locked is left to the next purge.
    first = sa.select(keys.c.id).order_by(keys.c.expires_at, keys.c.id).limit(1)
    held = await db_session.scalar(first)
    locked = sa.select(keys.c.id).where(keys.c.id == held).with_for_update()
    await db_session.execute(locked)
    left = expired - EXPIRED_AT_ONCE
    assert await purge(settings) == {"idempotency keys": left - 1}
    await db_session.rollback()
    assert await purge(settings) == {"idempotency keys": 1}
    assert await count(db_session) == 5 + 1


@pytest.fixture(scope="module")
def own(running_app: FastAPI) -> FastAPI:
    """The service with routes of one's own."""
    app = create_app(running_app.state.settings)
    router = APIRouter(route_class=http.StrictJSONRoute)
    app.state.calls = []

    @router.post("/text", dependencies=idempotency.KEYED)
    async def text(db: SessionDep) -> JSONResponse:
        app.state.calls.append("text")
        return JSONResponse("é", 202, {"Link": "</next>", "Set-Cookie": "a=b"})

    @router.post("/refused", dependencies=idempotency.KEYED)
    async def refused(db: SessionDep, by: str) -> None:
        app.state.calls.append(by)
        raise {**STORED, **NOT_STORED}[by]

    @router.post("/commits", dependencies=idempotency.KEYED)
    async def commits(db: SessionDep) -> None:
        app.state.calls.append("commits")
        await db.execute(sa.text("SELECT 1"))
        await db.commit()

    @router.post("/stream", dependencies=idempotency.KEYED)
    async def stream(db: SessionDep) -> StreamingResponse:
        return StreamingResponse(iter(["a"]))

    @router.post("/without", dependencies=idempotency.KEYED)
    async def without() -> None:
        """Depend on no session itself."""
        app.state.calls.append("without")

    async def set_tenant(db: SessionDep) -> None:
        await db.execute(sa.text("SELECT set_config('app.tenant', 'a', true)"))

    tenants = APIRouter(
        route_class=http.StrictJSONRoute, dependencies=[Depends(set_tenant)]
    )

    @tenants.post("/tenant", dependencies=idempotency.KEYED)
    async def tenant(db: SessionDep) -> str | None:
        app.state.calls.append("tenant")
        statement = sa.text("SELECT current_setting('app.tenant')")
        found: str | None = await db.scalar(statement)
        return found

    other = APIRouter()

    @other.post("/other-class", dependencies=idempotency.KEYED)
    async def of_another_class(db: SessionDep) -> None:
        """Have a route class that notes no response."""

    app.include_router(router, prefix="/own")
    app.include_router(tenants, prefix="/own")
    app.include_router(other, prefix="/own")
    return app


async def test_routes_of_ones_own_can_have_keys(
    app: FastAPI, own: FastAPI, db_session: AsyncSession
) -> None:
    calls = own.state.calls
    calls.clear()
    async with client_of(own, raise_app_exceptions=False) as client:
        for path in ("/own/text", "/own/commits", "/own/without", "/own/tenant"):
            answers = [await client.post(path, headers=keyed()) for _ in range(2)]
            assert answers[0].content == answers[1].content
            assert answers[0].status_code == answers[1].status_code
            assert [REPLAYED in one.headers for one in answers] == [False, True]
            again = answers[1]
            assert again.headers.get("link") == answers[0].headers.get("link")
            assert "set-cookie" not in again.headers
            other = await client.post(f"{path}?a=1", headers=keyed())
            problem(other, 422, "idempotency_key_reused")
        assert answers[0].json() == "a"
        assert calls == ["text", "commits", "without", "tenant"]
        assert await count(db_session) == 4
        for by in (*STORED, *NOT_STORED):
            calls.clear()
            path = f"/own/refused?by={by}"
            answers = [await client.post(path, headers=keyed(by)) for _ in range(2)]
            assert answers[0].status_code == answers[1].status_code >= 400
            assert calls == [by] * (1 if by in STORED else 2)
        stored = await count(db_session)
        for path in ("/own/stream", "/own/other-class"):
            response = await client.post(path, headers=keyed())
            problem(response, 500, "internal_server_error")
            assert (await client.post(path)).status_code == 200
        assert await count(db_session) == stored


async def test_replays_are_counted_and_documented(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    def counted() -> float:
        page, _ = metrics.render()
        lines = page.decode().splitlines()
        name = "idempotency_replays_total "
        return sum(float(line.split()[1]) for line in lines if line.startswith(name))

    body = CASE.factory.payload()
    before = counted()
    for _ in range(3):
        json_of(await client.post(CASE.url, json=body, headers=keyed()), 201)
    assert counted() == before + 2
    responses = app.openapi()["paths"][CASE.url]["post"]["responses"]
    for status in ("201", "409", "422"):
        assert "Idempotency-Replayed" in responses[status]["headers"]
    assert "Retry-After" in responses["409"]["headers"]
    settings = app.state.settings.model_copy(update={"idempotency_required": True})
    for document, required in ((app.openapi(), False), (None, True)):
        document = document or create_app(settings).openapi()
        parameters = document["paths"][CASE.url]["post"]["parameters"]
        (key,) = (one for one in parameters if one["name"] == "idempotency-key")
        assert key["required"] is required
        assert key["schema"] == idempotency.SCHEMA
