"""The API over HTTP, from the routes to the database and back, for every entity."""

from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from src.core import metrics
from src.core.errors import MAX_PROBLEMS
from tests.answers import JSON, invalid_fields, json_of, problem, same, stored
from tests.support import VERBS, Body, Case, Check, as_json, keys
from tests.tables import (
    BY_NAME,
    breaking,
    each_case,
    each_changed_check,
    each_created_check,
    each_unique,
)

BROKEN = (b"", b"{", b"[]", b"null", b"text", b"\xff", b"{" * 10_000, b"NaN")

NOT_JSON: tuple[dict[str, str], ...] = (
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "x"},
    {"Content-Type": "application/problem+json"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
)


def filled(case: Case, body: Body) -> Body:
    """Return the body with the defaults that the API fills in."""
    defaults = {f.name: f.default for f in case.created if not f.made}
    return {**case.replacement(defaults), **body}


def made(case: Case, answer: Body) -> Body:
    """Return the values of an answer that the database makes if none are sent."""
    names = {field.name for field in case.created if field.made and not field.required}
    return {key: answer[key] for key in names & answer.keys()}


def required(case: Case, body: Body) -> Body:
    """Return the keys of a body that a create needs."""
    return {field.name: body[field.name] for field in case.created if field.required}


def bodies(case: Case, url: str, body: Body) -> list[tuple[str, str, Body]]:
    """Return a request of each verb that has a body."""
    sent = {"create": body, "update": case.changes(body)}
    sent["replace"] = case.replacement(body)
    return [
        (VERBS[verb][0], case.url if verb == "create" else url, sent[verb])
        for verb in ("create", "replace", "update")
        if verb in case.verbs
    ]


def by_id(case: Case, body: Body) -> list[tuple[str, Body | None]]:
    """Return the method and body of each verb that names a row."""
    sent = {"replace": case.replacement(body), "update": case.changes(body)}
    verbs = ("get", "replace", "update", "delete")
    return [(VERBS[v][0], sent.get(v)) for v in verbs if v in case.verbs]


# Create


