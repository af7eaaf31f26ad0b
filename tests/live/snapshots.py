"""What a database holds, and where each part of entities.json is in it."""

import asyncio
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
    """The column of a field or relation to one, or the columns of a many_to_many."""

    table: str
    columns: tuple[str, ...]
    shape: str

    def values(self, rows: Rows) -> dict[Any, Any]:
        return values(rows, self.table, self.columns)


def values(rows: Rows, table: str, columns: tuple[str, ...]) -> dict[Any, Any]:
    """Return a column's values by the id of the row, or the pairs of two columns."""
    found = rows.get(table, [])
    if len(columns) == 2:
        pairs = [tuple(row.get(column) for column in columns) for row in found]
        return {pair: True for pair in pairs if all(isinstance(x, str) for x in pair)}
    by_id = {row["id"]: row.get(columns[0]) for row in found if "id" in row}
    return {row: value for row, value in by_id.items() if value is not None}


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
                    expected.items() <= values(now.rows, table, columns).items()
                    for table, rows in now.rows.items()
                    for columns in _columns(rows, len(place.columns))
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


def _columns(rows: list[dict[str, Any]], count: int) -> Iterator[tuple[str, ...]]:
    names = list(rows[0]) if rows else []
    if count == 1:
        yield from ((name,) for name in names)
    else:
        yield from ((one, two) for one in names for two in names if one != two)


def stored_rows(url: str) -> Rows:
    """Return the rows of every table."""
    return asyncio.run(database.read(url))


def link_statements(document: Document) -> Iterator[str]:
    """Yield statements that link the rows of every many_to_many without a link."""
    spec = parse(json.dumps(document).encode())
    for entity in spec.entities:
        for link in entity.links:
            if link.owner:
                target = spec.entity(link.target).table
                yield (
                    f'INSERT INTO "{link.table}" '  # noqa: S608 - our own names
                    f'("{link.left_column}", "{link.right_column}") '
                    f'SELECT a.id, b.id FROM "{entity.table}" a, "{target}" b '
                    f'WHERE NOT EXISTS (SELECT FROM "{link.table}") LIMIT 4'
                )


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


def _places_of(entity: Entity) -> Iterator[tuple[str, Place]]:
    for field in entity.fields:
        shape = json.dumps([field.type, field.scale, field.values])
        yield field.name, Place(entity.table, (field.name,), shape)
    for reference in entity.references:
        shape = TO_ONE if reference.kind.endswith("one") else reference.kind
        yield reference.name, Place(entity.table, (reference.column,), shape)
    for link in entity.links:
        if link.owner:
            columns = link.left_column, link.right_column
            yield link.name, Place(link.table, columns, LINKS)


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
