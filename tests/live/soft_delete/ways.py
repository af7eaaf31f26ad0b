"""Deleted rows are nowhere, and can be restored: within a project.

Copied to a project of tests/specs/good/soft_delete.json.
"""

import asyncio
import os
import sys
import uuid
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.purge import purge
from scripts.purge_deleted import purge_deleted
from src.core.config import Settings
from src.core.database import Base, transaction
from src.core.errors import InUseError, ReferenceNotFoundError
from src.models.entities import CategoryEntity, CustomerEntity, OrderEntity, TagEntity
from src.models.soft_delete import INCLUDE_DELETED, nulled_references
from src.repositories.customer import CustomerRepository

API = "/api/v1/"
CUSTOMERS, ORDERS, ITEMS, TAGS, TICKETS, CARDS, INVOICES, CONTRACTS, CATEGORIES = (
    API + name
    for name in (
        *("customers", "orders", "items", "tags", "tickets", "cards", "invoices"),
        *("contracts", "categories"),
    )
)
SHOPS, REGIONS, COUNTRIES = (API + name for name in ("shops", "regions", "countries"))
Item = dict[str, Any]
Client = httpx2.AsyncClient


async def made(client: Client, url: str, **body: Any) -> Item:
    response = await client.post(url, json=body)
    assert response.status_code == 201, response.text
    found: Item = response.json()
    return found


async def shown(client: Client, url: str) -> Item:
    response = await client.get(url)
    assert response.status_code == 200, response.text
    found: Item = response.json()
    return found


async def total(client: Client, url: str, **query: Any) -> int:
    response = await client.get(url, params={"total": "true", **query})
    assert response.status_code == 200, response.text
    items: list[Item] = response.json()["items"]
    assert response.json()["total"] == len(items)
    return len(items)


async def status(client: Client, verb: str, url: str, **body: Any) -> int:
    response = await client.request(verb, url, json=body or None)
    return response.status_code


async def deleted(client: Client, url: str) -> None:
    assert await status(client, "DELETE", url) == 204


async def restored(client: Client, url: str) -> Item:
    response = await client.post(f"{url}/restore")
    assert response.status_code == 200, response.text
    found: Item = response.json()
    return found


async def refused(client: Client, url: str) -> Item:
    response = await client.post(f"{url}/restore")
    assert response.status_code == 409, response.text
    found: Item = response.json()
    return found


class Shop:
    """A customer with an order of two items, and all else that refers to it."""

    async def fill(self, client: Client) -> "Shop":
        self.customer = await made(
            client, CUSTOMERS, name="Ada", mail="ada@example.com", notes="lovelace"
        )
        self.tag = await made(client, TAGS, label="new")
        who = {"customer_id": self.customer["id"]}
        tags = {"tag_ids": [self.tag["id"]]}
        self.order = await made(client, ORDERS, number=1, **who, **tags)
        of_order = {"order_id": self.order["id"]}
        self.items = [await made(client, ITEMS, label=x, **of_order) for x in "ab"]
        self.ticket = await made(client, TICKETS, title="help", **who)
        self.card = await made(client, CARDS, code="c", **who)
        self.at = f"{CUSTOMERS}/{self.customer['id']}"
        self.order_at = f"{ORDERS}/{self.order['id']}"
        self.item_at = [f"{ITEMS}/{one['id']}" for one in self.items]
        self.ticket_at = f"{TICKETS}/{self.ticket['id']}"
        self.card_at = f"{CARDS}/{self.card['id']}"
        self.tag_at = f"{TAGS}/{self.tag['id']}"
        return self


@pytest.fixture
async def shop(client: Client) -> Shop:
    return await Shop().fill(client)


