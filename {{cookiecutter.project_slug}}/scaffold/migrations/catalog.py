"""What a database holds: its tables, columns, constraints and indexes."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

ResultT = TypeVar("ResultT")

# Stands at the beginning of the comment on what is kept although nothing needs it.
UNUSED = "unused: "
_LITERAL = re.compile("('(?:[^']|'')*')")
_NOISE = re.compile(r"::[a-z ]+(?:\(\d+(?:,\d+)?\))?(?:\[\])?|[() ]")

# A table of another schema than the current one is named with it, as SQLAlchemy does it.
TABLES = """
WITH tables AS (
    SELECT c.oid, CASE WHEN n.nspname = current_schema() THEN c.relname::text
        ELSE n.nspname || '.' || c.relname END AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
)
"""
COLUMNS = """
SELECT t.name, a.attname, coalesce(col_description(t.oid, a.attnum), ''),
    coalesce(obj_description(t.oid, 'pg_class'), '')
FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped
"""
CONSTRAINTS = """
SELECT t.name, k.conname, k.contype::text, pg_get_constraintdef(k.oid),
    ARRAY(SELECT attname::text FROM pg_attribute
          WHERE attrelid = t.oid AND attnum = ANY (k.conkey))
FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid
WHERE k.contype IN ('c', 'f', 'p', 'u')
"""
INDEXES = """
SELECT t.name, i.relname, 'i', pg_get_indexdef(i.oid),
    ARRAY(SELECT DISTINCT s.attname::text FROM pg_depend k
          JOIN pg_attribute s ON s.attrelid = t.oid AND s.attnum = k.refobjsubid
          WHERE k.classid = 'pg_class'::regclass AND k.objid = i.oid
          AND k.refobjid = t.oid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
JOIN tables t ON t.oid = x.indrelid
WHERE x.indisvalid
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid AND contype <> 'f')
"""


GENERATED = """
SELECT t.name, a.attname, pg_get_expr(d.adbin, d.adrelid),
    ARRAY(SELECT s.attname::text FROM pg_depend k
          JOIN pg_attribute s ON s.attrelid = t.oid AND s.attnum = k.refobjsubid
          WHERE k.classid = 'pg_attrdef'::regclass AND k.objid = d.oid
          AND k.refobjid = t.oid AND k.refobjsubid <> a.attnum)
FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid
JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
WHERE a.attgenerated <> '' AND NOT a.attisdropped
"""

# Views and materialized views; PostgreSQL changes no type of a column that one reads.
VIEWS = """
SELECT DISTINCT t.name, a.attname, r.ev_class::regclass::text
FROM tables t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE r.ev_class <> t.oid
ORDER BY 3
"""

TRIGGERS = """
SELECT t.name, g.tgname, pg_get_triggerdef(g.oid)
FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid
WHERE NOT g.tgisinternal
"""


@dataclass(frozen=True)
class GeneratedColumn:
    """What a generated column is made of: an expression, and its columns."""

    expression: str
    sources: frozenset[str]


@dataclass(frozen=True)
class Item:
    """A constraint or an index, and the columns that it is about."""

    name: str
    kind: str  # c(heck), f(oreign key), i(ndex), p(rimary key), u(nique)
    definition: str
    columns: frozenset[str]

    @property
    def meaning(self) -> str:
        """What two constraints have in common that mean the same.

        The server words a CHECK anew whenever it has read one: with casts, and with
        parentheses, that nobody wrote.
        """
        if self.kind != "c":
            return self.definition
        return "".join(
            part if part.startswith("'") else _NOISE.sub("", part)
            for part in _LITERAL.split(self.definition)
        )


@dataclass(frozen=True)
class Table:
    """A table: its columns with their comments, its constraints and indexes by name.

    `generated` has the columns that are made of others, `triggers` the statements that
    create them, `views` the names of the views that read a column.
    """

    columns: Mapping[str, str]
    items: Mapping[str, Item]
    generated: Mapping[str, GeneratedColumn]
    triggers: Mapping[str, str]
    views: Mapping[str, Sequence[str]]
    comment: str = ""

    @property
    def unused(self) -> bool:
        return self.comment.startswith(UNUSED)

    def is_unused(self, column: str) -> bool:
        return self.columns.get(column, "").startswith(UNUSED)


Catalog = Mapping[str, Table]


def read(connection: sa.Connection) -> Catalog:
    """Return every table of the database, but for Alembic's own."""
    columns: dict[str, dict[str, str]] = {}
    comments: dict[str, str] = {}
    for table, column, comment, own in connection.execute(sa.text(TABLES + COLUMNS)):
        columns.setdefault(table, {})[column] = comment
        comments[table] = own
    items: dict[str, dict[str, Item]] = {}
    for query in (CONSTRAINTS, INDEXES):
        for table, name, kind, text, names in connection.execute(
            sa.text(TABLES + query)
        ):
            item = Item(name, kind, _definition(text), frozenset(names))
            items.setdefault(table, {})[name] = item
    generated: dict[str, dict[str, GeneratedColumn]] = {}
    for table, name, text, names in connection.execute(sa.text(TABLES + GENERATED)):
        column = GeneratedColumn(text, frozenset(names))
        generated.setdefault(table, {})[name] = column
    triggers: dict[str, dict[str, str]] = {}
    for table, name, text in connection.execute(sa.text(TABLES + TRIGGERS)):
        triggers.setdefault(table, {})[name] = text
    views: dict[str, dict[str, list[str]]] = {}
    for table, name, view in connection.execute(sa.text(TABLES + VIEWS)):
        views.setdefault(table, {}).setdefault(name, []).append(view)
    columns.pop("alembic_version", None)
    return {
        name: Table(
            columns[name],
            items.get(name, {}),
            generated.get(name, {}),
            triggers.get(name, {}),
            views.get(name, {}),
            comments[name],
        )
        for name in sorted(columns)
    }


def _definition(text: str) -> str:
    """What it says, without its own name and the table's."""
    if text.startswith("CREATE"):
        unique = "UNIQUE " if text.startswith("CREATE UNIQUE") else ""
        return unique + text.partition(" USING ")[2]
    return text.removesuffix(" NOT VALID")


def run(url: str, work: Callable[[sa.Connection], ResultT]) -> ResultT:
    """Do the work in one transaction of the database."""

    async def connected() -> ResultT:
        engine = create_async_engine(url, poolclass=sa.NullPool)
        async with engine.begin() as connection:
            result = await connection.run_sync(work)
        await engine.dispose()
        return result

    return asyncio.run(connected())
