"""`read_access` and `write_access` of fields, in every answer and request."""

import csv
import functools
import io
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from src.api.dependencies import CustomerServiceDep, SessionDep
from src.core.database import async_session_maker
from src.main import create_app
from src.models import entities as e
from src.models.schemas import Customer, CustomerUpdate
from src.repositories.customer import CustomerRepository
from src.services.customer import CustomerService
from tests.provider import Provider
from tests.senders.callers import BY_NAME, CALLERS, Call, client_for, reads, url
from tests.senders.customers import OWNERS, RULES, Rows, may, rows_of, store
from tests.senders.walk import Sent, Walk, answers
from tests.support import as_json

BY_EACH = pytest.mark.parametrize("caller", CALLERS)
BY_OWNER = pytest.mark.parametrize("owner", OWNERS)
HIDDEN = {"email", "rating", "badge_code", "internal", "note", "price"}
# A valid value that no row has.
OTHER: dict[str, Any] = {
    "email": "b@example.com",
    "rating": 1,
    "badge_code": "C",
    "internal": "j",
    "pin": "9",
    "motto": "Stop",
    "note": "heavy",
    "price": "7.00",
}


@pytest.fixture
async def rows(db_session: AsyncSession) -> Rows:
    """A customer and an order of ada, and of bob."""
    return await store(db_session)


def shown(name: str, caller: str, owner: str) -> set[str]:
    """Return the fields with rules of their own that a caller may read."""
    fields = [one for one in RULES[name] if one in HIDDEN]
    return {one for one in fields if may("read", name, one, caller, owner)}


def is_right(answer: dict[str, Any], name: str, caller: str, owner: str) -> bool:
    """Whether an answer has the fields that its reader may read, and their values."""
    row = rows_of(owner)[name]
    expected = {key: as_json(getattr(row, key)) for key in shown(name, caller, owner)}
    return {key: answer[key] for key in HIDDEN & answer.keys()} == expected


@BY_EACH
@BY_OWNER
async def test_every_answer_has_the_fields_that_its_reader_may_read(
    rows: Rows, call: Call, caller: str, owner: str
) -> None:
    client = call(caller)
    place = [*OWNERS].index(owner)
    customer, order = (url(name, rows[owner][name]) for name in ("Customer", "Order"))
    found = (await client.get(order)).json()
    assert is_right(found, "Order", caller, owner)
    found = (await client.get(url("Order"))).json()["items"][place]
    assert is_right(found, "Order", caller, owner)
    if not reads("Customer", caller, owner):
        return
    for address in (f"{order}?include=customer", f"{url('Order')}?include=customer"):
        answer = (await client.get(address)).json()
        found = answer["items"][place] if "items" in answer else answer
        assert is_right(found, "Order", caller, owner)
        assert is_right(found["customer"], "Customer", caller, owner)
    (found,) = (await client.get(f"{customer}/orders")).json()["items"]
    assert is_right(found, "Order", caller, owner)
    found = (await client.get(customer)).json()
    assert is_right(found, "Customer", caller, owner)
    changes: dict[str, Any] = {"name": "Ada"}
    for content in ({}, changes):
        answer = await client.patch(customer, json=content)
        if answer.status_code == 200:
            assert is_right(answer.json(), "Customer", caller, owner)
    answer = await client.patch(order, json={"number": "2"})
    assert answer.status_code == 200
    assert is_right(answer.json(), "Order", caller, owner)


@BY_EACH
async def test_csv_has_no_column_that_none_of_its_rows_can_show(
    rows: Rows, call: Call, caller: str
) -> None:
    answer = await call(caller).get(url("Order"), headers={"Accept": "text/csv"})
    table = [*csv.DictReader(io.StringIO(answer.text))]
    is_known = CALLERS[caller] is not None
    assert ("note" in table[0], "price" in table[0]) == (is_known, is_known)
    for row, owner in zip(table, OWNERS, strict=True):
        own = may("read", "Order", "note", caller, owner)
        assert row.get("note", "") == ("fragile" if own else "")


@BY_EACH
@BY_OWNER
@pytest.mark.parametrize("field", OTHER)
async def test_a_field_is_set_by_those_who_may(
    rows: Rows,
    call: Call,
    db_session: AsyncSession,
    caller: str,
    owner: str,
    field: str,
) -> None:
    name = "Customer" if field in RULES["Customer"] else "Order"
    client, row = call(caller), rows[owner][name]
    address, sent = url(name, row), {field: OTHER[field]}
    answer = await client.patch(address, json=sent)
    allowed = (await client.patch(address, json={})).status_code
    if allowed != 200:
        assert answer.status_code == allowed
    elif RULES[name][field].get("immutable") and may(
        "write", name, field, caller, owner
    ):
        assert answer.status_code == 422
    elif may("write", name, field, caller, owner):
        assert answer.status_code == 200
        await db_session.refresh(row)
        assert as_json(getattr(row, field)) == OTHER[field]
        is_shown = field in HIDDEN and may("read", name, field, caller, owner)
        assert (field in answer.json()) == (is_shown or field == "motto")
    else:
        assert answer.status_code == 403
        problem = answer.json()
        assert (problem["error"], problem["fields"]) == ("forbidden", [field])
        # What is stored may not be sent either: the answer would tell what it is.
        stored = as_json(getattr(row, field))
        again = await client.patch(address, json={field: stored})
        assert again.status_code == 403