async def test_a_deleted_row_is_nowhere(client: Client, shop: Shop) -> None:
    customer = shop.customer["id"]
    lists = [
        (CUSTOMERS, {}),
        (CUSTOMERS, {"name": "Ada"}),
        (CUSTOMERS, {"mail": "ADA@example.com"}),
        (CUSTOMERS, {"q": "lovelace"}),
        (CUSTOMERS, {"sort": "-name"}),
        (ORDERS, {"customer_id": customer}),
        (ORDERS, {"include": "customer"}),
        (TICKETS, {"customer_id": customer}),
        (ITEMS, {}),
    ]
    for url, query in lists:
        assert await total(client, url, **query) > 0, (url, query)
    await deleted(client, shop.at)
    for url, query in lists:
        assert await total(client, url, **query) == 0, (url, query)
    gone = [shop.at, f"{shop.at}/orders", f"{shop.at}/tickets", f"{shop.at}/card"]
    gone += [shop.order_at, f"{shop.order_at}/items", f"{shop.order_at}/tags"]
    for url in [*gone, *shop.item_at]:
        assert await status(client, "GET", url) == 404, url
    for verb, body in (("PUT", {"name": "B"}), ("PATCH", {"name": "B"})):
        assert await status(client, verb, shop.at, **body) == 404
    assert await status(client, "DELETE", shop.at) == 404
    assert (await shown(client, shop.ticket_at))["customer_id"] is None
    assert (await shown(client, shop.card_at))["customer_id"] is None
    ticket = await shown(client, f"{shop.ticket_at}?include=customer")
    assert ticket["customer"] is None
    assert await total(client, f"{shop.tag_at}/orders") == 0
    # Nothing can refer to it, and its unique values are free.
    for url, body in (
        (ORDERS, {"number": 2, "customer_id": customer}),
        (TICKETS, {"customer_id": customer}),
        (CARDS, {"customer_id": customer}),
        (CONTRACTS, {"customer_id": customer}),
    ):
        response = await client.post(url, json=body)
        assert response.status_code == 422
        assert response.json()["error"] == "reference_not_found"
        assert response.json()["fields"] == ["customer_id"]
    for verb in ("PUT", "PATCH"):
        body = {"customer_id": customer}
        assert await status(client, verb, shop.ticket_at, **body) == 422
    again = await made(client, CUSTOMERS, name="Ada", mail="Ada@example.com")
    response = await client.post(CUSTOMERS, json={"name": "Ada"})
    assert (response.status_code, response.json()["fields"]) == (409, ["name"])
    response = await client.post(
        CUSTOMERS, json={"name": "B", "mail": "ADA@EXAMPLE.COM"}
    )
    assert (response.status_code, response.json()["fields"]) == (409, ["mail"])
    assert [one["id"] for one in (await shown(client, CUSTOMERS))["items"]] == [
        again["id"]
    ]


async def test_cursors_and_pages_leave_it_out(client: Client) -> None:
    rows = [await made(client, CUSTOMERS, name=str(n)) for n in range(7)]
    for one in rows[::3]:
        await deleted(client, f"{CUSTOMERS}/{one['id']}")
    page = await shown(client, f"{CUSTOMERS}?limit=2&sort=name")
    rest = await shown(client, f"{CUSTOMERS}?limit=9&sort=name&after={page['next']}")
    found = [one["name"] for one in page["items"] + rest["items"]]
    assert found == ["1", "2", "4", "5"]
    # Nullable keys are read in two parts.
    page = await shown(client, f"{CUSTOMERS}?limit=9&sort=mail&total=true")
    assert (len(page["items"]), page["total"]) == (4, 4)


