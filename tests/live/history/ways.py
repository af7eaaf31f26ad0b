"""Every way to write a row is in its history, with who did it: within a project.

Copied to a project of tests/specs/good/history.json.
"""

import asyncio
import datetime as dt
import json
import uuid
from typing import Any

import asyncpg
import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from scripts.purge import BATCH, purge
from src.core.config import Settings
from src.core.database import transaction
from src.models.entities import ProductEntity
from src.models.history import history

PRODUCTS, SHOPS, TAGS, MAKERS = (
    f"/api/v1/{name}" for name in ("products", "shops", "tags", "makers")
)
CANARY = "canary-4f1d"
Item = dict[str, Any]


async def made(client: httpx2.AsyncClient, url: str, **body: Any) -> Item:
    response = await client.post(url, json=body)
    assert response.status_code == 201, response.text
    return {**response.json(), "request": response.headers["x-request-id"]}


async def changes(client: httpx2.AsyncClient, url: str) -> list[Item]:
    """Return the history of a row, oldest first."""
    response = await client.get(f"{url}/history")
    assert response.status_code == 200, response.text
    return response.json()["items"][::-1]


async def verbs(client: httpx2.AsyncClient, url: str) -> list[str]:
    return [one["operation"] for one in await changes(client, url)]


async def count(db: AsyncSession) -> int:
    await db.rollback()
    return await db.scalar(sa.select(sa.func.count()).select_from(history)) or 0


@pytest.fixture
async def psql(settings: Settings) -> Any:
    """A connection that is not the service's, in another time zone and search path."""
    connection = await asyncpg.connect(
        settings.database_url.replace("+asyncpg", ""),
        server_settings={"TimeZone": "Asia/Kolkata", "search_path": "trade"},
    )
    yield connection
    await connection.close()


EVERYTHING = {
    "title": "A",
    "notes": "<p>n</p>",
    "unitPrice": "12345678901234.10",
    "weight": 0.1,
    "stock": 9007199254740993,
    "active": False,
    "kind": "toy",
    "extra": {"a": [1, 1.5, None, "x"]},
    "code": str(uuid.UUID(int=7)),
    "since": "2026-01-31",
    "opens": "08:30:00.000120",
    "due": "2026-01-31T12:00:00.120000Z",
    "mail": "a@example.com",
}


async def test_values_are_written_as_elsewhere(
    client: httpx2.AsyncClient, psql: asyncpg.Connection
) -> None:
    row = await made(client, PRODUCTS, **EVERYTHING)
    (inserted,) = await changes(client, f"{PRODUCTS}/{row['id']}")
    shown = (await client.get(f"{PRODUCTS}/{row['id']}")).json()
    for key in [*EVERYTHING, "id", "created_at"]:
        assert inserted["changes"][key] == {"old": None, "new": shown[key]}, key
    assert "notes" in inserted["changes"]
    assert "maker_id" not in inserted["changes"]
    assert "_version" not in inserted["changes"]
    assert "_search" not in inserted["changes"]
    for value in ("123", "true", "[1]", "null", 1.50, True, [{"a": "1"}]):
        await client.patch(f"{PRODUCTS}/{row['id']}", json={"extra": value})
        change = (await changes(client, f"{PRODUCTS}/{row['id']}"))[-1]["changes"]
        assert json.dumps(change["extra"]["new"]) == json.dumps(value)
    # The time zone of who writes changes nothing.
    await psql.execute("UPDATE public.products SET due = due + interval '1 hour'")
    updated = (await changes(client, f"{PRODUCTS}/{row['id']}"))[-1]
    assert updated["changes"] == {
        "due": {"old": shown["due"], "new": "2026-01-31T13:00:00.120000Z"}
    }