@BY_EACH
async def test_a_put_keeps_what_its_sender_may_not_set(
    rows: Rows, call: Call, db_session: AsyncSession, caller: str
) -> None:
    for owner in OWNERS:
        row = rows[owner]["Order"]
        sent = {"number": "9", "customer_id": str(row.customer_id)}
        answer = await call(caller).put(url("Order", row), json=sent)
        if not reads("Customer", caller, owner):
            assert answer.status_code == 401
            continue
        assert answer.status_code == 200
        await db_session.refresh(row)
        is_set = may("write", "Order", "note", caller, owner)
        assert (row.number, row.note) == ("9", None if is_set else "fragile")
        is_set = may("write", "Order", "price", caller, owner)
        assert str(row.price) == ("1.50" if is_set else "2.50")


async def test_a_put_needs_a_required_field_of_those_who_may_set_it(
    rows: Rows, call: Call, db_session: AsyncSession
) -> None:
    row = rows["bob"]["Customer"]
    answer = await call("bob").put(url("Customer", row), json={"name": "Bob"})
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert (problem["field"], problem["type"]) == ("/motto", "missing")
    answer = await call("support").put(url("Customer", row), json={"name": "New"})
    assert answer.status_code == 200
    await db_session.refresh(row)
    kept = (row.motto, row.badge_code, row.pin, row.internal)
    assert kept == ("Go", "B", "1234", "i")
    assert (row.name, row.email, row.rating) == ("New", None, 3)


@pytest.mark.parametrize(
    ("query", "statuses", "own"),
    [
        ("rating__gte=1", {"support": 200, "ada": 403}, False),
        ("sort=rating", {"support": 200, "ada": 403}, False),
        ("internal=i", {"support": 403, "ada": 403}, False),
        ("sort=-internal", {"support": 403, "ada": 403}, False),
        ("email=a@example.com", {"support": 200, "ada": 200, "stranger": 200}, True),
        ("email__null=false&sort=-email", {"support": 200, "ada": 200}, True),
        ("sort=name,email", {"support": 200, "ada": 200, "stranger": 200}, True),
    ],
)
async def test_a_list_is_filtered_and_sorted_by_what_may_be_read(
    rows: Rows, call: Call, query: str, statuses: dict[str, int], own: bool
) -> None:
    """By a field that the owner may read, only own rows are found, and counted."""
    for caller, status in statuses.items():
        answer = await call(caller).get(f"{url('Customer')}?{query}&limit=1")
        assert answer.status_code == status, answer.text
        if status == 403:
            field = query.removeprefix("sort=").strip("-").partition("=")[0]
            assert answer.json()["fields"] == [field.partition("__")[0]]
            continue
        owners = ["ada", "bob"]
        if own and caller != "support":
            owners = [one for one in owners if one == caller]
        page = answer.json()
        found = [one["owner_id"] for one in page["items"]]
        while page["next"]:
            after = f"{query}&limit=1&after={page['next']}"
            page = (await call(caller).get(f"{url('Customer')}?{after}")).json()
            found += [one["owner_id"] for one in page["items"]]
        assert sorted(found) == owners
        assert page["total"] == len(owners)


async def test_child_lists_are_filtered_by_what_may_be_read(
    rows: Rows, call: Call
) -> None:
    address = f"{url('Customer', rows['bob']['Customer'])}/orders"
    for caller, count in (("ada", 0), ("bob", 1)):
        page = (await call(caller).get(f"{address}?price__gt=1")).json()
        assert (len(page["items"]), page["total"]) == (count, count)
    answer = await call("anonymous").get(f"{url('Order')}?sort=price")
    assert answer.status_code == 401


async def test_a_create_sets_what_its_sender_may_set(rows: Rows, call: Call) -> None:
    sent = {"name": "C", "badge_code": "X", "motto": "Go", "email": "c@example.com"}
    answer = await call("ada").post(url("Customer"), json=sent)
    assert answer.status_code == 201
    created = answer.json()
    assert created["email"] == "c@example.com"
    assert not {"rating", "badge_code", "internal", "pin"} & created.keys()
    for field in ("rating", "internal"):
        answer = await call("ada").post(
            url("Customer"), json={**sent, field: OTHER[field]}
        )
        assert (answer.status_code, answer.json()["fields"]) == (403, [field])
    order = {"number": "5", "customer_id": created["id"]}
    for caller, status in (("ada", 201), ("bob", 403)):
        answer = await call(caller).post(url("Order"), json={**order, "note": "x"})
        assert answer.status_code == status
        assert ("note" in answer.json()) == (status == 201)
        answer = await call(caller).post(url("Order"), json=order)
        assert answer.status_code == 201
        assert ("price" in answer.json()) == (caller == "ada")


