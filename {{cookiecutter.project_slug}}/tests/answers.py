"""Reads the answers of the API, and checks that every error has the same shape."""

from typing import Any

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.errors import PROBLEM_JSON
from tests.support import Body, Case, keys

JSON = {"Content-Type": "application/json"}


def json_of(response: httpx2.Response, status: int) -> Any:
    """Return the JSON of an answer that has the expected status."""
    assert response.status_code == status, response.text
    if status == 204:
        assert response.content == b""
        return None
    return response.json()


def problem(response: httpx2.Response, status: int, error: str) -> Body:
    """Return the body of an error, which has one shape wherever it was raised."""
    body: Body = json_of(response, status)
    assert response.headers["content-type"] == PROBLEM_JSON
    assert body["status"] == status
    assert body["error"] == error, body
    assert body["title"]
    assert body["type"] == "about:blank"
    assert body["detail"] == body["message"] != ""
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def invalid_fields(response: httpx2.Response) -> set[str]:
    """Return the fields that a 422 names."""
    errors = problem(response, 422, "validation_error")["errors"]
    assert all(error["message"] and error["type"] for error in errors)
    return {"/".join(error["field"].split("/")[:2]) for error in errors}


def same(case: Case, answer: Body, body: Body) -> bool:
    """Whether an answer holds what was sent: 1.5 and 1.50 are the same decimal."""
    return all(
        case.value(key, answer[key]) == case.value(key, body[key])
        for key in body
        if key in keys(case.resource)
    )


async def stored(case: Case, db: AsyncSession, **changes: Any) -> str:
    """Store a row and return its URL."""
    return f"{case.url}/{(await case.factory.store(db, **changes)).id}"


async def walk(client: httpx2.AsyncClient, url: str, case: Case) -> list[Any]:
    """Return the ids of a list of a case's rows, read page by page."""
    page = json_of(await client.get(url, params={"limit": 1}), 200)
    total, found = page["total"], page["items"]
    while page["next"]:
        query = {"limit": 1, "after": page["next"], "total": "false"}
        page = json_of(await client.get(url, params=query), 200)
        found += page["items"]
    assert total == len(found)
    return [case.id_of(item) for item in found]
