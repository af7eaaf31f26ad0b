"""What lists answer, by examples of the shop."""

import csv
import datetime as dt
import io
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import bind_sessions
from tests.answers import invalid_fields, json_of
from tests.factories import (
    CategoryFactory,
    CustomerFactory,
    OrderFactory,
    OrderItemFactory,
    ProductFactory,
)

PRODUCTS = "/api/v1/products"
CSV = {"Accept": "text/csv;q=0.9, application/json"}
ROWS: list[dict[str, Any]] = [
    {"sku": "A-1", "name": "blue, shoes", "status": "active"},
    {"sku": "A-2", "name": "Red shoes", "status": "sold out", "available_from": None},
    {"sku": "B-1", "name": "=1+1", "status": "draft"},
]


@pytest.fixture
async def products(db_session: AsyncSession) -> None:
    shoes = await CategoryFactory.store(db_session, name="Shoes", parent_id=None)
    for number, row in enumerate(ROWS, 1):
        row = {"available_from": dt.date(2026, 1, number), **row}
        category = shoes.id if "shoes" in row["name"] else None
        await ProductFactory.store(db_session, **row, category_id=category)


async def skus(client: httpx2.AsyncClient, query: str) -> list[str]:
    page = json_of(await client.get(f"{PRODUCTS}?{query}"), 200)
    return [item["sku"] for item in page["items"]]


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sku=A-1", ["A-1"]),
        ("sku__ne=A-1", ["A-2", "B-1"]),
        ("sku__in=B-1,A-1,C-1", ["A-1", "B-1"]),
        ("name__in=blue%5C, shoes,Red shoes", ["A-1", "A-2"]),
        ("name__startswith=Red", ["A-2"]),
        ("status__in=sold out,draft", ["A-2", "B-1"]),
        ("available_from__gt=2026-01-01", ["B-1"]),
        ("available_from__lte=2026-01-01&status=active", ["A-1"]),
        ("available_from__null=true", ["A-2"]),
        ("available_from__null=false", ["A-1", "B-1"]),
        ("category_id__null=true", ["B-1"]),
        ("created_at__gte=2026-01-01T00:00:00 02:00&created_at__lt=2026-01-02", None),
        ("created_at__gt=2000-01-01T00:00:00%2B02:00", ["A-1", "A-2", "B-1"]),
        ("sort=-name", ["A-1", "A-2", "B-1"]),
        ("sort=available_from", ["A-1", "B-1", "A-2"]),
        ("sort=-available_from", ["B-1", "A-1", "A-2"]),
        ("sort=-sku,name&limit=2", ["B-1", "A-2"]),
        ("total=false&skip=1", ["A-2", "B-1"]),
    ],
)
async def test_filters_and_sorts(
    query: str, found: list[str] | None, client: httpx2.AsyncClient
) -> None:
    if found is None:  # a date is no time
        invalid_fields(await client.get(f"{PRODUCTS}?{query}"))
    elif "sort" in query or "skip" in query:
        assert await skus(client, query) == found
    else:
        assert sorted(await skus(client, query)) == found


@pytest.mark.parametrize(
    ("query", "field", "hint"),
    [
        ("stauts=draft", "stauts", "did you mean status?"),
        ("limit=101", "limit", "less than or equal to 100"),
        ("limit=+5", "limit", "Write an integer"),
        ("total=yes", "total", "Write true or false"),
        ("sku=A&sku=B", "sku", "only once"),
        ("sku__in=", "sku__in", "at least one value"),
        ("sku__in=A&sku__in=B", "sku__in", "only once"),
        ("sort=name,-name", "sort", "only once"),
        ("sort=price", "sort/0", "Input should be"),
        ("after=AAAA", "after", "the `next` of a page of this list"),
        ("include=orders", "include/0", "Input should be"),
    ],
)
async def test_an_invalid_query_is_named_with_a_hint(
    query: str, field: str, hint: str, client: httpx2.AsyncClient
) -> None:
    answer = await client.get(f"{PRODUCTS}?{query}")
    problem = json_of(answer, 422)
    (error,) = problem["errors"]
    assert error["field"] == f"/{field}"
    assert hint in error["message"]