async def test_a_field_is_not_set_while_a_row_is_moved_to_another_owner(
    rows: Rows, call: Call, db_session: AsyncSession
) -> None:
    row, theirs = rows["ada"]["Order"], str(rows["bob"]["Customer"].id)
    ada = call("ada")
    both = {"customer_id": theirs, "note": "x"}
    answer = await ada.patch(url("Order", row), json=both)
    assert (answer.status_code, answer.json()["fields"]) == (403, ["note"])
    answer = await ada.patch(url("Order", row), json={"customer_id": theirs})
    assert answer.status_code == 200
    assert "note" not in answer.json()  # it is bob's now


async def test_nothing_tells_of_fields_that_may_not_be_read(
    app: FastAPI, call: Call, db_session: AsyncSession
) -> None:
    """Answers and statements are the same, whatever these fields have."""
    await store(db_session)
    requests = [*Walk(app, rows_of("ada"), rows_of("bob")).requests()]
    for caller in ("ada", "stranger", "anonymous"):
        found = []
        for is_changed in (False, True):
            restore = functools.partial(restored, db_session, caller, is_changed)
            await restore()
            found.append(await answers(app, call(caller), requests, restore))
        for one, other in zip(*found, strict=True):
            assert one == other or becomes_owner(one.request)


def becomes_owner(sent: Sent) -> bool:
    """Whether ada makes bob's order hers, as everyone may who can update it."""
    mine, theirs = rows_of("ada"), rows_of("bob")
    is_moved = (sent.content or {}).get("customer_id") == str(mine["Customer"].id)
    return sent.path == url("Order", theirs["Order"]) and is_moved


async def restored(db: AsyncSession, caller: str, is_changed: bool) -> None:
    """Store all rows again, with other values in what a caller may not read."""
    rows = await store(db)
    for owner, own in rows.items():
        for name, row in own.items():
            row.created_at = row.updated_at = sa.func.to_timestamp(1_800_000_000)
            fields = [one for one in RULES[name] if is_changed and one in HIDDEN]
            for field in fields:
                if not may("read", name, field, caller, owner):
                    value = BY_NAME[name].value(field, OTHER[field])
                    setattr(row, field, value)
    await db.commit()


async def test_code_of_your_own_shows_what_the_sender_may_read(
    rows: Rows, app: FastAPI, provider: Provider
) -> None:
    """The service knows the sender; a resource that is made by hand shows less."""
    own = create_app(app.state.settings)
    row_id = rows["bob"]["Customer"].id

    @own.get("/own/service")
    async def get(service: CustomerServiceDep) -> Customer:
        return await service.get_customer(row_id)

    @own.get("/own/row", response_model=Customer)
    async def get_row(db: SessionDep) -> Any:
        return await db.get_one(e.CustomerEntity, row_id)

    for path, caller, keys in (
        ("/own/service", "ada", set()),
        ("/own/service", "bob", {"email"}),
        ("/own/service", "support", {"email", "rating", "badge_code"}),
        ("/own/row", "support", set()),
    ):
        async with client_for(own, provider, caller) as client:
            answer = (await client.get(path)).json()
            assert answer.keys() & HIDDEN == keys


async def test_a_session_of_your_own_reads_and_sets_every_field(rows: Rows) -> None:
    async with async_session_maker() as db:
        service = CustomerService(CustomerRepository(db))
        changes = CustomerUpdate(internal="set", rating=5)
        changed = await service.update_customer(rows["bob"]["Customer"].id, changes)
        assert (changed.internal, changed.rating) == ("set", 5)
        assert changed.badge_code == "B"


async def test_openapi_says_who_may_read_and_set_a_field(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]
    assert "price" not in schemas["Order"]["required"]
    shown = schemas["Order"]["properties"]["price"]["description"]
    assert shown == "What it costs. Shown to: owner."
    sent = schemas["OrderUpdate"]["properties"]["price"]["description"]
    assert sent == "What it costs. Set by: owner or role:sales."
    assert "motto" not in schemas["CustomerReplace"]["required"]
    orders = document["paths"]["/api/v1/orders"]
    assert "403" in orders["post"]["responses"]
    assert "403" in orders["get"]["responses"]  # it has no rule, but can be sorted
    one = document["paths"]["/api/v1/orders/{order_id}"]
    assert "403" not in one["get"]["responses"]
