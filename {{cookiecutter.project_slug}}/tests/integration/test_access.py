"""What the API shows and accepts: read-only, write-only and immutable fields."""

from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import invalid_fields, json_of
from tests.support import Body, Case, Field, as_json
from tests.tables import (
    each_immutable_field,
    each_read_only_field,
    each_write_only_field,
)

MARKED = 8  # characters of a value that is in no other text by chance


async def attribute_of(
    case: Case, field: Field, db: AsyncSession, entity_id: Any
) -> Any:
    """Return the value of a field as it is stored."""
    db.expunge_all()
    row = await case.repository(db).get(entity_id)
    return getattr(row, case.attribute(field.name))


async def put(
    case: Case, client: httpx2.AsyncClient, db: AsyncSession, url: str, **more: Any
) -> httpx2.Response:
    """Replace a row; a field that a PUT may omit is sent only if it is in `more`."""
    body = case.replacement(await case.factory.request(db))
    sent = {key: body[key] for key in body if key not in case.write_only}
    return await client.put(url, json={**sent, **more})


@each_read_only_field
@pytest.mark.needs("create")
async def test_create_refuses_a_read_only_field(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    response = await client.post(case.url, json={**body, field.name: None})
    assert invalid_fields(response) == {f"/{field.name}"}


@each_read_only_field
@pytest.mark.needs("update")
async def test_update_refuses_a_read_only_field(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    response = await client.patch(f"{case.url}/{row.id}", json={field.name: None})
    assert invalid_fields(response) == {f"/{field.name}"}


@each_read_only_field
@pytest.mark.needs("replace")
async def test_put_ignores_a_read_only_field(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    if case.replace is None:
        pytest.skip("the field was taken out of the requests by hand")
    row = await case.factory.store(db_session)
    url, before = f"{case.url}/{row.id}", case.answer(row)
    for sent in ({}, {field.name: None}, {field.name: "anything"}):
        answer = json_of(await put(case, client, db_session, url, **sent), 200)
        assert answer[field.name] == before[field.name]


@each_immutable_field
@pytest.mark.needs("replace")
async def test_put_cannot_change_an_immutable_field(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    url, stored = f"{case.url}/{row.id}", getattr(row, case.attribute(field.name))
    for other in others(case, field, stored):
        sent = {field.name: other}
        response = await put(case, client, db_session, url, **sent)
        assert invalid_fields(response) == {f"/{field.name}"}
    json_of(await put(case, client, db_session, url), 200)
    if field.name not in case.write_only:
        sent = {field.name: as_json(stored)}
        json_of(await put(case, client, db_session, url, **sent), 200)
    assert await attribute_of(case, field, db_session, row.id) == stored


@each_immutable_field
@pytest.mark.needs("update")
async def test_update_cannot_change_an_immutable_field(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    url, stored = f"{case.url}/{row.id}", getattr(row, case.attribute(field.name))
    for other in others(case, field, stored):
        response = await client.patch(url, json={field.name: other})
        assert invalid_fields(response) == {f"/{field.name}"}
    same = await client.patch(url, json={field.name: as_json(stored)})
    if field.name in case.write_only:  # or the answer would tell what is stored
        assert invalid_fields(same) == {f"/{field.name}"}
    else:
        json_of(same, 200)
    assert await attribute_of(case, field, db_session, row.id) == stored


def others(case: Case, field: Field, stored: Any) -> list[Any]:
    """Return valid values of a field that are not the stored one."""
    values = [case.factory.payload()[field.name], *field.accepted_values()]
    return [value for value in values if case.value(field.name, value) != stored]


@each_write_only_field
@pytest.mark.needs("replace")
async def test_put_keeps_a_write_only_field_that_is_not_sent(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    url, stored = f"{case.url}/{row.id}", getattr(row, case.attribute(field.name))
    json_of(await put(case, client, db_session, url), 200)
    assert await attribute_of(case, field, db_session, row.id) == stored


@each_write_only_field
@pytest.mark.needs("create")
async def test_create_stores_a_write_only_field(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
    created = json_of(await client.post(case.url, json=body), 201)
    (row,) = await db_session.scalars(sa.select(case.factory.entity))
    assert case.id_of(created) == as_json(row.id)
    stored = getattr(row, case.attribute(field.name))
    assert stored == case.value(field.name, body[field.name])


@each_write_only_field
async def test_a_write_only_field_is_never_shown(
    case: Case,
    field: Field,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = await case.factory.store(db_session)
    body = await case.factory.request(db_session)
    secrets = {str(body[field.name]), str(getattr(row, case.attribute(field.name)))}
    url = f"{case.url}/{row.id}"
    twice = {field.name: [body[field.name], body[field.name]]}
    requests: list[tuple[str, str, str, Body | None]] = [
        ("create", "POST", case.url, {**body, "no_such_key": 1}),
        ("create", "POST", case.url, {**body, **twice}),
        ("create", "POST", case.url, body),
        ("create", "POST", case.url, body),
        ("get", "GET", url, None),
        ("list", "GET", case.url, None),
        ("update", "PATCH", url, case.changes(body)),
        ("update", "PATCH", url, twice),
        ("replace", "PUT", url, case.replacement(body)),
        ("replace", "PUT", url, twice),
        ("delete", "DELETE", url, None),
    ]
    texts = [
        (await client.request(method, target, json=sent)).text
        for verb, method, target, sent in requests
        if verb in case.verbs
    ]
    texts += [(await client.get("/metrics/metrics")).text, *capsys.readouterr()]
    for secret in (one for one in secrets if len(one) >= MARKED):
        assert not any(secret in text for text in texts)
    assert field.name not in case.answer(row)
