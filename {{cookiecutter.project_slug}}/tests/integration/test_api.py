"""The API over HTTP, from the routes to the database and back, for every entity."""

import json
import uuid
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from src.core import metrics
from src.core.errors import PROBLEM_JSON
from tests.support import START, Body, Case, Field, Link, Reference, as_json, read
from tests.tables import (
    BY_NAME,
    each_case,
    each_field,
    each_key,
    each_link,
    each_own_link,
    each_reference,
    each_reverse,
    each_unique,
)

SOME = 5
JSON = {"Content-Type": "application/json"}


def says(response: httpx2.Response, status: int) -> Any:
    """Return the JSON of an answer that has the expected status."""
    assert response.status_code == status, response.text
    if status == 204:
        assert response.content == b""
        return None
    return response.json()


def problem(response: httpx2.Response, status: int, error: str) -> Body:
    """Return the body of an error, which has one shape whoever raised it."""
    body: Body = says(response, status)
    assert response.headers["content-type"] == PROBLEM_JSON
    assert body["status"] == status
    assert body["error"] == error, body
    assert body["title"]
    assert body["message"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def places(response: httpx2.Response) -> set[str]:
    """Return the fields that a 422 complains of."""
    errors = problem(response, 422, "validation_error")["errors"]
    assert all(error["message"] and error["type"] for error in errors)
    return {"/".join(error["field"].split("/")[:2]) for error in errors}


def same(case: Case, answer: Body, body: Body) -> bool:
    """Whether an answer holds what was sent: 1.5 and 1.50 are the same decimal."""
    kept = {key: answer[key] for key in body}
    return bool(read(case.update, kept) == read(case.update, body))


async def stored(case: Case, db: AsyncSession, **changes: Any) -> str:
    """Store a row, and return its URL."""
    return f"{case.url}/{(await case.factory.store(db, **changes)).id}"


def filled(case: Case, body: Body) -> Body:
    """Return the body, and for what it leaves out what the API fills in."""
    return {**{field.name: field.default for field in case.keys}, **body}


# Create


@each_case
async def test_create(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    response = await client.post(case.url, json=body)
    created = says(response, 201)
    assert same(case, created, body)
    assert response.headers["location"] == f"{case.url}/{created['id']}"
    assert says(await client.get(response.headers["location"]), 200) == created


@each_case
async def test_create_with_what_is_required(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    body = {field.name: body[field.name] for field in case.keys if field.required}
    created = says(await client.post(case.url, json=body), 201)
    given = {
        key: value for key, value in filled(case, body).items() if value is not None
    }
    assert same(case, created, given)
    nulls = {field.name for field in case.keys if field.nullable}
    assert {key for key, value in created.items() if value is None} == nulls


@each_case
async def test_create_names_each_missing_key(
    case: Case, client: httpx2.AsyncClient
) -> None:
    required = {f"/{field.name}" for field in case.keys if field.required}
    response = await client.post(case.url, json={"no_such_key": 1})
    assert places(response) == {"/no_such_key"} | required


@each_case
@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml"])
async def test_body_must_be_declared_as_json(
    case: Case, client: httpx2.AsyncClient, content_type: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for send, url in (
        (client.post, case.url),
        (client.put, f"{case.url}/{uuid.uuid4()}"),
        (client.patch, f"{case.url}/{uuid.uuid4()}"),
    ):
        response = await send(url, content=b"{}", headers=headers)
        problem(response, 415, "unsupported_media_type")


@each_case
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"text", b"\xff", b"{" * 10_000, b"NaN"]
)
async def test_body_must_be_a_json_object(
    case: Case, client: httpx2.AsyncClient, content: bytes
) -> None:
    for send, url in (
        (client.post, case.url),
        (client.patch, f"{case.url}/{uuid.uuid4()}"),
    ):
        response = await send(url, content=content, headers=JSON)
        assert places(response) == {""}


# Read


@each_case
async def test_get(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    answer = says(await client.get(f"{case.url}/{row.id}"), 200)
    assert answer == case.resource.from_entity(row).model_dump(
        mode="json", by_alias=True
    )


@each_case
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_unknown_id_is_not_found(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession, method: str
) -> None:
    unknown = str(uuid.uuid4())
    body = await case.factory.request(db_session)
    sent = body if method in ("PUT", "PATCH") else None
    response = await client.request(method, f"{case.url}/{unknown}", json=sent)
    found = problem(response, 404, "resource_not_found")
    assert (found["resource"], found["resource_id"]) == (case.name, unknown)


@each_case
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_id_must_be_a_uuid(
    case: Case, client: httpx2.AsyncClient, method: str
) -> None:
    sent = case.factory.payload() if method in ("PUT", "PATCH") else None
    response = await client.request(method, f"{case.url}/17", json=sent)
    assert places(response) == {f"/{case.name}_id"}


# List


@each_case
async def test_list_is_empty_at_first(case: Case, client: httpx2.AsyncClient) -> None:
    page = {"items": [], "total": 0, "skip": 0, "limit": 20, "next": None}
    assert says(await client.get(case.url), 200) == page


@each_case
async def test_list_by_skip_and_limit(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await case.factory.store_batch(db_session, case.rows(SOME))
    ids = [str(row.id) for row in rows]
    found: list[str] = []
    for skip in range(0, SOME, 2):
        query = {"skip": skip, "limit": 2}
        page = says(await client.get(case.url, params=query), 200)
        assert (page["skip"], page["limit"], page["total"]) == (skip, 2, len(ids))
        assert (page["next"] is None) == (skip + 2 >= len(ids))
        found += [item["id"] for item in page["items"]]
    assert found == ids


@each_case
async def test_list_by_cursor(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    # All of one moment: what tells them apart is the id.
    for _ in range(case.rows(SOME)):
        await case.factory.store(db_session, created_at=START)
    page = says(await client.get(case.url, params={"limit": 2}), 200)
    whole = says(await client.get(case.url), 200)["items"]
    found = page["items"]
    while page["next"] is not None:
        query = {"limit": 2, "after": page["next"], "total": "false"}
        page = says(await client.get(case.url, params=query), 200)
        assert (page["total"], page["skip"]) == (None, 0)
        found += page["items"]
    assert found == whole
    assert sorted(item["id"] for item in found) == [item["id"] for item in found]


@each_case
@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=many", "/limit"),
        ("skip=-1", "/skip"),
        (f"skip={2**63}", "/skip"),
        ("after=nonsense", "/after"),
        (f"after={33 * 'A'}", "/after"),
        ("total=perhaps", "/total"),
    ],
)
async def test_list_refuses_other_queries(
    case: Case, client: httpx2.AsyncClient, query: str, place: str
) -> None:
    assert places(await client.get(f"{case.url}?{query}")) == {place}


@each_case
async def test_list_takes_two_statements_for_any_number_of_rows(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    await case.factory.store_batch(db_session, case.rows(SOME))
    statements.clear()
    says(await client.get(case.url), 200)
    links = [link for link in case.links if link.key]  # one more for each of these
    assert len(statements) == 2 + len(links)
    statements.clear()
    says(await client.get(case.url, params={"total": "false"}), 200)
    assert len(statements) == 1 + len(links)


# Update and replace


@each_case
async def test_patch_changes_what_is_sent(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    body = await case.factory.request(db_session)
    before = says(await client.get(url), 200)
    for key, value in body.items():
        answer = says(await client.patch(url, json={key: value}), 200)
        assert same(case, answer, {key: value})
        untouched = before.keys() - {key, "updated_at"}
        assert {k: answer[k] for k in untouched} == {k: before[k] for k in untouched}
        assert says(await client.get(url), 200) == answer
        before = answer


@each_case
async def test_patch_with_nothing_changes_nothing(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    before = says(await client.get(url), 200)
    assert says(await client.patch(url, json={}), 200) == before


@each_case
async def test_put_replaces_all(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    before = says(await client.get(url), 200)
    body = await case.factory.request(db_session)
    body = {field.name: body[field.name] for field in case.keys if field.required}
    answer = says(await client.put(url, json=body), 200)
    expected = {key: as_json(value) for key, value in filled(case, body).items()}
    given = {key: value for key, value in expected.items() if value is not None}
    assert same(case, answer, given)
    assert all(answer[key] is None for key in expected.keys() - given.keys())
    assert (answer["id"], answer["created_at"]) == (before["id"], before["created_at"])
    assert answer["updated_at"] > before["updated_at"]
    assert says(await client.get(url), 200) == answer


@each_field
async def test_values_at_the_edge_are_kept(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    for value in field.taken():
        body = {field.name: value}
        content = json.dumps(body).encode()
        answer = says(await client.patch(url, content=content, headers=JSON), 200)
        assert same(case, answer, body), value
        assert says(await client.get(url), 200) == answer


@each_key
async def test_values_beyond_the_edge_are_refused(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    body = await case.factory.request(db_session)
    before = says(await client.get(url), 200)
    null = [] if field.nullable else [None]
    huge = [] if field.type in ("json", "decimal") else [10**400]
    for value in (*field.not_taken(), *null, *huge, "\ud800"):
        content = json.dumps({**body, field.name: value}).encode()
        response = await client.post(case.url, content=content, headers=JSON)
        assert places(response) <= {f"/{field.name}", ""}, value
        content = json.dumps({field.name: value}).encode()
        response = await client.patch(url, content=content, headers=JSON)
        assert places(response) <= {f"/{field.name}", ""}, value
    assert says(await client.get(url), 200) == before
    assert says(await client.get(case.url), 200)["total"] == 1


@each_field
async def test_number_that_json_has_not_is_refused(
    case: Case, field: Field, client: httpx2.AsyncClient
) -> None:
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "[1e400]"):
        content = f"{{{json.dumps(field.name)}: {number}}}".encode()
        url = f"{case.url}/{uuid.uuid4()}"
        response = await client.patch(url, content=content, headers=JSON)
        assert places(response) <= {f"/{field.name}", ""}, number


# Text


@each_field
async def test_text_is_cleaned(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    if field.type not in ("string", "text"):
        return
    text = body[field.name]
    marked = {**body, field.name: f"<i>{text}</i>"}
    response = await client.post(case.url, json=marked)
    if response.status_code == 422:  # with its markup the text breaks a rule
        assert places(response) == {f"/{field.name}"}
        return
    assert says(response, 201)[field.name] == text
    url = response.headers["location"]
    empty = await client.patch(url, json={field.name: "<i></i>"})
    plain = await client.patch(url, json={field.name: ""})
    assert empty.status_code == plain.status_code
    if empty.status_code == 422:
        assert places(empty) == {f"/{field.name}"}


# Delete


@each_case
async def test_delete(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    says(await client.delete(url), 204)
    problem(await client.delete(url), 404, "resource_not_found")
    problem(await client.get(url), 404, "resource_not_found")
    assert says(await client.get(case.url), 200)["total"] == 0


# What is unique


@each_unique
async def test_second_of_a_kind_is_a_conflict(
    case: Case,
    names: tuple[str, ...],
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    parents = {}
    for reference in case.references:
        if reference.name in names:
            parent = await BY_NAME[reference.target].factory.store(db_session)
            parents[case.attribute(reference.name)] = parent.id
    body = await case.factory.request(db_session, **parents)
    first = says(await client.post(case.url, json=body), 201)
    taken = {name: first[name] for name in names}
    other = await case.factory.request(db_session)
    refused = [await client.post(case.url, json={**other, **taken})]
    second = (await client.post(case.url, json=other)).headers["location"]
    refused.append(await client.put(second, json={**other, **taken}))
    refused.append(await client.patch(second, json=taken))
    for response in refused:
        found = problem(response, 409, "conflict")
        assert found["resource"] == case.name
        assert set(found["fields"]) == set(names)
    # One's own values are no conflict.
    says(await client.put(f"{case.url}/{first['id']}", json=body), 200)


# References


@each_reference
async def test_reference_must_exist(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    url = await stored(case, db_session)
    nowhere = {reference.name: str(uuid.uuid4())}
    body = {**await case.factory.request(db_session), **nowhere}
    for response in (
        await client.post(case.url, json=body),
        await client.put(url, json=body),
        await client.patch(url, json=nowhere),
    ):
        found = problem(response, 422, "reference_not_found")
        assert found["fields"] == [reference.name]


@each_reference
async def test_delete_of_a_parent(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    target = BY_NAME[reference.target]
    parent = await target.factory.store(db_session)
    attribute = case.attribute(reference.name)
    url = await stored(case, db_session, **{attribute: parent.id})
    response = await client.delete(f"{target.url}/{parent.id}")
    if reference.on_delete == "restrict":
        problem(response, 409, "resource_in_use")
        assert says(await client.get(url), 200)[reference.name] == str(parent.id)
        return
    says(response, 204)
    if reference.on_delete == "cascade":
        problem(await client.get(url), 404, "resource_not_found")
    else:
        assert says(await client.get(url), 200)[reference.name] is None


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
    if case.rows(4) > 3:
        await case.factory.store(db_session)  # of no parent, or of another one
    rows = [await case.factory.store(db_session, **given)]
    for _ in range(0 if reference.single else case.rows(SOME) - 3):
        rows.append(await case.factory.store(db_session, **given))
    if reference.single:
        assert says(await client.get(url), 200)["id"] == str(rows[0].id)
    else:
        assert await walk(client, url) == [str(row.id) for row in rows]
    unknown = f"{target.url}/{uuid.uuid4()}/{reference.reverse}"
    problem(await client.get(unknown), 404, "resource_not_found")


async def walk(client: httpx2.AsyncClient, url: str) -> list[str]:
    """Return the ids of a list, read page by page."""
    page = says(await client.get(url, params={"limit": 1}), 200)
    total, found = page["total"], page["items"]
    while page["next"]:
        query = {"limit": 1, "after": page["next"], "total": "false"}
        page = says(await client.get(url, params=query), 200)
        found += page["items"]
    assert total == len(found)
    return [item["id"] for item in found]


# Links


async def linked(case: Case, link: Link, db: AsyncSession, count: int) -> list[str]:
    """Store rows for the far side of a link."""
    target = BY_NAME[link.target]
    # Of what a row of this side takes with it, there may be few.
    rows = await target.factory.store_batch(db, min(count, target.capacity - 1) or 1)
    return [str(row.id) for row in rows]


@each_link
async def test_link_and_unlink(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = f"{await stored(case, db_session)}/{link.path}"
    ids = await linked(case, link, db_session, 3)
    for other in (*ids, *ids):  # twice is once
        says(await client.put(f"{url}/{other}"), 204)
    assert await walk(client, url) == ids
    for _ in range(2):
        says(await client.delete(f"{url}/{ids[0]}"), 204)
    assert await walk(client, url) == ids[1:]
    unknown = uuid.uuid4()
    problem(await client.put(f"{url}/{unknown}"), 404, "resource_not_found")
    nowhere = f"{case.url}/{unknown}/{link.path}"
    problem(await client.get(nowhere), 404, "resource_not_found")
    for method in ("PUT", "DELETE"):
        response = await client.request(method, f"{nowhere}/{ids[0]}")
        problem(response, 404, "resource_not_found")


@each_own_link
async def test_links_in_the_body(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    key = str(link.key)
    ids = sorted(await linked(case, link, db_session, 3))
    body = {**await case.factory.request(db_session), key: ids[::-1]}
    created = says(await client.post(case.url, json=body), 201)
    url = f"{case.url}/{created['id']}"
    assert created[key] == ids
    assert (
        says(await client.get(case.url, params={"limit": 100}), 200)["items"][-1][key]
        == ids
    )
    assert sorted(await walk(client, f"{url}/{link.path}")) == ids
    for change in (ids[:1], [], ids[1:]):
        patched = says(await client.patch(url, json={key: change}), 200)
        assert patched[key] == change
        assert says(await client.get(url), 200) == patched
    del body[key]
    assert says(await client.put(url, json=body), 200)[key] == []
    for response in (
        await client.post(case.url, json={**body, key: [str(uuid.uuid4())]}),
        await client.patch(url, json={key: [str(uuid.uuid4())]}),
    ):
        if response.status_code != 409:  # the new row may have a unique value again
            found = problem(response, 422, "reference_not_found")
            assert found["fields"] == [key]


@each_link
async def test_links_go_with_either_side(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    (other,) = await linked(case, link, db_session, 1)
    says(await client.put(f"{url}/{link.path}/{other}"), 204)
    says(await client.delete(f"{BY_NAME[link.target].url}/{other}"), 204)
    assert await walk(client, f"{url}/{link.path}") == []
    says(await client.delete(url), 204)


# Around it all


@each_case
async def test_both_slash_forms_answer_alike(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    created = says(await client.post(f"{case.url}/", json=body), 201)
    url = f"{case.url}/{created['id']}"
    assert says(await client.get(f"{url}/"), 200) == created
    assert says(await client.get(f"{case.url}/"), 200)["items"] == [created]
    says(await client.delete(f"{url}/"), 204)


@each_case
async def test_head_and_options(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    head = await client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert "PATCH" in (await client.options(url)).headers["allow"]
    response = await client.patch(case.url, json={})
    problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["allow"]


@each_case
async def test_writes_are_counted_once_committed(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    def counts() -> list[float]:
        lines = metrics.render()[0].decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines)
        verbs = ("created", "updated", "deleted")
        return [float(values[f"{case.plural}_{verb}_total"]) for verb in verbs]

    before = counts()
    body = await case.factory.request(db_session)
    url = (await client.post(case.url, json=body)).headers["location"]
    await client.post(case.url, json={"no_such_key": 1})
    await client.get(url)
    await client.put(url, json=body)
    await client.put(url, json={"no_such_key": 1})
    await client.delete(url)
    await client.delete(url)
    assert counts() == [number + 1 for number in before]


@each_case
async def test_whole_life(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    created = says(await client.post(case.url, json=body), 201)
    url = f"{case.url}/{created['id']}"
    assert says(await client.get(url), 200) == created
    assert says(await client.get(case.url), 200)["items"] == [created]
    new = case.factory.payload(
        **{case.attribute(r.name): created[r.name] for r in case.references}
    )
    patched = says(await client.patch(url, json=new), 200)
    assert same(case, patched, new)
    replaced = says(await client.put(url, json=body), 200)
    assert same(case, replaced, body)
    assert replaced["created_at"] == created["created_at"]
    says(await client.delete(url), 204)
    assert says(await client.get(case.url), 200)["items"] == []
