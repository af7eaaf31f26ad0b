"""Runs within a project of tests/specs/good/lists.json: parameters that nobody means well."""

import base64
from decimal import Decimal
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from src.repositories import cursors
from src.repositories.sorting import sort_of
from tests.answers import json_of, problem
from tests.cases import CASES

PRODUCT = next(case for case in CASES if case.name == "product")
MAKER = next(case for case in CASES if case.name == "maker")
LONG = "x" * 10_000
REFUSED = [
    "limit=0",
    "limit=",
    "limit=101",
    "limit=1&limit=1",
    "sku=A&sku=A",
    "sku=%00",
    f"sku={LONG}",
    f"{LONG}=1",
    "total__eq=five",
    "total__eq=5.0",
    "total__eq=%2B5",
    "total__eq=05",
    "total__eq=1_0",
    "total__eq= 5",
    "total__eq=9223372036854775808",
    "price=NaN",
    "price=Infinity",
    "price=1e999999",
    "price=.5",
    "price=5.",
    "weight=1e999",
    "weight=nan",
    "active=yes",
    "active=True",
    "active=1",
    "state=Live",
    "state=",
    "released_on=2026-02-30",
    "released_on=2026-1-1",
    "opens_at=25:00",
    "seen_at=2026-01-01",
    "seen_at=2026-01-01T00:00:00",
    "seen_at=0001-01-01T00:00:00%2B14:00",
    "batch=1",
    "batch={00000000-0000-0000-0000-000000000000}",
    "id__in=",
    f"id__in={','.join(['00000000-0000-0000-0000-000000000000'] * 101)}",
    f"sku__in={','.join(map(str, range(10_000)))}",
    "id__in=,",
    "weight__startswith=1",
    "sku__gt=A",
    "sku__like=A",
    "sku__",
    "sku__null=true",
    "batch__null=maybe",
    "state__eq=live",
    "total=5",
    "sort=",
    "sort=,",
    "sort=-",
    "sort=--name",
    "sort=name,-name",
    "sort=name,price,state,total",
    "sort=stock",
    "sort=secret",
    "sort=name;drop",
    "include=tags",
    "include=maker.country.code",
    "include=successor.successor.successor",
    f"include={','.join(['maker'] * 1000)}.x",
    "after=",
    "after=AAAA",
    f"after={LONG}",
    "skip=9223372036854775808",
    "sku=caf%e9",
    "sku=%ed%a0%80",
    "%ff=1",
    "skip=-1",
    "code=A",
    "importer_id=1",
    "owner_id=1",
    "&".join(f"sku__{word}=a" for word in ("in", "ne", "startswith"))
    + "&sku=a&name=a&name__in=a&name__ne=a&name__startswith=a&active=true"
    + "&active__ne=true&active__in=true",
]
ACCEPTED = [
    "sku=",
    "sku__in=a,,b",
    "sku__in=%5C%2C",
    "sku=%F0%9F%99%82",
    "sku__startswith=%F4%8F%BF%BF",
    "sku__startswith=%ED%9F%BF",
    "sku__startswith=",
    "price__gte=1e3&price__lt=99999999999999999999",
    "weight__lte=-1.5E-300",
    "total__eq=-9223372036854775808",
    "seen_at__gte=2026-01-01T00:00:00+02:00",
    "seen_at__gte=2026-01-01T00:00:00.123456789Z",
    "state__in=live,sold%5C, or gone",
    "include=maker,maker.country,successor.maker",
    "limit=100&skip=9223372036854775807&sort=-batch",
    "sort=name,-price,state",
]


@pytest.mark.parametrize("query", REFUSED, ids=lambda text: text[:40])
async def test_refused(query: str, client: httpx2.AsyncClient) -> None:
    problem(await client.get(f"{PRODUCT.url}?{query}"), 422, "validation_error")


@pytest.mark.parametrize("query", ACCEPTED)
async def test_accepted(
    query: str, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await PRODUCT.factory.store_batch(db_session, 3)
    json_of(await client.get(f"{PRODUCT.url}?{query}"), 200)


async def test_relations_in_a_circle_are_embedded_as_deep_as_asked(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    first = await PRODUCT.factory.store(db_session)
    second = await PRODUCT.factory.store(db_session, successor_id=first.id)
    first.successor_id = second.id
    await db_session.commit()
    for query in ("include=successor", "include=successor,successor.successor"):
        page = json_of(await client.get(f"{PRODUCT.url}?{query}&sort=id"), 200)
        for item in page["items"]:
            inner = item["successor"]
            assert inner["id"] == item["successor_id"]
            if "." in query:
                inner = inner["successor"]
                assert inner["id"] == item["id"]
            assert "successor" not in inner


async def test_values_are_not_cut_to_fit(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await PRODUCT.factory.store(db_session, sku="A" * 40, price=Decimal("1.00"))
    for query in ("price=1.004", f"sku={'A' * 41}", "price__in=1.004,0.996"):
        page = json_of(await client.get(f"{PRODUCT.url}?{query}"), 200)
        assert page["total"] == 0, query


@pytest.mark.parametrize("name", ["maker_no", "country_id", "maker_no__in"])
async def test_ids_out_of_range(name: str, client: httpx2.AsyncClient) -> None:
    for value in (2**63, -(2**63) - 1, "x" * 2_000):
        response = await client.get(f"{MAKER.url}?{name}={quote(str(value))}")
        assert response.status_code in (200, 422), response.text


async def test_a_cursor_is_not_changed_by_a_byte(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await PRODUCT.factory.store_batch(db_session, 2)
    page = json_of(await client.get(f"{PRODUCT.url}?limit=1"), 200)
    after = page["next"]
    for place in range(len(after)):
        for other in "A_9":
            changed = after[:place] + other + after[place + 1 :]
            if changed != after:
                response = await client.get(f"{PRODUCT.url}?limit=1&after={changed}")
                problem(response, 422, "validation_error")
    response = await client.get(f"{MAKER.url}?limit=1&after={after}")
    problem(response, 422, "validation_error")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("price", '"1e999999"'),
        ("price", '"NaN"'),
        ("active", '"yes"'),
        ("total", "9223372036854775808"),
        ("opens_at", '"10:00:00+02:00"'),
        ("seen_at", '"0001-01-01T00:00:00+14:00"'),
    ],
)
async def test_a_cursor_that_somebody_made(
    key: str, value: str, client: httpx2.AsyncClient
) -> None:
    entity = PRODUCT.repository.entity
    sort = sort_of(entity, [key])
    values = f'[{value}, "00000000-0000-0000-0000-000000000000"]'.encode()
    signed = cursors._checksum(values, entity, sort, {}) + values
    made = base64.urlsafe_b64encode(signed).decode().rstrip("=")
    answer = await client.get(f"{PRODUCT.url}?sort={key}&after={made}")
    problem(answer, 422, "validation_error")