async def test_references_in_lists_of_ids(client: Client, shop: Shop) -> None:
    other = await made(client, TAGS, label="old")
    await client.patch(shop.order_at, json={"tag_ids": [shop.tag["id"], other["id"]]})
    before = await client.get(shop.order_at)
    await deleted(client, shop.tag_at)
    after = await client.get(shop.order_at)
    assert after.json()["tag_ids"] == [other["id"]]
    assert after.headers["etag"] != before.headers["etag"]
    assert await total(client, f"{shop.order_at}/tags") == 1
    assert await status(client, "GET", f"{shop.tag_at}/orders") == 404
    link = f"{shop.order_at}/tags/{shop.tag['id']}"
    assert await status(client, "PUT", link) == 404
    assert (
        await status(client, "PUT", f"{shop.tag_at}/orders/{shop.order['id']}") == 404
    )
    body = {"tag_ids": [shop.tag["id"]]}
    response = await client.patch(shop.order_at, json=body)
    assert (response.status_code, response.json()["fields"]) == (422, ["tag_ids"])
    # The link is kept for a restore, whatever happens to the list meanwhile.
    await client.patch(shop.order_at, json={"tag_ids": []})
    await restored(client, shop.tag_at)
    again = await client.get(shop.order_at)
    assert again.json()["tag_ids"] == [shop.tag["id"]]
    assert again.headers["etag"] not in (before.headers["etag"], after.headers["etag"])
    await deleted(client, shop.order_at)
    assert await status(client, "PUT", link) == 404
    assert await total(client, f"{shop.tag_at}/orders") == 0
    assert (await restored(client, shop.order_at))["tag_ids"] == [shop.tag["id"]]


async def test_a_restore_brings_all_back(client: Client, shop: Shop) -> None:
    urls = [shop.at, shop.order_at, *shop.item_at, shop.ticket_at, shop.card_at]
    before = [await shown(client, url) for url in urls]
    tag = (await client.get(shop.at)).headers["etag"]
    await deleted(client, shop.at)
    response = await client.post(f"{shop.at}/restore")
    assert response.status_code == 200
    assert response.json() == before[0]
    assert [await shown(client, url) for url in urls] == before
    assert response.headers["etag"] == (await client.get(shop.at)).headers["etag"]
    assert response.headers["etag"] != tag
    assert await total(client, f"{shop.at}/orders") == 1
    assert await total(client, f"{shop.tag_at}/orders") == 1
    assert (await refused(client, shop.at))["error"] == "conflict"
    assert await status(client, "POST", f"{CUSTOMERS}/{uuid.uuid4()}/restore") == 404
    # And once more.
    await deleted(client, shop.at)
    await restored(client, shop.at)
    assert [await shown(client, url) for url in urls] == before


async def test_a_restore_brings_its_own_deletion_only(
    client: Client, shop: Shop
) -> None:
    await deleted(client, shop.item_at[0])
    await deleted(client, shop.order_at)
    await deleted(client, shop.at)
    problem = await refused(client, shop.order_at)
    assert problem["fields"] == ["customer_id"]
    await refused(client, shop.item_at[1])
    await restored(client, shop.at)
    assert await status(client, "GET", shop.order_at) == 404
    assert await status(client, "GET", shop.item_at[1]) == 404
    problem = await refused(client, shop.item_at[0])
    assert problem["fields"] == ["order_id"]
    await restored(client, shop.order_at)
    assert await total(client, f"{shop.order_at}/items") == 1
    assert await status(client, "GET", shop.item_at[0]) == 404
    await restored(client, shop.item_at[0])
    assert await total(client, f"{shop.order_at}/items") == 2


async def test_a_part_of_a_deletion_needs_its_parent(
    client: Client, shop: Shop
) -> None:
    await deleted(client, shop.at)
    for url in (shop.order_at, shop.item_at[0]):
        await refused(client, url)
    assert await status(client, "GET", shop.order_at) == 404
    await restored(client, shop.at)


