"""Values over HTTP: those at the edge are kept, those beyond it are refused."""

import json
import uuid
from typing import Any

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from tests import values
from tests.answers import JSON, places, same, says, stored
from tests.support import Case, Field
from tests.tables import each_field, each_key, each_text, each_type

SURROGATE = "\ud800"


@each_field
async def test_values_at_the_edge_are_kept(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    answer = says(await client.get(url), 200)
    for value in field.taken():
        body = {field.name: value}
        content = json.dumps(body).encode()
        answer = says(await client.patch(url, content=content, headers=JSON), 200)
        assert same(case, answer, body), value
    assert says(await client.get(url), 200)[field.name] == answer[field.name]


@each_key
async def test_values_beyond_the_edge_are_refused(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    before = says(await client.get(url), 200)
    null = [] if field.nullable else [None]
    own: list[Any] = [*field.refused, *field.malformed, *null]
    all_of_its_type = values.REFUSED[field.type] if case.is_first_of_type(field) else ()
    for value in (*own, *all_of_its_type, SURROGATE):
        content = json.dumps({field.name: value}).encode()
        response = await client.patch(url, content=content, headers=JSON)
        place = "" if value == SURROGATE else f"/{field.name}"
        assert places(response) == {place}, value
    body = await case.factory.request(db_session)
    for value in own:
        response = await client.post(case.url, json={**body, field.name: value})
        assert places(response) == {f"/{field.name}"}, value
    assert says(await client.get(url), 200) == before
    assert says(await client.get(case.url), 200)["total"] == 1


@each_type
async def test_number_that_json_has_not_is_refused(
    case: Case, field: Field, client: httpx2.AsyncClient
) -> None:
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "[1e400]"):
        content = f"{{{json.dumps(field.name)}: {number}}}".encode()
        url = f"{case.url}/{uuid.uuid4()}"
        response = await client.patch(url, content=content, headers=JSON)
        assert places(response) <= {f"/{field.name}", ""}, number


@each_text
async def test_text_is_cleaned(
    case: Case, field: Field, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = await case.factory.request(db_session)
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
