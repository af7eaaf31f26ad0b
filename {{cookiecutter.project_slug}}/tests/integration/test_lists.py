"""Lists over HTTP: their pages, their order, and invalid queries."""

import csv
import io
import json
import re
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from src.models.queries import MAX_VALUES
from src.repositories.filters import ignores_case, split
from src.repositories.sorting import sort_of
from tests.answers import invalid_fields, json_of
from tests.fakes import in_order, in_other_case, matches
from tests.support import START, Case, as_json, keys
from tests.tables import BY_NAME, each_case, each_included, each_search

SOME = 5


@each_case
@pytest.mark.needs("list")
async def test_list_is_empty_at_first(case: Case, client: httpx2.AsyncClient) -> None:
    page = {"items": [], "total": 0, "skip": 0, "limit": 20, "next": None}
    assert json_of(await client.get(case.url), 200) == page


@each_case
@pytest.mark.needs("list")
async def test_list_by_skip_and_limit(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await case.factory.store_batch(db_session, case.rows(SOME))
    ids = [as_json(row.id) for row in case.in_order(rows)]
    found: list[Any] = []
    for skip in range(0, SOME, 2):
        query = {"skip": skip, "limit": 2}
        page = json_of(await client.get(case.url, params=query), 200)
        assert (page["skip"], page["limit"], page["total"]) == (skip, 2, len(ids))
        assert (page["next"] is None) == (skip + 2 >= len(ids))
        found += [case.id_of(item) for item in page["items"]]
    assert found == ids


@each_case
@pytest.mark.needs("list")
async def test_list_by_cursor(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    # Rows of one moment are in the order of their ids.
    moment = {"created_at": START} if case.times else {}
    rows = [
        await case.factory.store(db_session, **moment) for _ in range(case.rows(SOME))
    ]
    page = json_of(await client.get(case.url, params={"limit": 2}), 200)
    whole = json_of(await client.get(case.url), 200)["items"]
    found = page["items"]
    while page["next"] is not None:
        query = {"limit": 2, "after": page["next"], "total": "false"}
        page = json_of(await client.get(case.url, params=query), 200)
        assert (page["total"], page["skip"]) == (None, 0)
        found += page["items"]
    assert found == whole
    expected = [as_json(row.id) for row in case.in_order(rows)]
    assert [case.id_of(item) for item in found] == expected


@each_case
@pytest.mark.needs("list")
async def test_list_refuses_other_queries(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for name, values in {
        "limit": ("0", "101", "many", "5.0", "+5", "1_0"),
        "skip": ("-1", str(2**63)),
        "after": ("nonsense", 33 * "A"),
        "total": ("perhaps", "yes", "1"),
    }.items():
        for value in values:
            response = await client.get(case.url, params={name: value})
            assert invalid_fields(response) == {f"/{name}"}, value


def parameter(case: Case, name: str) -> str:
    """Return what a filter is called in a URL."""
    return case.query.model_fields[name].alias or name


def as_text(value: Any) -> str:
    """Return a value as a URL has it: with the spelling of JSON."""
    written = as_json(value)
    return written if isinstance(written, str) else json.dumps(written)


async def stored(case: Case, db: AsyncSession) -> list[Any]:
    """Store rows: some with null wherever it is allowed, and one with all parents."""
    count = case.rows(SOME)
    nullable = [key.name for key in case.changed if key.nullable]
    empty = {case.attribute(name): None for name in nullable}
    nulls = min(2, count - 1)
    await case.factory.store_batch(db, nulls, **empty)
    await case.factory.store_batch(db, count - nulls - 1)
    await with_parents(case, db)
    return [*await db.scalars(sa.select(case.factory.entity))]  # parents among them


async def with_parents(case: Case, db: AsyncSession) -> Any:
    """Store a row that has every reference, where there are rows enough to refer to."""
    parents = {
        case.attribute(item.name): (await BY_NAME[item.target].factory.store(db)).id
        for item in case.references
        if not item.required and BY_NAME[item.target].capacity > 2 * SOME
    }
    return await case.factory.store(db, **parents)


def ids(case: Case, page: Any) -> list[Any]:
    """Return the ids of a page, as JSON has them."""
    return [case.id_of(item) for item in page["items"]]


@each_case
@pytest.mark.needs("list")
async def test_list_is_filtered(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await stored(case, db_session)
    for name in case.filters:
        for value in wanted(case, rows, name):
            text = as_text(value)
            if split(name)[1] == "in":
                texts = map(as_text, value)
                text = ",".join(re.sub(r"([,\\])", r"\\\1", text) for text in texts)
            query = {parameter(case, name): text}
            response = await client.get(case.url, params=query)
            found = ids(case, json_of(response, 200))
            expected = [as_json(r.id) for r in rows if matches(r, {name: value})]
            assert sorted(map(str, found)) == sorted(map(str, expected)), query
            assert response.headers["x-total-count"] == str(len(expected)), query


def wanted(case: Case, rows: list[Any], name: str) -> list[Any]:
    """Return values for a filter, most of which some of the rows have."""
    attribute, word = split(name)
    known = [v for row in rows if (v := getattr(row, attribute)) is not None]
    if ignores_case(case.factory.entity, attribute):
        known = list(map(in_other_case, known))
    if word == "null":
        return [True, False]
    if word == "in":
        return [known[-2:], known[-1:]]
    if word == "has":
        known = [item for items in known for item in items]
    return known[-2:]


@each_case
@pytest.mark.needs("list")
async def test_pages_in_each_order_have_every_row_once(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await stored(case, db_session)
    for key in case.sort_keys:
        attribute = keys(case.resource)[key.removeprefix("-")]
        name = f"{key[: key.startswith('-')]}{attribute}"
        sort = sort_of(case.factory.entity, [name])
        response = await client.get(case.url, params={"sort": key, "limit": 2})
        found = ids(case, json_of(response, 200))
        while link := response.headers.get("link"):
            url = link.partition(">")[0].removeprefix("<")
            response = await client.get(url)
            found += ids(case, json_of(response, 200))
        assert found == [as_json(row.id) for row in in_order(rows, sort)], key


@each_search
@pytest.mark.needs("list")
async def test_search_finds_rows_by_their_words(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await stored(case, db_session)
    wanted = next((words[0] for row in rows if (words := case.words(row))), None)
    if wanted is None:
        pytest.skip("no row has a word of letters")
    for q in (wanted, wanted.upper()):
        response = await client.get(case.url, params={"q": q})
        expected = {str(as_json(row.id)) for row in rows if matches(row, {"q": q})}
        assert set(map(str, ids(case, json_of(response, 200)))) == expected
        assert response.headers["x-total-count"] == str(len(expected))
    query = {"q": f"-{wanted}", "total": "false"}
    others = ids(case, json_of(await client.get(case.url, params=query), 200))
    assert not expected & set(map(str, others))


@each_search
@pytest.mark.needs("list")
async def test_search_is_paged_by_skip_or_in_an_order(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    rows = await stored(case, db_session)
    words = [words[0] for row in rows if (words := case.words(row))]
    if not words:
        pytest.skip("no row has a word of letters")
    query = {"q": max(words, key=words.count), "limit": "1"}
    whole = json_of(await client.get(case.url, params=query | {"limit": "50"}), 200)
    total = whole["total"]
    found: list[Any] = []
    for skip in range(total):
        params = query | {"skip": str(skip)}
        page = json_of(await client.get(case.url, params=params), 200)
        assert page["next"] is None  # results by rank have no cursor
        found += ids(case, page)
    assert found == ids(case, whole)
    params = query | {"sort": case.key.name}
    page = json_of(await client.get(case.url, params=params), 200)
    in_turn = ids(case, page)
    while page["next"] is not None:
        after = page["next"]
        page = json_of(
            await client.get(case.url, params=params | {"after": after}), 200
        )
        in_turn += ids(case, page)
    assert sorted(map(str, in_turn)) == sorted(map(str, found))
    response = await client.get(case.url, params=query | {"after": "AAAA"})
    assert invalid_fields(response) == {"/after"}
    csv_ = await client.get(case.url, params=query, headers={"Accept": "text/csv"})
    assert len(list(csv.DictReader(io.StringIO(csv_.text)))) == total


@each_search
@pytest.mark.needs("list")
async def test_search_takes_any_text(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await stored(case, db_session)
    for q in ("!!!", '"', "or", "\\", "a" * 1_000, "\U0001f600" * 1_000):
        assert json_of(await client.get(case.url, params={"q": q}), 200)["total"] == 0
    for q in ("", "\x00", "a" * 1_001, "-" * 40):
        response = await client.get(case.url, params={"q": q})
        assert invalid_fields(response) == {"/q"}


@each_included
@pytest.mark.needs("list")
async def test_list_embeds_what_is_included(
    case: Case, path: str, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await with_parents(case, db_session)
    for url in (case.url, f"{case.url}/{row.id}")[: 1 + ("get" in case.verbs)]:
        plain, whole = [
            json_of(await client.get(url, params=query), 200)
            for query in ({}, {"include": path})
        ]
        plain, whole = [
            next(i for i in b.get("items", [b]) if case.id_of(i) == as_json(row.id))
            for b in (plain, whole)
        ]
        first, _, second = path.partition(".")
        assert whole.keys() - plain.keys() == {first}
        assert {key: whole[key] for key in plain} == plain
        assert second == "" or whole[first] is None or second in whole[first]


@each_case
@pytest.mark.needs("list")
async def test_list_refuses_what_is_not_declared(
    case: Case, client: httpx2.AsyncClient
) -> None:
    for query, field in {
        "lmit=5": "/lmit",
        "limit=5&limit=6": "/limit",
        "sort=nonsense": "/sort",
        "sort=": "/sort",
        f"sort={case.key.name},-{case.key.name}": "/sort",
        "include=nonsense": "/include",
        f"{case.key.name}__in=": f"/{case.key.name}__in",
        f"{case.key.name}__in={',' * MAX_VALUES}": f"/{case.key.name}__in",
        f"{case.key.name}__gte__lt=5": f"/{case.key.name}__gte__lt",
    }.items():
        response = await client.get(f"{case.url}?{query}")
        assert invalid_fields(response) == {field}, query
    message = (await client.get(f"{case.url}?lmit=5")).json()["errors"][0]["message"]
    assert message.endswith("did you mean limit?")


@each_case
@pytest.mark.needs("list")
async def test_cursor_belongs_to_its_filters_and_sort(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await case.factory.store_batch(db_session, min(2, case.capacity))
    page = json_of(await client.get(case.url, params={"limit": 1}), 200)
    if page["next"] is None:
        pytest.skip("only one row can be stored")
    query = {"limit": 1, "after": page["next"]}
    json_of(await client.get(case.url, params=query), 200)
    for change in (
        {"sort": f"{'-' * (not case.sort[0].descending)}{case.key.name}"},
        {f"{case.key.name}__ne": as_text(case.factory.unknown_id())},
        {"after": query["after"][:-1] + ("A" if query["after"][-1] != "A" else "B")},
    ):
        response = await client.get(case.url, params=query | change)
        assert invalid_fields(response) == {"/after"}


@each_case
@pytest.mark.needs("list")
async def test_list_as_csv_has_every_row(
    case: Case,
    app: FastAPI,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    rows = await case.factory.store_batch(db_session, case.rows(SOME))
    settings = app.state.settings
    app.state.settings = settings.model_copy(update={"max_page_size": 2})
    try:  # several pages
        response = await client.get(case.url, headers={"Accept": "text/csv"})
    finally:
        app.state.settings = settings
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(response.text)))
    found = [line[case.key.name] for line in table]
    assert sorted(found) == sorted(str(as_json(row.id)) for row in rows)
    assert set(table[0]) == set(case.answer(rows[0], listed=True))