async def test_a_value_that_was_taken_meanwhile(client: Client, shop: Shop) -> None:
    await deleted(client, shop.at)
    other = await made(client, CUSTOMERS, name="B", mail="ADA@example.com")
    assert (await refused(client, shop.at))["fields"] == ["mail"]
    assert await status(client, "GET", shop.order_at) == 404
    await deleted(client, f"{CUSTOMERS}/{other['id']}")
    await restored(client, shop.at)
    assert (await refused(client, f"{CUSTOMERS}/{other['id']}"))["fields"] == ["mail"]
    # Composite, and of a reference.
    await deleted(client, shop.order_at)
    who = {"customer_id": shop.customer["id"], "number": 1}
    taken = await made(client, ORDERS, **who)
    fields = (await refused(client, shop.order_at))["fields"]
    assert fields == ["customer_id", "number"]
    await deleted(client, f"{ORDERS}/{taken['id']}")
    await restored(client, shop.order_at)
    # The one who was deleted has no card, so another customer can take it.
    await deleted(client, shop.at)
    new = await made(client, CUSTOMERS, name="C")
    await client.patch(shop.card_at, json={"customer_id": new["id"]})
    await restored(client, shop.at)
    assert (await shown(client, shop.card_at))["customer_id"] == new["id"]
    assert await status(client, "GET", f"{shop.at}/card") == 404


async def test_one_to_one_places_that_were_taken(client: Client, shop: Shop) -> None:
    await deleted(client, shop.at)
    await restored(client, shop.at)
    await deleted(client, shop.at)
    # The card refers to none now; the restored customer wants it back.
    await restored(client, shop.at)
    assert (await shown(client, f"{shop.at}/card"))["id"] == shop.card["id"]
    invoice = await made(client, INVOICES, order_id=shop.order["id"])
    response = await client.post(INVOICES, json={"order_id": shop.order["id"]})
    assert (response.status_code, response.json()["fields"]) == (409, ["order_id"])
    await deleted(client, f"{INVOICES}/{invoice['id']}")
    assert await status(client, "GET", f"{shop.order_at}/invoice") == 404
    other = await made(client, INVOICES, order_id=shop.order["id"])
    at = f"{INVOICES}/{invoice['id']}"
    assert (await refused(client, at))["fields"] == ["order_id"]
    assert (await shown(client, f"{shop.order_at}/invoice"))["id"] == other["id"]


async def test_restrict_looks_at_live_rows(client: Client, shop: Shop) -> None:
    invoice = await made(client, INVOICES, order_id=shop.order["id"])
    for url in (shop.order_at, shop.at):  # directly, and below a cascade
        response = await client.delete(url)
        assert response.status_code == 409
        assert response.json()["error"] == "resource_in_use"
        assert response.json()["referrer"] == "invoice"
    for url in (shop.at, shop.order_at, *shop.item_at):
        assert await status(client, "GET", url) == 200
    assert (await shown(client, shop.ticket_at))["customer_id"] is not None
    await deleted(client, f"{INVOICES}/{invoice['id']}")
    await deleted(client, shop.at)
    await refused(client, f"{INVOICES}/{invoice['id']}")
    await restored(client, shop.at)
    await restored(client, f"{INVOICES}/{invoice['id']}")
    contract = await made(client, CONTRACTS, customer_id=shop.customer["id"])
    assert await status(client, "DELETE", shop.order_at) == 409
    await deleted(client, f"{INVOICES}/{invoice['id']}")
    assert await status(client, "DELETE", shop.at) == 409
    await deleted(client, f"{CONTRACTS}/{contract['id']}")
    await deleted(client, shop.at)


async def test_a_refused_deletion_leaves_a_session_usable(
    client: Client, shop: Shop
) -> None:
    await made(client, INVOICES, order_id=shop.order["id"])
    async with transaction() as db:
        with pytest.raises(InUseError):
            await CustomerRepository(db).delete(uuid.UUID(shop.customer["id"]))
        db.add(TagEntity(label="more"))
    assert await status(client, "GET", shop.at) == 200
    assert await total(client, TAGS) == 2


