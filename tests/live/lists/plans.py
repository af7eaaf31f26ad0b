"""Runs within a project of tests/specs/good/lists.json: what a page reads of 100,000 rows.

Nine of ten rows have the same values, and a fifth of what may be null is null.
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.models.entities import ProductEntity
from src.repositories import filters
from src.repositories.product import ProductRepository
from src.repositories.sorting import Sort, sort_of
from tests.cases import CASES
from tests.support import keys

ROWS, LIMIT, TIMES = 100_000, 20, 10
CASE = next(case for case in CASES if case.name == "product")
SAME = {
    "Integer": ("5", "i"),
    "BigInteger": ("5", "i"),
    "Numeric": ("i % 97", "i"),
    "Double": ("5", "i"),
    "Boolean": ("true", "false"),
    "Date": ("DATE '2026-01-01'", "DATE '2020-01-01' + i % 3000"),
    "Time": ("TIME '09:00'", "TIME '00:00' + i % 80000 * INTERVAL '1 s'"),
    "DateTime": ("now()", "now() - i * INTERVAL '1 s'"),
    "Uuid": ("md5('')::uuid", "md5(i::text)::uuid"),
    "String": ("'same'", "'v' || i"),
}


def made(column: sa.Column[Any]) -> str:
    """Return the SQL of a column's value in the i-th row."""
    same, other = SAME[type(column.type).__name__]
    if column.name == "state":
        same, other = "'live'", "(ARRAY['draft', 'sold, or gone'])[1 + i % 2]"
    if column.foreign_keys:
        (key,) = column.foreign_keys
        if key.column.table.name != "makers":
            return "NULL"
        same, other = (
            "(SELECT min(maker_no) FROM makers)",
            "(SELECT max(maker_no) FROM makers)",
        )
    elif column.unique or column.primary_key:
        same = other
    value = f"CASE WHEN i % 10 < 9 THEN {same} ELSE {other} END"
    return (
        f"CASE WHEN i % 5 = 0 THEN NULL ELSE {value} END" if column.nullable else value
    )


@pytest.fixture
async def many(db_session: AsyncSession) -> None:
    maker = next(case for case in CASES if case.name == "maker")
    await maker.factory.store_batch(db_session, 2)
    table = cast(sa.Table, ProductEntity.__table__)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(map(made, table.columns))
    await db_session.execute(
        sa.text(
            f"INSERT INTO products ({names}) "  # noqa: S608 - its own names
            f"SELECT {values} FROM generate_series(1, {ROWS}) AS i".replace(":", r"\:")
        )
    )
    await db_session.commit()
    await db_session.execute(sa.text("ANALYZE products"))
    await db_session.commit()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def rows_read(db: AsyncSession, statement: Any, values: dict[str, Any]) -> int:
    """Return how many rows the scans of a statement read, those that they discard too."""
    connection = await db.connection()
    compiled = statement.compile(dialect=connection.dialect)
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    arguments = [values[name] for name in compiled.positiontup]
    found = await raw.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", *arguments)
    await db.rollback()
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        * node["Actual Loops"]
        for node in nodes(found[0]["Plan"])
        if "Scan" in node["Node Type"] and "Subquery" not in node["Node Type"]
    )


async def read(
    db: AsyncSession, sort: Sort, where: dict[str, Any], place: int | None
) -> int:
    """Return how many rows a page reads: the first one, or the one after a row."""
    conditions = filters.parameters(ProductEntity, where)
    names, nulls = tuple(conditions), None
    values = {**conditions, "_skip": 0, "_limit": LIMIT, "_end": LIMIT}
    if place is not None:
        ordered = await ProductRepository(db).list(place, 1, where=where, sort=sort)
        start = [getattr(ordered[0], key.name) for key in sort]
        values |= {f"_after_{n}": value for n, value in enumerate(start)}
        nulls = tuple(value is None for value in start)
    statement = ProductRepository._page(names, sort, nulls)
    return await rows_read(db, statement, values)


async def test_a_page_by_one_sort_reads_ten_times_its_rows_at_most(
    many: None, db_session: AsyncSession
) -> None:
    names = keys(CASE.resource)
    orders = [
        [key[: key.startswith("-")] + names[key.removeprefix("-")]]
        for key in CASE.sort_keys
    ]
    orders += [["state", "released_on"], ["maker_id", "price"], ["-maker_id", "-price"]]
    found = {}
    for order in orders:
        sort = sort_of(ProductEntity, order)
        for place in (None, 0, ROWS // 2, ROWS * 9 // 10):
            read_rows = await read(db_session, sort, {}, place)
            if read_rows > TIMES * LIMIT:
                found[" ".join(order), place] = read_rows
    assert found == {}