async def test_each_verb_writes_one_change(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await made(client, PRODUCTS, title="A", stock=1)
    url = f"{PRODUCTS}/{row['id']}"
    done = [
        await client.patch(url, json={"title": "B"}, headers={"X-Request-ID": "mine"}),
        await client.patch(url, json={"title": "B"}),  # only updated_at
        await client.put(url, json={"title": "C"}),
        await client.delete(url),
        await client.delete(url),
    ]
    ids = [one.headers["x-request-id"] for one in done[:4]]
    found = await changes(client, url)
    assert [one["operation"] for one in found] == [
        *("insert", "update", "update", "update", "delete")
    ]
    assert [one["request_id"] for one in found] == [row["request"], *ids]
    assert ids[0] == "mine"
    assert {one["actor"] for one in found} == {None}
    assert found[1]["changes"]["title"] == {"old": "A", "new": "B"}
    assert found[1]["changes"].keys() == {"title", "updated_at"}
    assert found[2]["changes"].keys() == {"updated_at"}
    assert found[3]["changes"]["stock"] == {"old": 1, "new": 0}
    assert found[4]["changes"]["title"] == {"old": "C", "new": None}
    assert found[0]["at"] == row["created_at"]
    assert await count(db_session) == 5
    await client.get("/api/v1/makers")
    await made(client, MAKERS, name="no history")
    assert await count(db_session) == 5
    assert (await client.get(f"{MAKERS}/{uuid.uuid4()}/history")).status_code == 404


async def test_a_failed_request_leaves_nothing(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = {"code": "a", "name": "A"}
    await made(client, SHOPS, **body)
    assert (await client.post(SHOPS, json=body)).status_code == 409
    items = {"items": [{"code": "b", "name": "B"}, body]}
    assert (await client.post(f"{SHOPS}/batch", json=items)).status_code == 409
    assert await count(db_session) == 1


async def test_batches_and_repeated_requests(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = {"items": [{"title": str(number)} for number in range(5)]}
    headers = {"Idempotency-Key": "k"}
    first = await client.post(f"{PRODUCTS}/batch", json=body, headers=headers)
    again = await client.post(f"{PRODUCTS}/batch", json=body, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert await count(db_session) == 5
    for row in first.json()["items"]:
        (one,) = await changes(client, f"{PRODUCTS}/{row['id']}")
        assert one["request_id"] == first.headers["x-request-id"]


async def test_links_belong_to_the_row_with_the_list(
    client: httpx2.AsyncClient, psql: asyncpg.Connection
) -> None:
    tags = [(await made(client, TAGS, label=str(n)))["id"] for n in range(3)]
    row = await made(client, PRODUCTS, title="A", tag_ids=tags[:2])
    other = await made(client, PRODUCTS, title="B")
    url = f"{PRODUCTS}/{row['id']}"
    await client.put(f"{TAGS}/{tags[2]}/products/{row['id']}")  # from the other side
    await client.patch(url, json={"tag_ids": tags[1:]})
    await client.put(f"{url}/related/{other['id']}")
    await client.delete(f"{TAGS}/{tags[1]}")  # cascades to the link
    await psql.execute("SET search_path TO public; DELETE FROM products_tags")
    found = [
        (one["operation"], value)
        for one in (await changes(client, url))[1:]
        if one["operation"] != "update"
        for value in [one["changes"]]
    ]
    expected = [
        *(("link", {"tag_ids": {"old": None, "new": tag}}) for tag in tags[:2]),
        ("link", {"tag_ids": {"old": None, "new": tags[2]}}),
        ("unlink", {"tag_ids": {"old": tags[0], "new": None}}),
        ("link", {"related_ids": {"old": None, "new": other["id"]}}),
        ("unlink", {"tag_ids": {"old": tags[1], "new": None}}),
        ("unlink", {"tag_ids": {"old": tags[2], "new": None}}),
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert found[2:] == expected[2:]
    assert await verbs(client, f"{PRODUCTS}/{other['id']}") == ["insert"]
    await client.delete(url)
    *_, deleted, unlinked = await changes(client, url)
    assert unlinked["changes"] == {"related_ids": {"old": other["id"], "new": None}}
    assert deleted["operation"] == "delete"


async def test_what_the_database_does_by_itself(
    client: httpx2.AsyncClient, psql: asyncpg.Connection
) -> None:
    maker = await made(client, MAKERS, name="M")
    await made(client, SHOPS, code="s", name="S")
    row = await made(client, PRODUCTS, title="A", maker_id=maker["id"], shop_id="s")
    url = f"{PRODUCTS}/{row['id']}"
    gone = await client.delete(f"{MAKERS}/{maker['id']}")  # ON DELETE SET NULL
    nulled = (await changes(client, url))[-1]
    assert nulled["changes"] == {"maker_id": {"old": maker["id"], "new": None}}
    assert nulled["request_id"] == gone.headers["x-request-id"]
    gone = await client.delete(f"{SHOPS}/s")  # ON DELETE CASCADE
    deleted = (await changes(client, url))[-1]
    assert deleted["operation"] == "delete"
    assert deleted["request_id"] == gone.headers["x-request-id"]
    # psql knows no request, after one of the service on the same connection as well.
    await psql.execute("INSERT INTO shops (code, name) VALUES ('t', 'T')")
    await psql.execute("UPDATE shops SET name = 'U', _version = 7")
    await psql.execute("UPDATE shops SET _version = 7")
    await psql.execute("DELETE FROM shops")
    found = await changes(client, f"{SHOPS}/t")
    assert [one["operation"] for one in found] == ["insert", "update", "delete"]
    assert [one["request_id"] for one in found] == [None] * 3
    assert found[1]["changes"] == {"name": {"old": "T", "new": "U"}}


async def test_no_sender_stays_on_a_connection(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    for number in range(30):
        await made(client, SHOPS, code=str(number), name="S")
    async with transaction() as db:
        actor = await db.scalar(sa.text("SELECT current_setting('app.actor', true)"))
        assert not actor
        db.add(ProductEntity(title="a job's"))
    found = await db_session.execute(
        sa.select(history.c.actor, history.c.request_id).where(
            history.c.resource == "products"
        )
    )
    assert found.all() == [(None, None)]


async def test_savepoints_keep_the_sender(client: httpx2.AsyncClient) -> None:
    # A create with a key is behind a savepoint, of which the batch has others.
    body = {"items": [{"code": "a", "name": "A"}, {"code": "a", "name": "A"}]}
    headers = {"Idempotency-Key": "k"}
    response = await client.post(f"{SHOPS}/batch", json=body, headers=headers)
    assert response.status_code == 409
    one = {"code": "a", "name": "A"}
    response = await client.post(SHOPS, json=one, headers={"Idempotency-Key": "l"})
    (found,) = await changes(client, f"{SHOPS}/a")
    assert found["request_id"] == response.headers["x-request-id"]


async def test_write_only_values_are_nowhere(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    body = {"title": "A", "secret": f"{CANARY}-1", "key": f"{CANARY}-2"}
    row = await made(client, PRODUCTS, **body)
    url = f"{PRODUCTS}/{row['id']}"
    await client.patch(url, json={"secret": f"{CANARY}-3"})
    await client.patch(url, json={"secret": None, "title": "B"})
    await client.delete(url)
    found = await changes(client, url)
    keys = [{k for k, v in one["changes"].items() if v == {}} for one in found]
    assert keys == [{"secret", "key"}, {"secret"}, {"secret"}, {"key"}]
    assert CANARY not in json.dumps(found)
    raw = await db_session.scalars(sa.text("SELECT _history::text FROM _history"))
    assert CANARY not in "".join(raw)


async def test_concurrent_changes_of_a_row_are_in_order(
    client: httpx2.AsyncClient,
) -> None:
    row = await made(client, PRODUCTS, title="0", stock=0)
    url = f"{PRODUCTS}/{row['id']}"
    await asyncio.gather(*(client.patch(url, json={"stock": n}) for n in range(1, 16)))
    stock = 0
    for one in (await changes(client, url))[1:]:
        assert one["changes"]["stock"]["old"] == stock
        stock = one["changes"]["stock"]["new"]
    assert stock == (await client.get(url)).json()["stock"]


MANY = """
INSERT INTO _history (resource, row_id, operation, old, new, at)
SELECT CASE WHEN n % 10 = 0 THEN 'shops' ELSE 'products' END,
    CASE WHEN n % 97 = 0 THEN 'x' ELSE (n % 1000)::text END, 'update',
    jsonb_build_object('title', n), jsonb_build_object('title', n + 1),
    now() - (200000 - n) * interval '1 minute'
FROM generate_series(1, 200000) n
"""


async def test_a_page_of_many_changes_reads_only_its_rows(
    client: httpx2.AsyncClient, connection: AsyncConnection
) -> None:
    from src.repositories.row_history import _page

    await connection.exec_driver_sql(MANY)
    await connection.exec_driver_sql("ANALYZE _history")
    for since_deletion in (False, True):
        sent = {"resource": "products", "row_id": "x", "before": 100_000, "most": 21}
        statement = _page(since_deletion=since_deletion)
        compiled = statement.compile(dialect=connection.dialect)
        values = [{**compiled.params, **sent}[name] for name in compiled.positiontup]
        plan = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", tuple(values)
        )
        found = plan.scalar_one()
        found = json.loads(found) if isinstance(found, str) else found
        read = [one for one in nodes(found[0]["Plan"]) if "Relation Name" in one]
        assert read
        for one in read:
            assert "Index" in one["Node Type"], one
            rows = one["Actual Rows"] * one["Actual Loops"]
            assert rows + one.get("Rows Removed by Filter", 0) <= 42


def nodes(plan: Item) -> list[Item]:
    return [plan, *(one for inner in plan.get("Plans", []) for one in nodes(inner))]


async def test_the_purge_deletes_what_is_older(
    client: httpx2.AsyncClient, db_session: AsyncSession, settings: Settings
) -> None:
    rows = [
        {
            "resource": "products",
            "row_id": "x",
            "operation": "update",
            "at": dt.datetime.now(dt.UTC) - dt.timedelta(days=age, hours=1),
        }
        for age in (30, 29)
    ]
    await db_session.execute(sa.insert(history), [rows[0]] * (BATCH + 5) + [rows[1]])
    await db_session.commit()
    assert await purge(settings) == {"idempotency keys": 0}
    days = settings.model_copy(update={"history_days": 30})
    assert await purge(days) == {"idempotency keys": 0, "history": BATCH + 5}
    assert await purge(days) == {"idempotency keys": 0, "history": 0}
    assert await count(db_session) == 1
