"""Idempotency-Key: a POST that is sent again is done once, for every entity."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from src.models.idempotency import idempotency_keys
from tests.answers import json_of, problem
from tests.support import Body, Case
from tests.tables import each_case

REPLAYED = "idempotency-replayed"
SHOWN = ("content-type", "etag", "location", "cache-control")
MALFORMED = ("a" * 256, "a b", "", "caf\xe9")
REUSED = "idempotency_key_reused"
AT_ONCE = 5


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def required(app: FastAPI) -> Iterator[None]:
    """IDEMPOTENCY_REQUIRED=true."""
    settings = app.state.settings
    app.state.settings = settings.model_copy(update={"idempotency_required": True})
    yield
    app.state.settings = settings


async def post(
    client: httpx2.AsyncClient, case: Case, body: Body, key: str
) -> httpx2.Response:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    return await client.post(case.url, json=body, headers=headers)


async def rows(case: Case, db: AsyncSession) -> int:
    """Return the number of committed rows."""
    await db.rollback()
    return await case.repository(db).count()


@each_case
@pytest.mark.needs("create")
async def test_a_create_that_is_sent_again_is_done_once(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    before = await rows(case, db_session)
    created = await post(client, case, body, key)
    json_of(created, 201)
    assert REPLAYED not in created.headers
    for _ in range(2):
        again = await post(client, case, body, key)
        assert (again.status_code, again.content) == (201, created.content)
        assert again.headers[REPLAYED] == "true"
        for name in SHOWN:
            assert again.headers.get(name) == created.headers.get(name)
        assert again.headers["x-request-id"] != created.headers["x-request-id"]
    problem(await post(client, case, {**body, "more": 1}, key), 422, REUSED)
    assert await rows(case, db_session) == before + 1
    other = await post(client, case, body, f"{key}-other")
    assert REPLAYED not in other.headers


@each_case
@pytest.mark.needs("create")
async def test_requests_at_the_same_time_make_one_row(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    before = await rows(case, db_session)
    sent = (post(client, case, body, key) for _ in range(AT_ONCE))
    responses = await asyncio.gather(*sent)
    bodies = Counter(one.content for one in responses if one.status_code == 201)
    assert len(bodies) == 1
    for refused in (one for one in responses if one.status_code != 201):
        problem(refused, 409, "idempotency_key_in_use")
        assert refused.headers["retry-after"] == "1"
    again = await post(client, case, body, key)
    assert {again.content} == bodies.keys()
    assert await rows(case, db_session) == before + 1


@each_case
@pytest.mark.needs("create", "delete")
async def test_a_conflict_is_answered_again_even_when_it_is_over(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    json_of(await client.post(case.url, json=body), 201)
    conflict = await post(client, case, body, key)
    if conflict.status_code == 201:
        pytest.skip(f"two {case.plural} may be equal")
    problem(conflict, 409, "conflict")
    await db_session.execute(sa.delete(case.factory.entity))
    await db_session.commit()
    again = await post(client, case, body, key)
    assert (again.status_code, again.content) == (409, conflict.content)
    assert again.headers[REPLAYED] == "true"
    json_of(await post(client, case, body, f"{key}-other"), 201)


@each_case
@pytest.mark.needs("create")
async def test_an_invalid_request_leaves_its_key_to_a_valid_one(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    invalid = {**body, "no_field": None}
    problem(await post(client, case, invalid, key), 422, "validation_error")
    created = await post(client, case, body, key)
    json_of(created, 201)
    assert REPLAYED not in created.headers
    for malformed in MALFORMED:
        response = await post(client, case, body, malformed)
        problem(response, 400, "bad_request")
    twice = [("Idempotency-Key", key), ("Idempotency-Key", key)]
    response = await client.post(case.url, json=body, headers=twice)
    problem(response, 400, "bad_request")


@each_case
@pytest.mark.needs("create")
async def test_an_expired_key_counts_as_absent_and_is_removed(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    json_of(await post(client, case, body, key), 201)
    stored = sa.select(sa.func.count()).select_from(idempotency_keys)
    expire = sa.update(idempotency_keys).values(expires_at=sa.func.now())
    await db_session.execute(expire)
    await db_session.commit()
    again = await post(client, case, body, key)
    assert REPLAYED not in again.headers
    assert await db_session.scalar(stored) == 1
    await db_session.execute(expire)
    await db_session.commit()
    await post(client, case, body, f"{key}-other")
    assert await db_session.scalar(stored) == 1


@each_case
@pytest.mark.needs("create")
@pytest.mark.usefixtures("required")
async def test_a_key_can_be_required(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    response = await client.post(case.url, json=body)
    problem(response, 400, "idempotency_key_required")
    json_of(await post(client, case, body, key), 201)