@each_case
@pytest.mark.needs("create")
async def test_create_stores_what_is_sent(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    response = await client.post(case.url, json=body)
    created = json_of(response, 201)
    assert same(case, created, body)
    if "get" in case.verbs:
        assert response.headers["location"] == f"{case.url}/{case.id_of(created)}"
    rows = await case.repository(db_session).list()
    assert [case.answer(row, listed=True) for row in rows] == [case.listed(created)]


@each_case
@pytest.mark.needs("create")
async def test_create_fills_in_defaults_and_null(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = required(case, await case.factory.request(db_session))
    created = json_of(await client.post(case.url, json=body), 201)
    expected = filled(case, body)
    given = {key: value for key, value in expected.items() if value is not None}
    assert same(case, created, given)
    assert all(created[key] is None for key in created.keys() & expected - given.keys())
    assert None not in made(case, created).values()


@each_case
@pytest.mark.needs("create")
async def test_create_names_each_missing_key(
    case: Case, client: httpx2.AsyncClient
) -> None:
    needed = {f"/{field.name}" for field in case.created if field.required}
    found = invalid_fields(await client.post(case.url, json={"no_such_key": 1}))
    assert found <= {"/no_such_key"} | needed
    assert len(found) == min(1 + len(needed), MAX_PROBLEMS)


@each_case
async def test_body_must_be_declared_as_json(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for method, url, _ in bodies(case, f"{case.url}/{case.factory.unknown_id()}", {}):
        for headers in NOT_JSON:
            response = await client.request(method, url, content=b"{}", headers=headers)
            problem(response, 415, "unsupported_media_type")


@each_case
@pytest.mark.needs("create")
async def test_body_must_be_a_json_object(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for content in BROKEN:
        response = await client.post(case.url, content=content, headers=JSON)
        assert invalid_fields(response) == {""}, content


# Read


@each_case
@pytest.mark.needs("get")
async def test_get_shows_the_row(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    answer = json_of(await client.get(f"{case.url}/{row.id}"), 200)
    assert answer == case.answer(row)


@each_case
async def test_unknown_id_is_not_found(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    unknown = str(case.factory.unknown_id())
    body = await case.factory.request(db_session)
    for method, sent in by_id(case, body):
        response = await client.request(method, f"{case.url}/{unknown}", json=sent)
        found = problem(response, 404, "resource_not_found")
        assert (found["resource"], found["resource_id"]) == (case.name, unknown)


@each_case
async def test_ids_of_another_form_are_refused(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for method, sent in by_id(case, case.factory.payload()):
        for wrong in case.key.refused:
            url = f"{case.url}/{quote(wrong, safe='')}"
            response = await client.request(method, url, json=sent)
            assert invalid_fields(response) == {f"/{case.name}_id"}, wrong


# Update, replace and delete


@each_case
@pytest.mark.needs("get", "update")
async def test_patch_changes_only_what_is_sent(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    body = case.changes(await case.factory.request(db_session))
    before = json_of(await client.get(url), 200)
    for key, value in body.items():
        answer = json_of(await client.patch(url, json={key: value}), 200)
        assert same(case, answer, {key: value})
        untouched = before.keys() - {key, *case.times[1:]}
        assert {k: answer[k] for k in untouched} == {k: before[k] for k in untouched}
        assert json_of(await client.get(url), 200) == answer
        before = answer


@each_case
@pytest.mark.needs("get", "update")
async def test_patch_with_nothing_changes_nothing(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    before = json_of(await client.get(url), 200)
    assert json_of(await client.patch(url, json={}), 200) == before


@each_case
@pytest.mark.needs("get", "replace")
async def test_put_resets_omitted_fields_to_defaults(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    before = json_of(await client.get(url), 200)
    body = required(case, await case.factory.request(db_session))
    body = case.replacement(body)
    answer = json_of(await client.put(url, json=body), 200)
    expected = {key: as_json(value) for key, value in filled(case, body).items()}
    given = {key: value for key, value in expected.items() if value is not None}
    assert same(case, answer, given)
    assert all(answer[key] is None for key in answer.keys() & expected - given.keys())
    assert made(case, answer) == made(case, before)
    assert case.id_of(answer) == case.id_of(before)
    if case.times:
        created_at, updated_at = case.times
        assert answer[created_at] == before[created_at]
        if expected:  # otherwise the PUT sets nothing
            assert answer[updated_at] > before[updated_at]
    assert json_of(await client.get(url), 200) == answer


@each_case
@pytest.mark.needs("delete")
async def test_delete_removes_the_row_once(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    json_of(await client.delete(url), 204)
    problem(await client.delete(url), 404, "resource_not_found")
    assert await case.repository(db_session).count() == 0


@each_unique
@pytest.mark.needs("create")
async def test_duplicate_of_a_unique_value_is_a_conflict(
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
    first = await case.factory.store(db_session, **parents)
    taken = {name: as_json(getattr(first, case.attribute(name))) for name in names}
    other = await case.factory.request(db_session)
    refused = [await client.post(case.url, json={**other, **taken})]
    created = json_of(await client.post(case.url, json=other), 201)
    url = f"{case.url}/{case.id_of(created)}"
    if case.changes(taken) == taken:
        for method, target, sent in bodies(case, url, {**other, **taken})[1:]:
            refused.append(await client.request(method, target, json=sent))
    for response in refused:
        found = problem(response, 409, "conflict")
        assert found["resource"] == case.name
        assert set(found["fields"]) == set(names)
    if "update" in case.verbs:  # a row may keep its own values
        url = f"{case.url}/{first.id}"
        json_of(await client.patch(url, json=case.changes(taken)), 200)


def names(case: Case, body: Body) -> list[set[str]]:
    """Return what a 422 can name for values that break checks: it is about one of them."""
    return [{f"/{key}" for key in check.keys} for check in case.broken_by(body)]


@each_created_check
@pytest.mark.needs("create")
async def test_create_names_both_fields_of_a_broken_check(
    case: Case, check: Check, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    body |= await breaking(case, check, db_session)
    before = await case.repository(db_session).count()
    response = await client.post(case.url, json=body)
    assert invalid_fields(response) in names(case, body)
    assert await case.repository(db_session).count() == before


@each_changed_check
@pytest.mark.needs("get", "update", "replace")
async def test_changes_are_checked_with_the_stored_row(
    case: Case, check: Check, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    before = json_of(await client.get(url), 200)
    broken = await breaking(case, check, db_session)
    for sent in (broken, *({key: broken[key]} for key in broken)):
        if expected := names(case, {**before, **sent}):
            response = await client.patch(url, json=sent)
            assert invalid_fields(response) in expected, sent
    replacement = case.replacement(await case.factory.request(db_session))
    response = await client.put(url, json={**replacement, **broken})
    assert invalid_fields(response) in names(case, {**before, **replacement, **broken})
    assert json_of(await client.get(url), 200) == before


def offered(case: Case) -> set[tuple[str, str]]:
    """Return the methods of an entity's routes with their paths."""
    return {(VERBS[v][0], f"{case.url}{VERBS[v][1]}") for v in case.verbs}


@each_case
@pytest.mark.needs("get", "replace")
async def test_put_accepts_what_get_has_returned(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    row = json_of(await client.get(url), 200)
    accepted = {*keys(case.replace or case.create), case.key.name, *case.times}
    body = {key: row[key] for key in row if key in accepted}
    replaced = json_of(await client.put(url, json=body), 200)
    changed = {key: replaced[key] for key in case.times[1:]}
    assert replaced == row | changed
    another = {**body, case.key.name: as_json(case.factory.unknown_id())}
    response = await client.put(url, json=another)
    assert invalid_fields(response) == {f"/{case.key.name}"}


# Around it all


@each_case
@pytest.mark.needs("create", "get", "list", "delete")
async def test_paths_with_and_without_a_slash_are_the_same(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    created = json_of(await client.post(f"{case.url}/", json=body), 201)
    url = f"{case.url}/{case.id_of(created)}"
    assert json_of(await client.get(f"{url}/"), 200) == created
    page = json_of(await client.get(f"{case.url}/"), 200)
    assert page["items"] == [case.listed(created)]
    json_of(await client.delete(f"{url}/"), 204)


@each_case
@pytest.mark.needs("get")
async def test_head_options_and_405(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    head = await client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    methods = {method for method, path in offered(case) if path.endswith("{}")}
    allowed = set((await client.options(url)).headers["allow"].split(", "))
    assert allowed >= {*methods, "HEAD", "OPTIONS"}
    response = await client.post(url, json={})
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


@each_case
@pytest.mark.needs("create", "get", "replace", "delete")
async def test_writes_are_counted_when_they_are_committed(
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
    await client.put(url, json=case.replacement(body))
    await client.put(url, json={"no_such_key": 1})
    await client.delete(url)
    await client.delete(url)
    assert counted == [
        (case.plural, verb) for verb in ("created", "updated", "deleted")
    ]


@each_case
@pytest.mark.needs(*VERBS)
async def test_create_read_update_replace_and_delete(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    created = json_of(await client.post(case.url, json=body), 201)
    url = f"{case.url}/{case.id_of(created)}"
    assert json_of(await client.get(url), 200) == created
    assert json_of(await client.get(case.url), 200)["items"] == [case.listed(created)]
    new = case.changes(case.factory.payload())
    new |= {r.name: created[r.name] for r in case.references if r.name in new}
    patched = json_of(await client.patch(url, json=new), 200)
    assert same(case, patched, new)
    replaced = json_of(await client.put(url, json=case.replacement(body)), 200)
    assert same(case, replaced, body)
    assert all(replaced[key] == created[key] for key in case.times[:1])
    json_of(await client.delete(url), 204)
    problem(await client.get(url), 404, "resource_not_found")
    assert json_of(await client.get(case.url), 200)["items"] == []
