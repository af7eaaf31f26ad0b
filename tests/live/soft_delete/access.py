"""Who may restore what, and what they learn of it: within a project.

Copied to a project of tests/specs/good/soft_delete_and_access.json.
"""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.conftest import client_of
from tests.provider import Provider

NOTES, LINES, BOOKS = (f"/api/v1/{name}" for name in ("notes", "lines", "books"))
Item = dict[str, Any]
Client = httpx2.AsyncClient
As = Callable[..., Client]


@pytest.fixture
def client_as(app: FastAPI, provider: Provider) -> As:
    def make(subject: str | None, *roles: str) -> Client:
        client = client_of(app)
        del client.headers["Authorization"]
        if subject:
            token = provider.token(sub=subject, roles=[*roles])
            client.headers["Authorization"] = f"Bearer {token}"
        return client

    return make


async def made(client: Client, url: str, **body: Any) -> Item:
    response = await client.post(url, json=body)
    assert response.status_code == 201, response.text
    found: Item = response.json()
    return found


async def restore(client: Client, url: str, **headers: str) -> int:
    response = await client.post(f"{url}/restore", headers=headers)
    return response.status_code


async def deleted(client: Client, url: str) -> None:
    assert (await client.delete(url)).status_code == 204


async def test_the_rule_of_delete_is_that_of_restore(client_as: As) -> None:
    ada = client_as("ada")
    note = await made(ada, NOTES, title="A")
    line = await made(ada, LINES, text="a", noteId=note["id"])
    at, line_at = f"{NOTES}/{note['id']}", f"{LINES}/{line['id']}"
    await deleted(ada, at)
    expected = {
        (None,): 401,
        ("eve",): 404,  # she could not see it
        ("eve", "reader"): 403,
        ("eve", "admin"): 404,
        ("eve", "admin", "reader"): 200,
    }
    for who, status in expected.items():
        assert await restore(client_as(*who), at) == status, who
    shown = (await ada.get(at)).json()
    assert shown["ownerId"] == "ada"
    assert (await ada.get(line_at)).status_code == 200
    assert (await client_as("eve", "admin", "reader").get(line_at)).status_code == 404
    # Its lines are those of its owner.
    await deleted(ada, line_at)
    assert await restore(client_as("eve", "admin", "reader"), line_at) == 404
    assert await restore(ada, line_at) == 200
    assert await restore(ada, line_at) == 409


async def test_a_deleted_row_tells_nothing(client_as: As) -> None:
    ada, eve = client_as("ada"), client_as("eve")
    note = await made(ada, NOTES, title="A")
    await deleted(ada, f"{NOTES}/{note['id']}")
    for one in (ada, eve):
        response = await one.post(LINES, json={"text": "a", "noteId": note["id"]})
        assert response.status_code == 422
        assert response.json()["fields"] == ["noteId"]
    again = await made(ada, NOTES, title="A")
    response = await ada.post(f"{NOTES}/{note['id']}/restore")
    assert (response.status_code, response.json()["fields"]) == (
        409,
        ["title", "ownerId"],
    )
    await deleted(ada, f"{NOTES}/{again['id']}")
    shown = await ada.post(f"{NOTES}/{note['id']}/restore")
    assert shown.status_code == 200
    assert "grade" not in shown.json()
    assert not {"deletedAt", "deletionId", "deleted_at"} & shown.json().keys()


async def test_a_repeated_restore_shows_what_may_still_be_read(client_as: As) -> None:
    ada = client_as("ada")
    note = await made(ada, NOTES, title="A")
    at = f"{NOTES}/{note['id']}"
    await deleted(ada, at)
    key = {"Idempotency-Key": "k"}
    assert await restore(ada, at, **key) == 200
    assert await restore(ada, at, **key) == 200
    await deleted(ada, at)
    assert await restore(ada, at, **key) == 404


async def test_the_history_of_a_marked_row(client_as: As) -> None:
    ada = client_as("ada")
    book = await made(client_as("eve", "admin"), BOOKS, title="B")
    note = await made(ada, NOTES, title="A", bookId=book["id"])
    at = f"{NOTES}/{note['id']}"
    await deleted(ada, at)
    # As that of a row that is gone: for those who may read all rows.
    assert (await ada.get(f"{at}/history")).status_code == 404
    found = (await client_as("eve", "reader").get(f"{at}/history")).json()["items"]
    assert found[0]["operation"] == "update"
    assert found[0]["actor"] == "ada"
    assert found[0]["changes"].keys() == {"deletedAt"}
    await restore(ada, at)
    found = (await ada.get(f"{at}/history")).json()["items"]
    assert found[0]["changes"]["deletedAt"]["new"] is None
    # A book that is deleted leaves the note; there is nothing to take back.
    await deleted(client_as("eve", "admin"), f"{BOOKS}/{book['id']}")
    assert (await ada.get(at)).json()["bookId"] is None
