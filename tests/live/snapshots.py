"""What a database holds, and where each part of entities.json is in it."""

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import stored_rows as database
from changes import Document

from scaffold.spec.loading import parse
from scaffold.spec.model import Entity

Rows = dict[str, list[dict[str, Any]]]
TO_ONE, LINKS = "to one", "links"


@dataclass(frozen=True)
class Place:
    """The column of a field or relation to one, or the columns of a many_to_many.

    `key` is the column of the row's id; the pairs of a many_to_many have none.
    """

    table: str
    columns: tuple[str, ...]
    shape: str
    key: str = ""

    def values(self, rows: Rows) -> dict[Any, Any]:
        return values(rows, self.table, self.columns, self.key)


def values(
    rows: Rows, table: str, columns: tuple[str, ...], key: str = ""
) -> dict[Any, Any]:
    """Return a column's values by the id of the row, or the pairs of two columns."""
    found = rows.get(table, [])
    if len(columns) == 2:
        pairs = [tuple(row.get(column) for column in columns) for row in found]
        return {pair: True for pair in pairs if all(map(_is_id, pair))}
    by_id = {row[key]: row.get(columns[0]) for row in found if _is_id(row.get(key))}
    return {row: value for row, value in by_id.items() if value is not None}


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int)


@dataclass(frozen=True)
class Snapshot:
    """The rows of a database, and where each part is, by its number."""

    rows: Rows
    places: Mapping[str, Place]

    @classmethod
    def taken(cls, url: str, document: Document) -> "Snapshot":
        return cls(stored_rows(url), dict(_places(document)))

    def compare(self, now: "Snapshot") -> None:
        """Check that every value is where entities.json has it now, or kept unused."""
        for number, place in self.places.items():
            expected, new = place.values(self.rows), now.places.get(number)
            if new and (place.shape, new.shape) == (TO_ONE, LINKS):
                expected = dict.fromkeys(expected.items(), True)
            elif new and new.shape != place.shape:
                continue
            if new:
                found = new.values(now.rows)
                lost = {k: v for k, v in expected.items() if found.get(k) != v}
                assert not lost, (number, place, new, lost)
            elif expected:
                assert any(
                    expected.items() <= values(now.rows, table, *where).items()
                    for table, rows in now.rows.items()
                    for where in _columns(rows, len(place.columns))
                ), (number, place, expected)

    def compare_back(self, back: Rows, document: Document) -> None:
        """Check that a downgrade from `document` brought every value back."""
        now = dict(_places(document))
        for number, place in self.places.items():
            if now.get(number, place).shape == place.shape:
                found = place.values(back)
                lost = {
                    k: v
                    for k, v in place.values(self.rows).items()
                    if found.get(k) != v
                }
                assert not lost, (number, place, lost)


def _columns(
    rows: list[dict[str, Any]], count: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the columns that may have values, each with one that may have the ids."""
    for one, other in itertools.permutations(rows[0] if rows else [], 2):
        yield ((one,), other) if count == 1 else ((one, other), "")


def stored_rows(url: str) -> Rows:
    """Return the rows of every table."""
    return asyncio.run(database.read(url))


def link_statements(document: Document) -> Iterator[str]:
    """Yield statements that link the rows of every many_to_many without a link."""
    spec = parse(json.dumps(document).encode())
    for entity in spec.entities:
        for link in entity.links:
            if link.owner:
                target, table = spec.entity(link.target), _quoted(link.table_key)
                yield (
                    f"INSERT INTO {table} "  # noqa: S608 - our own names
                    f'("{link.left_column}", "{link.right_column}") '
                    f'SELECT a."{entity.id.column}", b."{target.id.column}" '
                    f"FROM {_quoted(entity.table_key)} a, "
                    f"{_quoted(target.table_key)} b "
                    f"WHERE NOT EXISTS (SELECT FROM {table}) LIMIT 4"
                )


def _quoted(table: str) -> str:
    return ".".join(f'"{name}"' for name in table.split("."))


def _places(document: Document) -> Iterator[tuple[str, Place]]:
    spec = parse(json.dumps(document).encode())
    described = {one["name"]: one for one in document["entities"]}
    for entity in spec.entities:
        one = described[entity.name]
        numbers = {
            member["name"]: member["description"]
            for member in (*one["fields"], *one["relations"])
        }
        for name, place in _places_of(entity):
            if name in numbers:
                yield numbers[name], place
        for name, column in _times_of(entity):
            place = Place(entity.table_key, (column,), "time", entity.id.column)
            yield f"{one['description']} {name}", place


def _places_of(entity: Entity) -> Iterator[tuple[str, Place]]:
    table, key = entity.table_key, entity.id.column
    for field in entity.fields:
        shape = json.dumps([field.type, field.scale, field.values, field.array])
        yield field.name, Place(table, (field.column,), shape, key)
    for reference in entity.references:
        shape = TO_ONE if reference.kind.endswith("one") else reference.kind
        yield reference.name, Place(table, (reference.column,), shape, key)
    for link in entity.links:
        if link.owner:
            columns = link.left_column, link.right_column
            yield link.name, Place(link.table_key, columns, LINKS)


def _times_of(entity: Entity) -> Iterator[tuple[str, str]]:
    if entity.timestamps:
        yield "created_at", entity.timestamps.created_at
        yield "updated_at", entity.timestamps.updated_at


def current_revision(url: str) -> str:
    """Return the revision that a database is at."""
    return asyncio.run(_current_revision(url))


async def _current_revision(url: str) -> str:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        revision: str = await connection.fetchval("SELECT * FROM alembic_version")
    finally:
        await connection.close()
    return revision
