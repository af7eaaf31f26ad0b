"""Attacks in the values of a request: they are text, and have no effect."""

import json
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.models.base import Entity, Schema
from src.repositories.base import Repository
from tests.answers import JSON, invalid_fields, json_of, same, stored
from tests.support import Body, Case
from tests.tables import each_case

SQL = "Robert'); DROP TABLE x;--"
TAUTOLOGY = "' OR '1'='1"
BY_TYPE: Body = {
    "string": SQL,
    "text": SQL,
    "json": {SQL: [SQL]},
    "url": "https://a.test/');DROP/**/TABLE/**/x;--",
    "email": "'or'1'='1'--@a.example.com",
}
SENT = ("DROP TABLE x", "DROP/**/", "'1'='1", "''1''=''1")
PAGING = {"after", "skip", "limit", "total"}
# Values that no field of the type accepts; all other types refuse `true`.
WRONG: Body = {"boolean": 1, "json": "\0"}

# Not the service's metadata: its migrations shall not know this table.
METADATA = sa.MetaData()


class Note(Entity):
    """A text, whatever the entities of the service are."""

    metadata = METADATA
    __tablename__ = "_notes"
    __resource__ = "note"

    text: orm.Mapped[str]


class NoteCreate(Schema):
    """A new note."""

    text: str


class Notes(Repository[Note]):
    """Stores notes."""

    entity = Note


@pytest.fixture
async def notes(connection: AsyncConnection) -> AsyncIterator[Notes]:
    """A repository whose table is gone after the test."""
    await connection.run_sync(METADATA.create_all)
    async with AsyncSession(connection) as session:
        yield Notes(session)


def made_of_input(statements: list[str]) -> list[str]:
    """Return the statements that hold what was sent."""
    return [one for one in statements if any(text in one for text in SENT)]


async def keeps(client: httpx2.AsyncClient, url: str, name: str, value: Any) -> bool:
    """Whether a value is accepted, and then read back as it was; else it is refused."""
    response = await client.patch(url, json={name: value})
    if response.status_code == 422:  # it is too long, or against a pattern
        assert invalid_fields(response) == {f"/{name}"}
        return False
    assert json_of(response, 200)[name] == value
    assert json_of(await client.get(url), 200)[name] == value
    return True


@each_case
@pytest.mark.needs("get", "list", "update")
async def test_sql_in_a_request_is_text(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    url = await stored(case, db_session)
    for field in case.changed:
        if field.type in BY_TYPE:
            await keeps(client, url, field.name, BY_TYPE[field.type])
    for text in (SQL, TAUTOLOGY):
        one = await client.get(f"{case.url}/{quote(text)}")
        assert invalid_fields(one) == {f"/{case.name}_id"}
        for name in PAGING:
            some = await client.get(case.url, params={name: text})
            assert invalid_fields(some) == {f"/{name}"}
    assert json_of(await client.get(case.url), 200)["total"] == 1
    assert statements
    assert made_of_input(statements) == []


async def test_sql_in_a_value_and_in_a_filter_is_text(
    notes: Notes, statements: list[str]
) -> None:
    await notes.create(NoteCreate(text="other"))
    note = await notes.create(NoteCreate(text=SQL))
    notes.db.expunge_all()
    # A repository of one's own may filter by text as well.
    where: Any = {"text": SQL}
    sql = notes.select().where(Note.text == sa.bindparam("text"))
    found = await notes.db.scalar(sql, where)
    assert found is not None
    assert (found.id, found.text) == (note.id, SQL)
    assert await notes.db.scalar(sql, {"text": TAUTOLOGY}) is None
    assert await notes.count() == 2
    assert made_of_input(statements) == []


@each_case
@pytest.mark.needs("get", "list", "update")
async def test_a_url_in_a_value_is_never_fetched(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        for field in case.changed:
            if field.type in ("url", "string", "text", "json"):
                await keeps(client, url, field.name, address)
        json_of(await client.get(case.url), 200)
        with pytest.raises(BlockingIOError):  # nobody has connected
            server.accept()


@each_case
@pytest.mark.needs("update")
async def test_the_last_of_repeated_keys_counts(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    body = case.changes(await case.factory.request(db_session))
    types = {field.name: field.type for field in case.changed}
    for name, value in body.items():
        key, good = json.dumps(name), json.dumps(value)
        bad = json.dumps(WRONG.get(types[name], True))
        content = f"{{{key}: {bad}, {key}: {good}}}".encode()
        answer = json_of(await client.patch(url, content=content, headers=JSON), 200)
        assert same(case, answer, {name: value})
        content = f"{{{key}: {good}, {key}: {bad}}}".encode()
        refused = await client.patch(url, content=content, headers=JSON)
        assert invalid_fields(refused) == {f"/{name}"}


@each_case
@pytest.mark.needs("get", "list", "update")
async def test_unknown_parameters_are_refused_by_lists_alone(
    case: Case, app: FastAPI, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    url = await stored(case, db_session)
    row = json_of(await client.get(url), 200)
    operation = app.openapi()["paths"][case.url]["get"]
    declared = {parameter["name"] for parameter in operation["parameters"]}
    query = dict.fromkeys({"where", "order", "fields", *row} - declared, "x")
    for name, value in query.items():
        refused = await client.get(case.url, params={name: value})
        assert invalid_fields(refused) == {f"/{name}"}
    assert json_of(await client.get(url, params=query), 200) == row
    assert json_of(await client.patch(url, json={}, params=query), 200) == row
    # One that is repeated could mean either.
    assert invalid_fields(await client.get(f"{case.url}?limit=1&limit=1")) == {"/limit"}
