"""Entity tags, If-Match and If-None-Match, for every entity."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import json_of, problem, stored
from tests.support import VERBS, Body, Case
from tests.tables import each_case

OTHER = '"7-0123456789abcdef"'
MALFORMED = ("", ",", "1", '"1', '"a" "b"', 'w/"a"', "**")
WRITES = ("replace", "update", "delete")


async def writes(case: Case, db: AsyncSession) -> list[tuple[str, Body | None]]:
    """Return the method and a valid body of each verb that changes a row."""
    body = await case.factory.request(db)
    sent = {"replace": case.replacement(body), "update": case.changes(body)}
    return [(VERBS[v][0], sent.get(v)) for v in WRITES if v in case.verbs]


async def send(
    client: httpx2.AsyncClient, method: str, url: str, body: Body | None, tag: str
) -> httpx2.Response:
    """Send a change of the row that has this entity tag."""
    headers = {"If-Match": tag}
    return await client.request(method, url, json=body, headers=headers)


@each_case
@pytest.mark.needs("get")
async def test_the_answer_to_a_write_has_the_tag_of_the_next_get(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    first = await client.get(url)
    tags, shown = [first.headers["etag"]], {first.text}
    for method, body in await writes(case, db_session):
        if method != "DELETE":
            response = await send(client, method, url, body, tags[-1])
            json_of(response, 200)
            found = await client.get(url)
            assert found.headers["etag"] == response.headers["etag"]
            assert found.headers["cache-control"] == "private, no-cache"
            assert "Authorization" in found.headers["vary"]
            tags.append(found.headers["etag"])
            shown.add(found.text)
    assert len(set(tags)) >= len(shown)


@each_case
@pytest.mark.needs("create", "get")
async def test_a_new_row_has_a_tag(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    created = await client.post(case.url, json=await case.factory.request(db_session))
    found = await client.get(f"{case.url}/{case.id_of(json_of(created, 201))}")
    assert found.headers["etag"] == created.headers["etag"]


@each_case
@pytest.mark.needs("get")
async def test_what_the_sender_has_is_not_sent_again(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    tag = (await client.get(url)).headers["etag"]
    for known in (tag, f"W/{tag}", f"{OTHER}, {tag}", "*"):
        response = await client.get(url, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
    for unknown in (OTHER, f'{tag[:-1]}0"'):
        response = await client.get(url, headers={"If-None-Match": unknown})
        json_of(response, 200)


@each_case
async def test_a_write_of_another_version_is_refused(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    url, before = f"{case.url}/{row.id}", case.answer(row)
    for method, body in await writes(case, db_session):
        for tag in (OTHER, '"1"', f"W/{OTHER.replace('7', '1')}", '""'):
            response = await send(client, method, url, body, tag)
            problem(response, 412, "precondition_failed")
        for tag in MALFORMED:
            problem(await send(client, method, url, body, tag), 400, "bad_request")
    db_session.expunge_all()
    assert case.answer(await case.repository(db_session).get(row.id)) == before
    for method, body in await writes(case, db_session):
        unknown = f"{case.url}/{case.factory.unknown_id()}"
        response = await send(client, method, unknown, body, OTHER)
        problem(response, 404, "resource_not_found")
    for method, body in await writes(case, db_session):
        response = await send(client, method, url, body, "*")
        assert response.status_code in (200, 204)


@each_case
async def test_a_version_can_be_required(
    case: Case, app: FastAPI, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    unknown = f"{case.url}/{case.factory.unknown_id()}"
    settings = app.state.settings
    app.state.settings = settings.model_copy(update={"require_if_match": True})
    try:
        for method, body in await writes(case, db_session):
            response = await client.request(method, url, json=body)
            problem(response, 428, "precondition_required")
            response = await client.request(method, unknown, json=body)
            problem(response, 404, "resource_not_found")
    finally:
        app.state.settings = settings
