"""Nothing that the service says depends on rows that the caller may not see."""

import functools
import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import Base
from tests.senders.callers import Call, reach
from tests.senders.shop import rows_of, store_alike
from tests.senders.walk import Answer, Sent, Walk, answers


def all_requests(app: FastAPI) -> list[Sent]:
    """Return requests to every operation, with ids of ada's and of bob's rows."""
    return [*Walk(app, rows_of("ada", ord("a")), rows_of("bob", ord("b"))).requests()]


async def store_anew(db: AsyncSession, caller: str, *owners: str) -> None:
    """Replace all rows by those of these owners, but for bob's that the caller sees."""
    for table in reversed(Base.metadata.sorted_tables):
        await db.execute(sa.delete(table))
    await store_alike(db, *owners, shared=lambda n: reach(n, "read", caller) == "all")


@pytest.mark.parametrize("caller", ["ada", "stranger", "anonymous"])
async def test_nothing_tells_of_the_rows_of_another_owner(
    app: FastAPI, call: Call, db_session: AsyncSession, caller: str
) -> None:
    """Answers and statements are the same with and without rows that look alike.

    Not told apart are, as docs/access.md says: that a unique value is taken, that a row
    is in use, and that a cascade removes rows of others. No request here gets to that. The
    version of a row counts its links to rows of others.
    """
    requests = all_requests(app)
    found = []
    for owners in (("ada",), ("ada", "bob")):
        restore = functools.partial(store_anew, db_session, caller, *owners)
        await restore()
        found.append(await answers(app, call(caller), requests, restore))
    for alone, together in zip(*found, strict=True):
        assert alone == together
        assert [*unrestricted(together)] == []
    assert {(one.request.method, one.status) for one in found[0]} >= {
        "ada": {
            *(("GET", status) for status in (200, 403, 404, 422)),
            *(("POST", status) for status in (201, 403, 409, 422)),
            *(("PATCH", status) for status in (200, 403, 404, 422)),
            *(("PUT", status) for status in (200, 204, 403, 404, 422)),
            *(("DELETE", status) for status in (204, 403, 404)),
        },
        "stranger": {("GET", 200), ("GET", 404), ("PATCH", 404), ("POST", 403)},
        "anonymous": {("GET", 200), ("GET", 401), ("PATCH", 401), ("POST", 401)},
    }[caller]


def unrestricted(answer: Answer) -> Iterator[str]:
    """Yield the statements on rows that have owners that do not compare the owner."""
    owned = ("FROM customers ", "FROM orders ", "FROM order_items ", "FROM labels ")
    if (answer.request.method, answer.status) == ("PUT", 204):
        return  # the row that gets a link has been found, and is locked by its id
    for statement in answer.statements:
        if statement.startswith("SELECT orders._version \nFROM"):
            continue  # of a row that has just been changed, so it was found and is locked
        is_restricted = "owner_id = $" in statement or "false" in statement
        is_of_owners = any(one in statement for one in owned)
        if statement.startswith("SELECT") and is_of_owners and not is_restricted:
            yield statement


async def test_every_operation_is_requested(app: FastAPI) -> None:
    """A new route is requested too, or this fails."""
    names = re.compile("{[^}]+}")
    ids = re.compile("[0-9a-f-]{36}")
    requested = {(one.method, ids.sub("{}", one.path)) for one in all_requests(app)}
    assert requested == {
        (method.upper(), names.sub("{}", path))
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if not path.startswith(("/health/", "/metrics/"))
    }
