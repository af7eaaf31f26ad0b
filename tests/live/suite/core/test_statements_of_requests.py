"""What each request of a new project sends: no statement more than its work needs.

It runs within the project, for every entity, with rows that are linked to others.
"""

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.config import Settings
from tests.answers import json_of
from tests.support import Body, Case
from tests.tables import BY_NAME, each_case

LINKED = 3


@each_case
async def test_each_request_sends_what_it_needs(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    settings: Settings,
    statements: list[str],
) -> None:
    def reading(words: str) -> str:
        return f"BEGIN {words} ROLLBACK" if settings.read_transactions else words

    async def sent(method: str, url: str, status: int, body: Body | None = None) -> str:
        statements.clear()
        json_of(await client.request(method, url, json=body), status)
        return " ".join(statement.split()[0].rstrip(";") for statement in statements)

    keys = [link.key for link in case.links if link.key]
    body = await case.factory.request(db_session)
    created = json_of(await client.post(case.url, json=body), 201)
    one = f"{case.url}/{created['id']}"
    linked = {**body, **await linked_ids(case, db_session)}
    # A list of ids is one statement, for any number of rows and of ids.
    ids = " SELECT" * len(keys)
    reads = f"SELECT{ids}"
    version = " SELECT" if keys else ""  # links raise it after the row is written
    json_of(await client.get(one), 200)  # a connection that was idle is tested first
    assert await sent("GET", one, 200) == reading(reads)
    assert await sent("GET", case.url, 200) == reading(f"{reads} SELECT")
    assert await sent("GET", f"{case.url}?total=false", 200) == reading(reads)
    for method in ("PUT", "PATCH"):
        linking = " INSERT" * len(keys) if method == "PUT" else ""
        expected = f"BEGIN {reads}{ids} UPDATE{linking}{version} COMMIT"
        assert await sent(method, one, 200, linked) == expected
    # What is not sent, a PUT takes away and a PATCH leaves as it is.
    unlinked = {key: body[key] for key in body if key not in keys}
    assert await sent("PATCH", one, 200, unlinked) == f"BEGIN {reads} UPDATE COMMIT"
    removing = " DELETE" * len(keys)
    expected = f"BEGIN {reads} UPDATE{removing}{version} COMMIT"
    assert await sent("PUT", one, 200, unlinked) == expected
    assert await sent("PUT", one, 200, linked)
    # The database deletes the links.
    assert await sent("DELETE", one, 204) == "BEGIN SELECT DELETE COMMIT"
    # Rows with the values of this one can be created again.
    assert await sent("POST", case.url, 201, unlinked) == "BEGIN INSERT COMMIT"
    row = json_of(await client.get(f"{case.url}?limit=100"), 200)["items"][-1]
    json_of(await client.delete(f"{case.url}/{row['id']}"), 204)
    expected = f"BEGIN{ids} INSERT{' INSERT' * len(keys)}{version} COMMIT"
    assert await sent("POST", case.url, 201, linked) == expected


async def linked_ids(case: Case, db: AsyncSession) -> Body:
    """Store rows to link with; return their ids by the keys of requests."""
    found = {}
    for link in case.links:
        if link.key:
            target = BY_NAME[link.target]
            rows = [
                await target.factory.store(db) for _ in range(target.rows(LINKED) or 1)
            ]
            found[link.key] = [str(row.id) for row in rows]
    return found
