"""Idempotency keys of a service that knows its senders."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import json_of, problem
from tests.conftest import client_of
from tests.tables import BY_NAME

REPLAYED = "idempotency-replayed"
ADA = {"sub": "ada"}
Call = Callable[[dict[str, Any] | None], httpx2.AsyncClient]


def keyed(key: str = "k") -> dict[str, str]:
    """Return the header of a key."""
    return {"Idempotency-Key": key}


@pytest.fixture
def call(app: FastAPI, provider: Any) -> Call:
    """Return a client whose token has these claims; None for an anonymous one."""

    def client(claims: dict[str, Any] | None) -> httpx2.AsyncClient:
        made = client_of(app)
        made.headers.pop("Authorization")
        if claims is not None:
            made.headers["Authorization"] = f"Bearer {provider.token(**claims)}"
        return made

    return client


async def test_a_key_is_that_of_its_sender(
    call: Call, db_session: AsyncSession
) -> None:
    case = BY_NAME["customer"]
    bodies = [case.factory.payload(crm_id=None) for _ in range(2)]
    for body in bodies:
        del body["crm_id"]
    ids = []
    for claims, body in zip((ADA, {"sub": "bob"}), bodies, strict=True):
        response = await call(claims).post(case.url, json=body, headers=keyed())
        assert REPLAYED not in response.headers
        ids.append(json_of(response, 201)["id"])
    assert len({*ids}) == 2
    refused = await call(None).post(case.url, json=bodies[0], headers=keyed())
    problem(refused, 401, "unauthorized")
    again = await call(ADA).post(case.url, json=bodies[0], headers=keyed())
    assert json_of(again, 201)["id"] == ids[0]


async def test_a_replay_shows_nothing_that_its_sender_may_no_longer_see(
    call: Call, db_session: AsyncSession
) -> None:
    case = BY_NAME["customer"]
    entity = case.factory.entity
    body = case.factory.payload(crm_id=uuid.uuid4())
    ada_in_staff = {"sub": "ada", "roles": ["staff"]}

    async def again(claims: dict[str, Any]) -> httpx2.Response:
        return await call(claims).post(case.url, json=body, headers=keyed())

    created = await again(ada_in_staff)
    row_id = uuid.UUID(json_of(created, 201)["id"])
    assert (await again(ada_in_staff)).content == created.content
    # She is no longer a member of the staff, so the row has a field less for her.
    assert problem(await again(ADA), 403, "forbidden")["fields"] == ["crm_id"]
    change = sa.update(entity).where(entity.id == row_id)
    await db_session.execute(change.values(owner_id="bob"))
    await db_session.commit()
    problem(await again(ADA), 404, "resource_not_found")
    found = await call(ADA).get(f"{case.url}/{row_id}")
    problem(found, 404, "resource_not_found")
    assert (await again(ada_in_staff)).content == created.content


async def test_who_could_never_read_the_row_gets_the_answer_again(
    call: Call, db_session: AsyncSession
) -> None:
    case = BY_NAME["payment"]
    body = await case.factory.request(db_session)
    checkout = {"sub": "shop", "scope": "checkout"}
    client = call(checkout)
    created = await client.post(case.url, json=body, headers=keyed())
    row_id = json_of(created, 201)["id"]
    found = await client.get(f"{case.url}/{row_id}")
    problem(found, 404, "resource_not_found")
    again = await client.post(case.url, json=body, headers=keyed())
    assert (again.status_code, again.content) == (201, created.content)
    refused = await call({"sub": "shop"}).post(case.url, json=body, headers=keyed())
    problem(refused, 403, "forbidden")
