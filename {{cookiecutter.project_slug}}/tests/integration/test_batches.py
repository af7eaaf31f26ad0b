"""Batches: all rows of a request are created, or none, for every entity."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import invalid_fields, json_of, problem, same
from tests.support import Body, Case, Reference, as_json
from tests.tables import BY_NAME, each_case, each_reference, each_unique

MOST = 100
SOME = 3


async def bodies(case: Case, db: AsyncSession, count: int) -> list[Body]:
    """Return requests of rows that can all be stored."""
    return [await case.factory.request(db) for _ in range(case.rows(count))]


async def count(case: Case, db: AsyncSession) -> int:
    """Return how many rows there are."""
    await db.rollback()
    return await case.repository(db).count()


def pointers(response: httpx2.Response) -> set[str]:
    """Return the places of the errors of a response."""
    return {one["field"] for one in response.json()["errors"]}


@each_case
@pytest.mark.needs("create")
async def test_a_batch_is_created_in_its_order(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    sent = await bodies(case, db_session, SOME)
    request: Any = {"json": {"items": sent}, "headers": {"Idempotency-Key": "a"}}
    response = await client.post(f"{case.url}/batch", **request)
    created = json_of(response, 201)["items"]
    again = await client.post(f"{case.url}/batch", **request)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == response.content
    rows = await case.repository(db_session).list(limit=MOST)
    answers = [case.answer(row, listed=True) for row in rows]
    stored = {case.id_of(answer): answer for answer in answers}
    for answer, body in zip(created, sent, strict=True):
        assert same(case, answer, body)
        assert stored[case.id_of(answer)] == case.listed(answer)


@each_case
@pytest.mark.needs("create")
async def test_one_invalid_item_is_enough_for_none(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    sent = await bodies(case, db_session, SOME)
    sent[-1] = {**sent[-1], "no such key": 1}
    before = await count(case, db_session)
    response = await client.post(f"{case.url}/batch", json={"items": sent})
    problem(response, 422, "validation_error")
    assert pointers(response) == {f"/items/{len(sent) - 1}/no such key"}
    for wrong in ([], sent[:1] * (MOST + 1)):
        response = await client.post(f"{case.url}/batch", json={"items": wrong})
        assert invalid_fields(response) == {"/items"}
    assert await count(case, db_session) == before


@each_unique
@pytest.mark.needs("create")
async def test_duplicates_are_found_in_the_table_and_in_the_batch(
    case: Case,
    names: tuple[str, ...],
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    sent = await bodies(case, db_session, 2)
    if len(sent) < 2:
        pytest.skip("no two rows can differ")
    for one in case.references:
        if one.name in names:
            parent = await BY_NAME[one.target].factory.store(db_session)
            sent[0][one.name] = as_json(parent.id)
    sent[1] |= {name: sent[0][name] for name in names}
    before = await count(case, db_session)
    response = await client.post(f"{case.url}/batch", json={"items": sent})
    problem(response, 409, "conflict")
    assert pointers(response) == {f"/items/1/{name}" for name in names}
    assert await count(case, db_session) == before
    json_of(await client.post(case.url, json=sent[0]), 201)
    response = await client.post(f"{case.url}/batch", json={"items": sent})
    problem(response, 409, "conflict")
    found = pointers(response)
    assert {f"/items/1/{name}" for name in names} <= found
    assert any(place.startswith("/items/0/") for place in found)


@each_reference
@pytest.mark.needs("create")
async def test_references_of_a_batch_must_exist(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    sent = await bodies(case, db_session, SOME)
    target = BY_NAME[reference.target].factory
    sent[-1][reference.name] = as_json(target.unknown_id())
    response = await client.post(f"{case.url}/batch", json={"items": sent})
    problem(response, 422, "reference_not_found")
    assert pointers(response) == {f"/items/{len(sent) - 1}/{reference.name}"}
