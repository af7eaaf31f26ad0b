"""Lists over HTTP: their pages, their order, and invalid queries."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import invalid_fields, json_of
from tests.support import START, Case, as_json
from tests.tables import each_case

SOME = 5


@each_case
@pytest.mark.needs("list")
async def test_list_is_empty_at_first(case: Case, client: httpx2.AsyncClient) -> None:
    page = {"items": [], "total": 0, "skip": 0, "limit": 20, "next": None}
    assert json_of(await client.get(case.url), 200) == page


@each_case
@pytest.mark.needs("list")
async def test_list_by_skip_and_limit(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await case.factory.store_batch(db_session, case.rows(SOME))
    ids = [as_json(row.id) for row in rows]
    if not case.times:
        ids.sort()
    found: list[Any] = []
    for skip in range(0, SOME, 2):
        query = {"skip": skip, "limit": 2}
        page = json_of(await client.get(case.url, params=query), 200)
        assert (page["skip"], page["limit"], page["total"]) == (skip, 2, len(ids))
        assert (page["next"] is None) == (skip + 2 >= len(ids))
        found += [case.id_of(item) for item in page["items"]]
    assert found == ids


@each_case
@pytest.mark.needs("list")
async def test_list_by_cursor(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    # Rows of one moment are in the order of their ids.
    for _ in range(case.rows(SOME)):
        moment = {"created_at": START} if case.times else {}
        await case.factory.store(db_session, **moment)
    page = json_of(await client.get(case.url, params={"limit": 2}), 200)
    whole = json_of(await client.get(case.url), 200)["items"]
    found = page["items"]
    while page["next"] is not None:
        query = {"limit": 2, "after": page["next"], "total": "false"}
        page = json_of(await client.get(case.url, params=query), 200)
        assert (page["total"], page["skip"]) == (None, 0)
        found += page["items"]
    assert found == whole
    assert sorted(case.id_of(item) for item in found) == [
        case.id_of(item) for item in found
    ]


@each_case
@pytest.mark.needs("list")
async def test_list_refuses_other_queries(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for name, values in {
        "limit": ("0", "101", "many", "5.0", "+5", "1_0"),
        "skip": ("-1", str(2**63)),
        "after": ("nonsense", 33 * "A"),
        "total": ("perhaps", "yes", "1"),
    }.items():
        for value in values:
            response = await client.get(case.url, params={name: value})
            assert invalid_fields(response) == {f"/{name}"}, value
