"""Relations over HTTP: references, the lists on their other side, and links."""

from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import json_of, problem, stored, walk
from tests.support import Case, Link, Reference, as_json
from tests.tables import (
    BY_NAME,
    each_changed_link,
    each_link,
    each_listed_link,
    each_own_link,
    each_reference,
    each_reference_to_itself,
    each_reverse,
)

SOME = 5


@each_reference
@pytest.mark.needs("create", "replace", "update")
async def test_reference_must_exist(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    nowhere = {reference.name: as_json(BY_NAME[reference.target].factory.unknown_id())}
    body = await case.factory.request(db_session)
    refused = [await client.post(case.url, json={**body, **nowhere})]
    created = json_of(await client.post(case.url, json=body), 201)
    url = f"{case.url}/{case.id_of(created)}"
    refused.append(await client.put(url, json=case.replacement({**body, **nowhere})))
    if case.changes(nowhere):
        refused.append(await client.patch(url, json=nowhere))
    for response in refused:
        found = problem(response, 422, "reference_not_found")
        assert found["fields"] == [reference.name]


@each_reference
@pytest.mark.needs("get")
async def test_delete_of_a_parent_follows_on_delete(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    target = BY_NAME[reference.target]
    if "delete" not in target.verbs:
        pytest.skip(f"{target.plural} have no delete")
    parent = await target.factory.store(db_session)
    attribute = case.attribute(reference.name)
    url = await stored(case, db_session, **{attribute: parent.id})
    response = await client.delete(f"{target.url}/{parent.id}")
    if reference.on_delete == "restrict":
        body = problem(response, 409, "resource_in_use")
        assert body["referrer"] == case.repository(db_session).entity.__resource__
        assert json_of(await client.get(url), 200)[reference.name] == as_json(parent.id)
        return
    json_of(response, 204)
    if reference.on_delete == "cascade":
        problem(await client.get(url), 404, "resource_not_found")
    else:
        assert json_of(await client.get(url), 200)[reference.name] is None


@each_reference_to_itself
@pytest.mark.needs("update", "delete")
async def test_a_row_that_refers_to_itself_can_be_deleted(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    row = await case.factory.store(db_session)
    url = f"{case.url}/{row.id}"
    itself = {reference.name: as_json(row.id)}
    json_of(await client.patch(url, json=itself), 200)
    response = await client.delete(url)
    if reference.on_delete == "restrict":
        assert response.status_code in (204, 409)
    else:
        json_of(response, 204)


def has_few_rows(case: Case, reference: Reference) -> bool:
    """Return whether fields must differ among the rows of one parent."""
    keys = {item.name for item in case.references}
    with_it = [set(names) for names in case.unique if reference.name in names]
    return reference.single or any(names - keys for names in with_it)


@each_reverse
async def test_rows_of_a_parent(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    target = BY_NAME[reference.target]
    parent = await target.factory.store(db_session)
    url = f"{target.url}/{parent.id}/{reference.reverse}"
    given = {case.attribute(reference.name): parent.id}
    if reference.single:
        problem(await client.get(url), 404, "resource_not_found")
    else:
        assert await walk(client, url, case) == []
    if case.rows(4) > 3:
        await case.factory.store(db_session)  # of no parent, or of another one
    rows = [await case.factory.store(db_session, **given)]
    others = 0 if has_few_rows(case, reference) else case.rows(SOME) - 3
    for _ in range(others):
        rows.append(await case.factory.store(db_session, **given))
    if reference.single:
        shown = json_of(await client.get(url), 200)
        assert shown[case.key.name] == as_json(rows[0].id)
    else:
        ids = [as_json(row.id) for row in case.in_order(rows)]
        assert await walk(client, url, case) == ids
    unknown = f"{target.url}/{BY_NAME[reference.target].factory.unknown_id()}/{reference.reverse}"
    problem(await client.get(unknown), 404, "resource_not_found")


async def linked(case: Case, link: Link, db: AsyncSession, count: int) -> list[Any]:
    """Store rows for the far side of a link."""
    target = BY_NAME[link.target]
    # A row of this side may have used one of the few that can differ.
    rows = await target.factory.store_batch(db, min(count, target.capacity - 1) or 1)
    return [as_json(row.id) for row in target.in_order(rows)]


@each_link
async def test_link_and_unlink_are_idempotent(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url, target = f"{await stored(case, db_session)}/{link.path}", BY_NAME[link.target]
    ids = await linked(case, link, db_session, 3)
    for other in (*ids, *ids):
        json_of(await client.put(f"{url}/{other}"), 204)
    assert await walk(client, url, target) == ids
    for _ in range(2):
        json_of(await client.delete(f"{url}/{ids[0]}"), 204)
    assert await walk(client, url, target) == ids[1:]
    unknown = target.factory.unknown_id()
    problem(await client.put(f"{url}/{unknown}"), 404, "resource_not_found")
    nowhere = f"{case.url}/{case.factory.unknown_id()}/{link.path}"
    problem(await client.get(nowhere), 404, "resource_not_found")
    for method in ("PUT", "DELETE"):
        response = await client.request(method, f"{nowhere}/{ids[0]}")
        problem(response, 404, "resource_not_found")


@each_listed_link
async def test_linked_rows_are_listed(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    other = (await BY_NAME[link.target].factory.store(db_session)).id
    side = case.repository.links[link.name]
    pair = {side.own: row.id, side.other: other}
    await db_session.execute(sa.insert(side.table).values(pair))
    await db_session.commit()
    url = f"{case.url}/{row.id}/{link.path}"
    assert await walk(client, url, BY_NAME[link.target]) == [as_json(other)]


@each_changed_link
async def test_a_link_is_added_and_removed(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    other = (await BY_NAME[link.target].factory.store(db_session)).id
    url = f"{case.url}/{row.id}/{link.path}/{other}"
    side = case.repository.links[link.name]
    others = sa.select(side.table.c[side.other]).where(side.table.c[side.own] == row.id)
    json_of(await client.put(url), 204)
    assert (await db_session.scalars(others)).all() == [other]
    await db_session.rollback()
    json_of(await client.delete(url), 204)
    assert (await db_session.scalars(others)).all() == []


@each_own_link
@pytest.mark.needs("create", "get", "replace", "update")
async def test_links_can_be_set_in_the_body(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    key = str(link.key)
    ids = sorted(await linked(case, link, db_session, 3))
    body = await case.factory.request(db_session)
    nowhere = {key: [as_json(BY_NAME[link.target].factory.unknown_id())]}
    refused = [await client.post(case.url, json={**body, **nowhere})]
    created = json_of(await client.post(case.url, json={**body, key: ids[::-1]}), 201)
    url = f"{case.url}/{case.id_of(created)}"
    assert created[key] == ids
    assert json_of(await client.get(url), 200) == created
    for change in (ids[:1], [], ids[1:]):
        patched = json_of(await client.patch(url, json={key: change}), 200)
        assert patched[key] == change
        assert json_of(await client.get(url), 200) == patched
    assert json_of(await client.put(url, json=case.replacement(body)), 200)[key] == []
    refused.append(await client.patch(url, json=nowhere))
    for response in refused:
        assert problem(response, 422, "reference_not_found")["fields"] == [key]


@each_link
@pytest.mark.needs("delete")
async def test_deleting_either_side_removes_the_link(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    target = BY_NAME[link.target]
    if "delete" not in target.verbs:
        pytest.skip(f"{target.plural} have no delete")
    url = await stored(case, db_session)
    ids = await linked(case, link, db_session, 2)
    for other in ids:
        json_of(await client.put(f"{url}/{link.path}/{other}"), 204)
    json_of(await client.delete(f"{target.url}/{ids[0]}"), 204)
    assert await walk(client, f"{url}/{link.path}", BY_NAME[link.target]) == ids[1:]
    json_of(await client.delete(url), 204)