async def test_set_null_of_marked_rows(client: Client, shop: Shop) -> None:
    await deleted(client, shop.ticket_at)
    await deleted(client, shop.at)
    assert (await restored(client, shop.ticket_at))["customer_id"] is None
    await deleted(client, shop.ticket_at)
    await restored(client, shop.at)
    # It is set again, though the row was marked at that time.
    found = await restored(client, shop.ticket_at)
    assert found["customer_id"] == shop.customer["id"]


async def test_nulled_references_that_were_set_meanwhile(
    client: Client, shop: Shop, db_session: AsyncSession
) -> None:
    other = await made(client, CUSTOMERS, name="B")
    await deleted(client, shop.at)
    await client.patch(shop.ticket_at, json={"customer_id": other["id"]})
    await deleted(client, shop.card_at)  # for good
    await restored(client, shop.at)
    assert (await shown(client, shop.ticket_at))["customer_id"] == other["id"]
    count = sa.select(sa.func.count()).select_from(nulled_references)
    assert await db_session.scalar(count) == 0


async def test_self_references_and_cycles(client: Client) -> None:
    root = await made(client, CATEGORIES, name="root")
    child = await made(client, CATEGORIES, name="child", parent_id=root["id"])
    leaf = await made(client, CATEGORIES, name="leaf", parent_id=child["id"])
    other = await made(client, CATEGORIES, name="o", substitute_id=leaf["id"])
    at = {
        one["name"]: f"{CATEGORIES}/{one['id']}" for one in (root, child, leaf, other)
    }
    own = {"substitute_id": root["id"]}
    await client.patch(at["root"], json={"parent_id": leaf["id"], **own})  # a cycle
    await deleted(client, at["child"])
    assert await total(client, CATEGORIES) == 1
    assert (await shown(client, at["o"]))["substitute_id"] is None
    await restored(client, at["leaf"])  # in a cycle, each is above the others
    assert await total(client, CATEGORIES) == 4
    assert (await shown(client, at["o"]))["substitute_id"] == leaf["id"]
    found = await shown(client, at["root"])
    assert (found["parent_id"], found["substitute_id"]) == (leaf["id"], root["id"])
    await client.patch(at["root"], json={"parent_id": root["id"]})
    await deleted(client, at["root"])
    assert await total(client, CATEGORIES) == 1
    await restored(client, at["root"])
    assert await total(client, CATEGORIES) == 4


async def test_a_hard_deletion_purges_marked_rows(
    client: Client, db_session: AsyncSession
) -> None:
    country = await made(client, COUNTRIES, name="C")
    region = await made(client, REGIONS, name="R", country_id=country["id"])
    body = {"name": "S", "region_id": region["id"]}
    await made(client, SHOPS, code="s", **body)
    await made(client, SHOPS, code="t", **body)
    customer = await made(client, CUSTOMERS, name="Ada")
    who = {"customer_id": customer["id"]}
    order = await made(client, ORDERS, number=1, shop_id="s", **who)
    await deleted(client, f"{SHOPS}/s")
    for url in (f"{REGIONS}/{region['id']}", f"{COUNTRIES}/{country['id']}"):
        response = await client.delete(url)
        assert response.status_code == 409
        assert response.json()["referrer"] == "shop"
    # The id is taken until the row is purged.
    response = await client.post(SHOPS, json={"code": "s", **body})
    assert (response.status_code, response.json()["fields"]) == (409, ["code"])
    assert (await restored(client, f"{SHOPS}/s"))["code"] == "s"
    assert (await shown(client, f"{ORDERS}/{order['id']}"))["shop_id"] == "s"
    await deleted(client, f"{SHOPS}/s")
    await deleted(client, f"{SHOPS}/t")
    await deleted(client, f"{COUNTRIES}/{country['id']}")
    assert await db_session.scalar(sa.text("SELECT count(*) FROM trade.shops")) == 0
    assert await status(client, "POST", f"{SHOPS}/s/restore") == 404


