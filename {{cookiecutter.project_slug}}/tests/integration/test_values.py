"""Values over HTTP: valid ones at the limits are kept, invalid ones are refused."""

import json

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import JSON, invalid_fields, json_of, same, stored
from tests.support import Case, Field
from tests.tables import (
    each_array_of_text,
    each_changed_field,
    each_changed_key,
    each_created_key,
    each_field_with_default_and_null,
    each_text,
    each_type,
)

SURROGATE = "\ud800"


@each_changed_field
@pytest.mark.needs("get", "update")
async def test_values_at_the_limits_are_kept(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    answer = json_of(await client.get(url), 200)
    accepts = case.factory.accepts
    for value in [
        value for value in field.accepted_values() if accepts(field.name, value)
    ]:
        body = {field.name: value}
        if case.broken_by({**answer, **body}):
            continue  # the limit of a field is none of what it is compared with
        content = json.dumps(body).encode()
        response = await client.patch(url, content=content, headers=JSON)
        assert response.status_code == 200, (
            f"{body} is refused: {response.text}\nIf a rule of the service says so, "
            f"override `accepts` in {case.factory.__name__} in tests/factories.py"
        )
        answer = response.json()
        assert same(case, answer, body), value
    assert json_of(await client.get(url), 200) == answer


@each_changed_key
@pytest.mark.needs("update")
async def test_update_refuses_invalid_values(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    before = case.answer(row)
    for value in (*field.refused_values(), SURROGATE):
        content = json.dumps({field.name: value}).encode()
        response = await client.patch(
            f"{case.url}/{row.id}", content=content, headers=JSON
        )
        # NaN and half a surrogate pair are no JSON: the body itself is refused.
        assert invalid_fields(response) <= {"", f"/{field.name}"}, value
    db_session.expunge_all()
    assert case.answer(await case.repository(db_session).get(row.id)) == before


@each_created_key
@pytest.mark.needs("create")
async def test_create_refuses_invalid_values(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    null = [] if field.nullable else [None]
    for value in (*field.refused, *field.malformed, *null):
        response = await client.post(case.url, json={**body, field.name: value})
        assert invalid_fields(response) == {f"/{field.name}"}, value
    assert await case.repository(db_session).count() == 0


@each_field_with_default_and_null
@pytest.mark.needs("create")
async def test_null_is_stored_in_place_of_the_default(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = {**await case.factory.request(db_session), field.name: None}
    created = json_of(await client.post(case.url, json=body), 201)
    assert created.get(field.name) is None
    attribute = getattr(case.factory.entity, case.attribute(field.name))
    assert (await db_session.scalars(sa.select(attribute))).all() == [None]


@each_type
@pytest.mark.needs("update")
async def test_numbers_that_json_does_not_have_are_refused(
    case: Case, field: Field, client: httpx2.AsyncClient
) -> None:
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "[1e400]"):
        content = f"{{{json.dumps(field.name)}: {number}}}".encode()
        url = f"{case.url}/{case.factory.unknown_id()}"
        response = await client.patch(url, content=content, headers=JSON)
        assert invalid_fields(response) <= {f"/{field.name}", ""}, number


@each_text
@pytest.mark.needs("create", "update")
async def test_markup_is_removed_from_text(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    text = body[field.name]
    marked = {**body, field.name: f"<i>{text}</i>"}
    response = await client.post(case.url, json=marked)
    if response.status_code == 422:  # with its markup the text breaks a rule
        assert invalid_fields(response) == {f"/{field.name}"}
        return
    created = json_of(response, 201)
    assert created[field.name] == text
    url = f"{case.url}/{case.id_of(created)}"
    empty = await client.patch(url, json={field.name: "<i></i>"})
    plain = await client.patch(url, json={field.name: ""})
    assert empty.status_code == plain.status_code
    if empty.status_code == 422:
        assert invalid_fields(empty) == {f"/{field.name}"}


@each_array_of_text
@pytest.mark.needs("create")
async def test_markup_is_removed_from_each_item(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    marked = [f"<i>{text}</i>" for text in body[field.name]]
    response = await client.post(case.url, json={**body, field.name: marked})
    if response.status_code == 422:  # with its markup an item breaks a rule
        assert invalid_fields(response) == {f"/{field.name}"}
        return
    assert json_of(response, 201)[field.name] == body[field.name]
