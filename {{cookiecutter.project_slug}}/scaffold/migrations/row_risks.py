"""Queries for the rows on which a migration can fail."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from scaffold.migrations.catalog import Catalog
from scaffold.migrations.operations import Draft, Part, current
from scaffold.migrations.renames import Rename
from scaffold.migrations.statements import (
    DIALECT,
    Refusal,
    Validation,
    quote,
    quote_table,
    table_of,
)
from scaffold.spec import naming
from src.core.database import columns_of

FAILS = "The migration fails if there are such rows"
SAME = "{}: rows have the same {}"
ROWS = "SELECT * FROM {} WHERE {};"
TWICE = "SELECT {0}, count(*) FROM {1} WHERE {2} GROUP BY {0} HAVING count(*) > 1;"
RENAMED = "(SELECT {} FROM {}) AS {}"
LATER = "If there are such rows, changing one of them fails until it meets the rule"


def find(draft: Draft, before: Catalog, renames: Sequence[Rename]) -> list[str]:
    """Return a warning with a query for each step that can fail because of rows.

    `before` is the database after the renames. The queries work before the migration.
    """
    back = [one.back for one in reversed(renames)]
    found: dict[str, str] = {}  # by the query: a value of an enum has a rule as well
    for told, consequence, query in _risks(draft, before, back):
        found.setdefault(query, f"{told}. {consequence}: {query}")
    return list(found.values())


def _risks(
    draft: Draft, before: Catalog, back: Sequence[Rename]
) -> Iterator[tuple[str, str, str]]:
    for one in (one for step in draft.steps for one in step.up):
        match one:
            case Refusal():
                rows = _source(one.table, before, back)
                yield one.message, FAILS, ROWS.format(rows, one.condition)
            case Validation():
                rows = _source(one.table, before, back)
                condition = f"NOT ({one.condition})"
                yield one.message, LATER, ROWS.format(rows, condition)
            case (
                ops.CreateUniqueConstraintOp(constraint_name=name)
                | ops.CreateIndexOp(index_name=name)
            ) if (table_of(one), name) in draft.still_unique:
                pass
            case ops.CreateUniqueConstraintOp(columns=columns) if (
                table := table_of(one)
            ) in before and {*columns} <= before[table].columns.keys():
                rows = _source(table, before, back)
                names = ", ".join(map(quote, columns))
                known = " AND ".join(f"{quote(name)} IS NOT NULL" for name in columns)
                query = TWICE.format(names, rows, known)
                yield SAME.format(table, names), FAILS, query
            case ops.CreateIndexOp(unique=True) if (
                table := table_of(one)
            ) in before and {*columns_of(one.to_index())} <= before[
                table
            ].columns.keys():
                columns = columns_of(one.to_index())
                rows = _source(table, before, back)
                names = ", ".join(map(_sql, one.columns))
                known = " AND ".join(f"{quote(name)} IS NOT NULL" for name in columns)
                where = one.kw.get("postgresql_where")
                if where is not None and "deleted_at" in before[table].columns:
                    known += f" AND {where}"
                query = TWICE.format(names, rows, known)
                told = ", ".join(map(quote, columns))
                is_lowered = any(not isinstance(part, str) for part in one.columns)
                yield (
                    SAME.format(table, told) + ", but for case" * is_lowered,
                    FAILS,
                    query,
                )


def _sql(part: Any) -> str:
    """Return a part of an index as SQL."""
    if isinstance(part, str | sa.Column):
        return quote(str(part if isinstance(part, str) else part.name))
    return str(part.compile(dialect=DIALECT))


def _source(table: str, before: Catalog, back: Sequence[Rename]) -> str:
    """Return the table as SQL, under the names that it has after the renames."""
    parts = {name: current(Part(table, name), back) for name in before[table].columns}
    former = current(Part(table), back).table
    if former == table and all(part.column == name for name, part in parts.items()):
        return quote_table(table)
    columns = (
        quote(name) if part.column == name else f"{quote(part.column)} AS {quote(name)}"
        for name, part in parts.items()
    )
    alias = quote(naming.split_key(table)[0])
    return RENAMED.format(", ".join(columns), quote_table(former), alias)
