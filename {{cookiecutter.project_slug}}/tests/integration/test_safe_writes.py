"""Writes that do not overwrite each other and can be repeated, for every entity.

They have the headers If-Match, If-None-Match and Idempotency-Key.
"""

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
from tests.answers import json_of, problem, stored
from tests.support import VERBS, Body, Case
from tests.tables import each_case, each_with_unique_keys

OTHER = '"7-0123456789abcdef"'
MALFORMED_TAGS = ("", ",", "1", '"1', '"a" "b"', 'w/"a"', "**")
WRITES = ("replace", "update", "delete")
REPLAYED = "idempotency-replayed"
SHOWN = ("content-type", "etag", "location", "cache-control")
MALFORMED_KEYS = ("a" * 256, "a b", "", "caf\xe9")
REUSED = "idempotency_key_reused"
AT_ONCE = 5


async def writes(case: Case, db: AsyncSession) -> list[tuple[str, Body | None]]:
    """Return the method and a valid body of each verb that changes a row."""
    body = await case.factory.request(db)
    sent = {"replace": case.replacement(body), "update": case.changes(body)}
    return [(VERBS[v][0], sent.get(v)) for v in WRITES if v in case.verbs]


async def send(
    client: httpx2.AsyncClient, method: str, url: str, body: Body | None, tag: str
) -> httpx2.Response:
    """Send a change of the row that has this entity tag."""
    headers = {"If-Match": tag}
    return await client.request(method, url, json=body, headers=headers)


@each_case
@pytest.mark.needs("get")
async def test_the_answer_to_a_write_has_the_tag_of_the_next_get(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    first = await client.get(url)
    tags, shown = [first.headers["etag"]], {first.text}
    for method, body in await writes(case, db_session):
        if method != "DELETE":
            response = await send(client, method, url, body, tags[-1])
            json_of(response, 200)
            found = await client.get(url)
            assert found.headers["etag"] == response.headers["etag"]
            assert found.headers["cache-control"] == "private, no-cache"
            assert "Authorization" in found.headers["vary"]
            tags.append(found.headers["etag"])
            shown.add(found.text)
    assert len(set(tags)) >= len(shown)


@each_case
@pytest.mark.needs("create", "get")
async def test_a_new_row_has_a_tag(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    created = await client.post(case.url, json=await case.factory.request(db_session))
    found = await client.get(f"{case.url}/{case.id_of(json_of(created, 201))}")
    assert found.headers["etag"] == created.headers["etag"]


@each_case
@pytest.mark.needs("get")
async def test_what_the_sender_has_is_not_sent_again(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    tag = (await client.get(url)).headers["etag"]
    for known in (tag, f"W/{tag}", f"{OTHER}, {tag}", "*"):
        response = await client.get(url, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
    lines = [("If-None-Match", OTHER), ("If-None-Match", tag)]
    assert (await client.get(url, headers=lines)).status_code == 304
    for unknown in (OTHER, f'{tag[:-1]}0"'):
        response = await client.get(url, headers={"If-None-Match": unknown})
        json_of(response, 200)


@each_case
async def test_a_write_of_another_version_is_refused(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    url, before = f"{case.url}/{row.id}", case.answer(row)
    for method, body in await writes(case, db_session):
        for tag in (OTHER, '"1"', f"W/{OTHER.replace('7', '1')}", '""'):
            response = await send(client, method, url, body, tag)
            problem(response, 412, "precondition_failed")
        for tag in MALFORMED_TAGS:
            problem(await send(client, method, url, body, tag), 400, "bad_request")
    db_session.expunge_all()
    assert case.answer(await case.repository(db_session).get(row.id)) == before
    for method, body in await writes(case, db_session):
        unknown = f"{case.url}/{case.factory.unknown_id()}"
        response = await send(client, method, unknown, body, OTHER)
        problem(response, 404, "resource_not_found")
    for method, body in await writes(case, db_session):
        response = await send(client, method, url, body, "*")
        assert response.status_code in (200, 204)


@each_case
async def test_a_version_can_be_required(
    case: Case, app: FastAPI, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    unknown = f"{case.url}/{case.factory.unknown_id()}"
    settings = app.state.settings
    app.state.settings = settings.model_copy(update={"require_if_match": True})
    try:
        for method, body in await writes(case, db_session):
            response = await client.request(method, url, json=body)
            problem(response, 428, "precondition_required")
            response = await client.request(method, unknown, json=body)
            problem(response, 404, "resource_not_found")
    finally:
        app.state.settings = settings


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


@each_with_unique_keys
@pytest.mark.needs("create", "delete")
async def test_a_conflict_is_answered_again_even_when_it_is_over(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, key: str
) -> None:
    body = await case.factory.request(db_session)
    json_of(await client.post(case.url, json=body), 201)
    conflict = await post(client, case, body, key)
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
    for malformed in MALFORMED_KEYS:
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
