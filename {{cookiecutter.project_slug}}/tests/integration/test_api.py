"""The API over HTTP, from the routes to the database and back, for every entity."""

import uuid

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from src.core import metrics
from tests.answers import JSON, places, problem, same, says, stored
from tests.support import Body, Case, as_json
from tests.tables import BY_NAME, each_case, each_unique

BROKEN = (b"", b"{", b"[]", b"null", b"text", b"\xff", b"{" * 10_000, b"NaN")

NO_JSON: tuple[dict[str, str], ...] = (
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "x"},
    {"Content-Type": "application/problem+json"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
)


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
async def test_body_must_be_declared_as_json(
    case: Case, client: httpx2.AsyncClient
) -> None:
    one = f"{case.url}/{uuid.uuid4()}"
    for method, url in (("POST", case.url), ("PUT", one), ("PATCH", one)):
        for headers in NO_JSON:
            response = await client.request(method, url, content=b"{}", headers=headers)
            problem(response, 415, "unsupported_media_type")


@each_case
async def test_body_must_be_a_json_object(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for content in BROKEN:
        response = await client.post(case.url, content=content, headers=JSON)
        assert places(response) == {""}, content


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
async def test_unknown_id_is_not_found(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    unknown = str(uuid.uuid4())
    body = await case.factory.request(db_session)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        sent = body if method in ("PUT", "PATCH") else None
        response = await client.request(method, f"{case.url}/{unknown}", json=sent)
        found = problem(response, 404, "resource_not_found")
        assert (found["resource"], found["resource_id"]) == (case.name, unknown)


@each_case
async def test_id_must_be_a_uuid(case: Case, client: httpx2.AsyncClient) -> None:
    body = case.factory.payload()
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        sent = body if method in ("PUT", "PATCH") else None
        response = await client.request(method, f"{case.url}/17", json=sent)
        assert places(response) == {f"/{case.name}_id"}


# Update, replace and delete


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


@each_case
async def test_delete(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    says(await client.delete(url), 204)
    problem(await client.delete(url), 404, "resource_not_found")
    problem(await client.get(url), 404, "resource_not_found")
    assert says(await client.get(case.url), 200)["total"] == 0


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
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr(metrics, "count", lambda *what: counted.append(what))
    body = await case.factory.request(db_session)
    url = (await client.post(case.url, json=body)).headers["location"]
    await client.post(case.url, json={"no_such_key": 1})
    await client.get(url)
    await client.put(url, json=body)
    await client.put(url, json={"no_such_key": 1})
    await client.delete(url)
    await client.delete(url)
    assert counted == [
        (case.plural, verb) for verb in ("created", "updated", "deleted")
    ]


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