async def test_idempotency_keys_of_a_restore(client: Client, shop: Shop) -> None:
    await deleted(client, shop.at)
    headers = {"Idempotency-Key": "k"}
    first = await client.post(f"{shop.at}/restore", headers=headers)
    again = await client.post(f"{shop.at}/restore", headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    # A restore that is refused can be tried again with another key.
    await refused(client, shop.at)
    assert (await client.post(f"{shop.at}/restore", json={})).status_code in (409, 422)


async def test_preconditions_of_a_deletion(client: Client, shop: Shop) -> None:
    tag = (await client.get(shop.at)).headers["etag"]
    wrong = await client.delete(shop.at, headers={"If-Match": '"0"'})
    assert wrong.status_code == 412
    assert (await client.delete(shop.at, headers={"If-Match": tag})).status_code == 204


async def test_the_history_shows_marks(client: Client, shop: Shop) -> None:
    await deleted(client, shop.at)
    changes = (await shown(client, f"{shop.at}/history"))["items"]
    assert changes[0]["operation"] == "update"
    assert changes[0]["changes"].keys() == {"deleted_at"}
    assert changes[0]["changes"]["deleted_at"]["old"] is None
    changes = (await shown(client, f"{shop.order_at}/history"))["items"]
    assert changes[0]["changes"].keys() == {"deleted_at"}
    await restored(client, shop.at)
    changes = (await shown(client, f"{shop.order_at}/history"))["items"]
    assert changes[0]["changes"]["deleted_at"]["new"] is None
    assert changes[0]["request_id"] is not None


async def test_repositories_and_sessions(client: Client, shop: Shop) -> None:
    customer = uuid.UUID(shop.customer["id"])
    await deleted(client, shop.at)
    async with transaction() as db:
        assert await db.get(CustomerEntity, customer) is None
        by_id = sa.select(CustomerEntity).where(CustomerEntity.id == customer)
        assert await db.scalar(by_id) is None
        found = await db.scalar(by_id, execution_options={INCLUDE_DELETED: True})
        assert found is not None
        assert found.deleted_at is not None
        alias = sa.orm.aliased(CustomerEntity)
        assert await db.scalar(sa.select(sa.func.count(alias.id))) == 0
    # Whatever sets a reference, a deleted row is refused.
    async with transaction() as db:
        db.add(OrderEntity(customer_id=customer, number=5))
        with pytest.raises(ReferenceNotFoundError):
            await db.flush()
        await db.rollback()
        found = await db.scalar(by_id, execution_options={INCLUDE_DELETED: True})
        db.add(OrderEntity(customer=found, number=5))
        with pytest.raises(ReferenceNotFoundError):
            await db.flush()
        await db.rollback()
    # New rows may refer to new rows.
    async with transaction() as db:
        parent = CategoryEntity(name="p")
        db.add(CategoryEntity(name="c", parent=parent))
        other = CustomerEntity(id=uuid.uuid4(), name="new")
        db.add_all([other, OrderEntity(customer_id=other.id, number=1)])
    assert await total(client, CATEGORIES) == 2


async def test_the_purge(
    client: Client, shop: Shop, db_session: AsyncSession, settings: Settings
) -> None:
    invoice = await made(client, INVOICES, order_id=shop.order["id"])
    await deleted(client, f"{INVOICES}/{invoice['id']}")
    await deleted(client, shop.at)
    other = await Shop().fill(client)
    await deleted(client, other.item_at[0])
    rows = "INSERT INTO tags (label, deleted_at, deletion_id) SELECT 'x', now() - "
    rows += "n * interval '1 day', gen_random_uuid() FROM generate_series(1, 2500) n"
    await db_session.execute(sa.text(rows))
    await db_session.commit()
    assert await purge(settings) == {"idempotency keys": 0}
    assert (await purge_deleted(settings, 2000))["tags"] == 501
    found = await purge_deleted(settings, 1)
    assert found.pop("tags") == 1999
    assert not any(found.values())
    command = [sys.executable, "-m", "scripts.purge", "--days"]
    environment = {**os.environ, "DATABASE_URL": settings.database_url}
    process = await asyncio.create_subprocess_exec(
        *command, "0", env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert b"customers: 1 deleted" in output
    # What is not deleted is still there, and what was nulled can never be set again.
    for url in (CUSTOMERS, ORDERS, ITEMS, CARDS):
        assert await total(client, url) == (2 if url == CARDS else 1)
    assert await total(client, TICKETS) == 2
    for table in ("customers", "orders", "items", "invoices", "_nulled_references"):
        rows_of = sa.select(sa.func.count()).select_from(Base.metadata.tables[table])
        count = await db_session.scalar(rows_of)
        assert count == (table in ("customers", "orders", "items")), table
    assert await status(client, "POST", f"{shop.at}/restore") == 404
    for days in ("-1", "1000000000"):
        process = await asyncio.create_subprocess_exec(*command, days, env=environment)
        assert await process.wait() == 2


async def test_the_purge_of_a_cycle(
    client: Client, db_session: AsyncSession, settings: Settings
) -> None:
    one = await made(client, CATEGORIES, name="a")
    other = await made(client, CATEGORIES, name="b", parent_id=one["id"])
    await client.patch(f"{CATEGORIES}/{one['id']}", json={"parent_id": other["id"]})
    await deleted(client, f"{CATEGORIES}/{one['id']}")
    assert (await purge_deleted(settings, 0))["categories"] == 2
    assert await db_session.scalar(sa.text("SELECT count(*) FROM categories")) == 0


async def test_no_child_slips_in_while_its_parent_is_deleted(client: Client) -> None:
    for _ in range(3):
        customer = await made(client, CUSTOMERS, name="Ada")
        at = f"{CUSTOMERS}/{customer['id']}"

        async def order(number: int, who: str = customer["id"]) -> int:
            if number == 10:
                return await status(client, "DELETE", f"{CUSTOMERS}/{who}")
            body = {"customer_id": who, "number": number}
            return await status(client, "POST", ORDERS, **body)

        answers = await asyncio.gather(*map(order, range(21)))
        assert answers[10] == 204
        assert {*answers} <= {201, 204, 422}
        assert await total(client, ORDERS) == 0
        await restored(client, at)
        assert await total(client, f"{at}/orders", limit=50) == answers.count(201)
        await deleted(client, at)


async def test_rows_that_refer_to_a_row_while_it_is_deleted(
    client: Client, shop: Shop
) -> None:
    other = await made(client, CUSTOMERS, name="B")
    customer, order = shop.customer["id"], shop.order["id"]
    for _ in range(5):
        answers = await asyncio.gather(
            status(client, "POST", INVOICES, order_id=order),
            status(client, "PATCH", shop.ticket_at, customer_id=customer),
            *(status(client, "DELETE", shop.at) for _ in range(3)),
        )
        invoices, customers = (
            await total(client, INVOICES),
            await total(client, CUSTOMERS),
        )
        assert sorted(answers[2:]) in ([204, 404, 404], [409, 409, 409])
        is_deleted = 204 in answers[2:]
        assert answers[0] == (422 if is_deleted else 201)
        assert (invoices, customers) == ((0, 1) if is_deleted else (1, 2))
        ticket = await shown(client, shop.ticket_at)
        assert ticket["customer_id"] == (None if is_deleted else customer)
        if is_deleted:
            await restored(client, shop.at)
        else:
            (invoice,) = (await shown(client, INVOICES))["items"]
            await deleted(client, f"{INVOICES}/{invoice['id']}")
        await client.patch(shop.ticket_at, json={"customer_id": other["id"]})


async def test_a_batch_names_the_references(client: Client, shop: Shop) -> None:
    other = await made(client, CUSTOMERS, name="B")
    await deleted(client, f"{CUSTOMERS}/{other['id']}")
    ids = (shop.customer["id"], other["id"], other["id"])
    rows = [{"number": 7 + n, "customer_id": one} for n, one in enumerate(ids)]
    response = await client.post(f"{ORDERS}/batch", json={"items": rows})
    assert response.status_code == 422
    errors = [one["field"] for one in response.json()["errors"]]
    assert errors == ["/items/1/customer_id", "/items/2/customer_id"]
    assert await total(client, ORDERS) == 1


async def test_a_deletion_and_restores_at_once(client: Client, shop: Shop) -> None:
    for _ in range(5):
        await deleted(client, shop.order_at)
        answers = await asyncio.gather(
            *(status(client, "POST", f"{shop.order_at}/restore") for _ in range(4)),
            status(client, "DELETE", shop.at),
        )
        assert answers[-1] == 204
        assert sorted(answers[:4]) in ([200, 409, 409, 409], [409] * 4)
        assert await total(client, ORDERS) == 0
        assert await total(client, ITEMS) == 0
        await restored(client, shop.at)
        if await status(client, "GET", shop.order_at) == 404:
            await restored(client, shop.order_at)
        assert await total(client, f"{shop.order_at}/items") == 2


async def test_rows_that_begin_to_refer_to_each_other(client: Client) -> None:
    one, other = [await made(client, CATEGORIES, name=name) for name in "ab"]
    for _ in range(5):
        answers = await asyncio.gather(
            status(client, "PATCH", f"{CATEGORIES}/{one['id']}", parent_id=other["id"]),
            status(client, "PATCH", f"{CATEGORIES}/{other['id']}", parent_id=one["id"]),
        )
        assert answers == [200, 200]
        for row in (one, other):
            body = {"parent_id": None}
            await client.patch(f"{CATEGORIES}/{row['id']}", json=body)


async def test_a_row_and_its_parent_are_restored_at_once(
    client: Client, shop: Shop
) -> None:
    for _ in range(5):
        await deleted(client, shop.at)
        answers = await asyncio.gather(
            status(client, "POST", f"{shop.at}/restore"),
            status(client, "POST", f"{shop.order_at}/restore"),
        )
        assert answers[0] == 200
        assert answers[1] in (200, 409)
        assert await total(client, f"{shop.at}/orders") == 1


async def test_links_of_a_deleted_row_are_kept(client: Client, shop: Shop) -> None:
    version = (await client.get(shop.order_at)).headers["etag"]
    await deleted(client, shop.tag_at)
    hidden = (await client.get(shop.order_at)).headers["etag"]
    await deleted(client, f"{shop.order_at}/tags/{shop.tag['id']}")
    assert (await client.get(shop.order_at)).headers["etag"] == hidden != version
    await restored(client, shop.tag_at)
    assert (await shown(client, shop.order_at))["tag_ids"] == [shop.tag["id"]]


def test_foreign_keys_have_indexes_of_all_rows() -> None:
    """The purge would read the whole table for each row otherwise."""
    for table in Base.metadata.tables.values():
        complete = (
            one
            for one in (*table.indexes, table.primary_key)
            if one.dialect_kwargs.get("postgresql_where") is None
        )
        first = {column.name for one in complete for column in [*one.columns][:1]}
        keys = {one.parent.name for one in table.foreign_keys}
        assert keys <= first, table


async def test_many_children(client: Client, db_session: AsyncSession) -> None:
    category = await made(client, CATEGORIES, name="root")
    rows = "INSERT INTO categories (name, parent_id) SELECT 'x', :id FROM "
    statement = sa.text(f"{rows} generate_series(1, 40000)")
    await db_session.execute(statement, {"id": category["id"]})
    await db_session.commit()
    await deleted(client, f"{CATEGORIES}/{category['id']}")
    assert await total(client, CATEGORIES) == 0
    await restored(client, f"{CATEGORIES}/{category['id']}")
    page = await shown(client, f"{CATEGORIES}?total=true&limit=1")
    assert page["total"] in (40_001, None)