@pytest.mark.usefixtures("products")
async def test_more_than_ten_filters_are_refused(client: httpx2.AsyncClient) -> None:
    operators = ("", "__in", "__ne", "__startswith")
    names = [f"{name}{operator}" for name in ("sku", "name") for operator in operators]
    names += ["status", "status__in", "status__ne"]
    query = "&".join(f"{name}=draft" for name in names)
    answer = await client.get(f"{PRODUCTS}?{query}")
    assert invalid_fields(answer) == {""}  # the query as a whole


@pytest.mark.usefixtures("products")
async def test_links_lead_through_all_pages(client: httpx2.AsyncClient) -> None:
    url, found = f"{PRODUCTS}?sort=-sku&limit=1&status__ne=active", []
    while url:
        answer = await client.get(url)
        assert answer.headers["x-total-count"] == "2"
        found += [item["sku"] for item in json_of(answer, 200)["items"]]
        url = answer.links.get("next", {}).get("url", "")
    assert found == ["B-1", "A-2"]


@pytest.mark.usefixtures("products")
async def test_a_cursor_is_of_one_list(client: httpx2.AsyncClient) -> None:
    first = json_of(await client.get(f"{PRODUCTS}?sort=sku&limit=1"), 200)
    for other in ("sort=-sku", "sort=sku&status=draft", "sort=name", ""):
        answer = await client.get(f"{PRODUCTS}?{other}&after={first['next']}")
        assert invalid_fields(answer) == {"/after"}


@pytest.mark.usefixtures("products")
async def test_a_total_beyond_what_is_counted_is_null(
    client: httpx2.AsyncClient, app: FastAPI
) -> None:
    bind_sessions(app.state.engines, max_total=2)
    for query, total, header in (("", None, "more"), ("status=draft", 1, "1")):
        answer = await client.get(f"{PRODUCTS}?{query}")
        assert json_of(answer, 200)["total"] == total
        assert answer.headers["x-total-count"] == header


@pytest.mark.usefixtures("products")
async def test_csv_has_all_rows_and_no_formulas(client: httpx2.AsyncClient) -> None:
    url = f"{PRODUCTS}?sort=sku&sku__ne=A-2"
    answer = await client.get(url, headers=CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["name"] for row in rows] == ["blue, shoes", "'=1+1"]
    assert rows[1]["category_id"] == ""
    refused = await client.get(f"{PRODUCTS}?include=category", headers=CSV)
    assert invalid_fields(refused) == {"/include"}


async def test_csv_has_the_rows_of_all_pages(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await ProductFactory.store_batch(db_session, 203)
    await db_session.commit()
    answer = await client.get(PRODUCTS, headers=CSV)
    assert len({row["id"] for row in csv.DictReader(io.StringIO(answer.text))}) == 203


async def test_includes_embed_two_levels_with_one_query_each(
    client: httpx2.AsyncClient, db_session: AsyncSession, statements: list[str]
) -> None:
    ada = await CustomerFactory.store(db_session, name="Ada")
    for _ in range(3):
        order = await OrderFactory.store(db_session, customer_id=ada.id, coupon_id=None)
        await OrderItemFactory.store(db_session, order_id=order.id)
    await db_session.commit()
    statements.clear()
    url = "/api/v1/order-items?include=order.customer,order.coupon&total=false"
    items = json_of(await client.get(url), 200)["items"]
    assert [item["order"]["customer"]["name"] for item in items] == ["Ada"] * 3
    assert [item["order"]["coupon"] for item in items] == [None] * 3
    assert "product" not in items[0]
    assert len([one for one in statements if one.startswith("SELECT")]) == 3
    one = json_of(await client.get(f"/api/v1/orders/{order.id}?include=customer"), 200)
    assert one["customer"]["name"] == "Ada"
