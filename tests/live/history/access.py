"""Who sees what of a history, and who is named in it: within a project.

Copied to a project of tests/specs/good/history_and_access.json.
"""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from tests.conftest import client_of
from tests.provider import Provider

NOTES, TAGS, FOLDERS, PAPERS = (
    f"/api/v1/{name}" for name in ("notes", "tags", "folders", "papers")
)
Item = dict[str, Any]
As = Callable[..., httpx2.AsyncClient]


@pytest.fixture
def client_as(app: FastAPI, provider: Provider) -> As:
    def make(subject: str | None, *roles: str) -> httpx2.AsyncClient:
        client = client_of(app)
        del client.headers["Authorization"]
        if subject:
            token = provider.token(sub=subject, roles=[*roles])
            client.headers["Authorization"] = f"Bearer {token}"
        return client

    return make


async def made(client: httpx2.AsyncClient, url: str, **body: Any) -> Item:
    response = await client.post(url, json=body)
    assert response.status_code == 201, response.text
    found: Item = response.json()
    return found


async def changes(client: httpx2.AsyncClient, url: str) -> list[Item]:
    """Return the history of a row, oldest first."""
    response = await client.get(f"{url}/history")
    assert response.status_code == 200, response.text
    items: list[Item] = response.json()["items"]
    return items[::-1]


async def test_a_change_names_the_subject(client_as: As) -> None:
    ada, nobody = client_as("ada"), client_as(None)
    folder = await made(nobody, FOLDERS, name="F")
    url = f"{FOLDERS}/{folder['id']}"
    await ada.patch(url, json={"name": "G"})
    await nobody.patch(url, json={"name": "H"})
    found = await changes(nobody, url)
    assert [one["actor"] for one in found] == [None, "ada", None]
    assert all(one["request_id"] for one in found)


async def test_actors_of_rows_and_of_batches(client_as: As) -> None:
    ada, bob, nobody = client_as("ada"), client_as("bob"), client_as(None)
    body = {"items": [{"name": "A"}, {"name": "B"}]}
    for url, sender, subject in ((PAPERS, ada, "ada"), (FOLDERS, nobody, None)):
        batch = await sender.post(f"{url}/batch", json=body)
        for row in batch.json()["items"]:
            assert (row["created_by"], row["updated_by"]) == (subject, subject)
            changed = await bob.patch(f"{url}/{row['id']}", json={"name": "C"})
            assert changed.json()["created_by"] == subject
            assert changed.json()["updated_by"] == "bob"
            replaced = await ada.put(f"{url}/{row['id']}", json={"name": "D"})
            assert replaced.json()["created_by"] == subject
            assert replaced.json()["updated_by"] == "ada"
        sent = {"name": "A", "created_by": "eve"}
        assert (await ada.post(url, json=sent)).status_code == 422
        batch = await ada.post(f"{url}/batch", json={"items": [sent]})
        assert batch.status_code == 422


async def test_a_history_is_as_secret_as_its_row(client_as: As) -> None:
    ada, bob, support = client_as("ada"), client_as("bob"), client_as("s", "support")
    await made(ada, NOTES, code="n", text="t", rating=5, phone="1", pin="p")
    url = f"{NOTES}/n"
    await ada.patch(url, json={"rating": 6, "pin": "q", "text": "u"})
    unknown, hidden = (
        await bob.get(f"{NOTES}/x/history"),
        await bob.get(f"{url}/history"),
    )
    for response in (unknown, hidden):
        assert response.status_code == 404
    assert (await client_as(None).get(f"{url}/history")).status_code == 401
    own = await changes(ada, url)
    assert own[0]["changes"]["phone"]["new"] == "1"
    assert own[1]["changes"].keys() == {"pin", "text", "updated_at"}
    assert own[1]["changes"]["pin"] == {}
    theirs = await changes(support, url)
    assert "phone" not in theirs[0]["changes"]
    assert theirs[1]["changes"]["rating"] == {"old": 5, "new": 6}


async def test_a_row_that_is_gone_has_no_owner(client_as: As) -> None:
    ada, bob, support = client_as("ada"), client_as("bob"), client_as("s", "support")
    url = f"{NOTES}/n"
    tag = await made(ada, TAGS, label="T")
    await made(ada, NOTES, code="n", text="of ada", phone="1", tag_ids=[tag["id"]])
    await ada.delete(url)
    assert (await ada.get(f"{url}/history")).status_code == 404
    gone = await changes(support, url)
    assert [one["operation"] for one in gone] == ["insert", "link", "delete", "unlink"]
    assert "phone" not in gone[0]["changes"]
    # The next row of that id may be someone else's.
    await made(bob, NOTES, code="n", text="of bob")
    assert [one["actor"] for one in await changes(bob, url)] == ["bob"]
    assert (await ada.get(f"{url}/history")).status_code == 404
    assert len(await changes(support, url)) == 5


async def test_links_to_rows_of_others_are_not_named(client_as: As) -> None:
    ada, support = client_as("ada"), client_as("s", "support")
    tag = await made(ada, TAGS, label="T")
    await made(ada, NOTES, code="n", text="t", tag_ids=[tag["id"]])
    link = (await changes(ada, f"{NOTES}/n"))[1]
    assert link["changes"] == {"tag_ids": {"old": None, "new": tag["id"]}}
    link = (await changes(support, f"{NOTES}/n"))[1]
    assert (link["operation"], link["changes"]) == ("link", {})


async def test_what_becomes_write_only_is_hidden_at_once(
    client_as: As, db_session: AsyncSession
) -> None:
    ada = client_as("ada")
    await made(ada, NOTES, code="n", text="t", pin="p")
    await db_session.execute(  # as if it had not been so then
        sa.text('UPDATE _history SET new = new || \'{"pin": "canary"}\', hidden = NULL')
    )
    await db_session.commit()
    (inserted,) = await changes(ada, f"{NOTES}/n")
    assert inserted["changes"]["pin"] == {}
