"""Changes of one column on a table that has rows."""

from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from scaffold.migrations import casts, statements
from scaffold.migrations.catalog import UNUSED
from scaffold.migrations.statements import (
    Operation,
    Statement,
    quote,
    quote_table,
    table_of,
)
from scaffold.spec import naming

NO_DEFAULT = (
    "the field is required, and existing rows have no value; "
    'add a "default" (a later run can remove it), or remove "required"'
)
NO_KEY = (
    "the relation is new and required, and existing rows have no value; remove "
    '"required", run this, set the relation in every row, then add "required" again'
)
ONE_DEFAULT = (
    "the field is unique, and the default would give all existing rows the same value; "
    'remove "required" and "default", run this, set a value in every row, then add them again'
)
NO_CAST = (
    "there is no cast from {old} to {new}; add a field with another name, fill it from "
    "this one in a migration of your own, then remove this one"
)

IN_VIEWS = (
    "PostgreSQL changes no type of a column that a view reads ({}); drop the view in a "
    "migration of your own, run this, and create the view again in another migration"
)
OTHER_TARGET = (
    "its ids refer to {}, but its target is now {}; give the new relation another name, "
    "fill it in a migration of your own, then remove the old one"
)


class Refused(Exception):
    """The change is not possible; the message says why and what to do."""


def why_not_added(column: sa.Column[Any], table: sa.Table) -> str:
    """Return why a column cannot be added to a table with rows, or ""."""
    if column.nullable:
        return ""
    if column.server_default is None:
        return NO_KEY if table.c[column.name].foreign_keys else NO_DEFAULT
    if differs_by_row(column):
        return ""
    alone = {column.name}
    unique = (
        item
        for item in table.constraints
        if isinstance(item, sa.UniqueConstraint)
        and {c.name for c in item.columns} == alone
    )
    return ONE_DEFAULT if any(unique) else ""


def differs_by_row(column: sa.Column[Any]) -> bool:
    """Return whether the default is another value in each row: a random UUID."""
    default = getattr(column.server_default, "arg", None)
    return isinstance(default, sa.TextClause) and "gen_random_uuid" in default.text


def add_and_fill(table: str, column: sa.Column[Any]) -> list[Operation]:
    """Return the steps that add a column with such a default.

    With the default from the start, PostgreSQL would write the whole table anew, and all
    requests would wait meanwhile.
    """
    name, schema = naming.split_key(table)
    empty = sa.Column(column.name, column.type, comment=column.comment)
    default = alter(table, column.name, modify_server_default=column.server_default)
    added = ops.AddColumnOp(name, empty, schema=schema)
    steps: list[Operation] = [added, default]
    steps.append(statements.Fill(table, column.name))
    if not column.nullable:
        steps.append(alter(table, column.name, modify_nullable=False))
    return steps


def alter(table: str, column: str, **changes: Any) -> ops.AlterColumnOp:
    """Return Alembic's change of a column."""
    name, schema = naming.split_key(table)
    return ops.AlterColumnOp(name, column, schema=schema, **changes)


def fill_if_possible(table: str, column: Any) -> Statement:
    """Return the step of a downgrade that sets NOT NULL again if no row is null."""
    name = quote(column.name)
    return statements.unless(
        table,
        f"{name} IS NULL",
        f"ALTER TABLE {quote_table(table)} ALTER COLUMN {name} SET NOT NULL",
    )


def change(
    operation: ops.AlterColumnOp, column: sa.Column[Any], *, back: bool = False
) -> list[Operation]:
    """Split a change of a column into steps that keep the rows.

    `column` is the model's. A downgrade (`back`) does not fail because of rows that were
    stored since: it restores a narrower type or NOT NULL only if the rows allow it.
    """
    table, name = table_of(operation), operation.column_name
    found: list[Operation] = []
    default = operation.modify_server_default
    if operation.modify_type is not None:
        found += _convert(operation, back=back)
        if default is False and operation.existing_server_default:
            back_to = operation.existing_server_default
            default = back_to if back else column.server_default
    simple: dict[str, Any] = {}
    if default is not False:
        simple["modify_server_default"] = default
    if operation.modify_nullable:
        simple["modify_nullable"] = True
    if operation.modify_comment is not False:
        simple["modify_comment"] = operation.modify_comment
    if simple:
        found.append(alter(table, name, **simple))
    if operation.modify_nullable is False:
        kept = (operation.existing_comment or "").startswith(UNUSED)
        fill = [fill_if_possible(table, column)] if back else _fill(table, column, kept)
        found += fill
    return found


def _fill(table: str, column: sa.Column[Any], kept: bool) -> list[Operation]:
    """Return the steps that set NOT NULL; a default fills rows without a value."""
    required = alter(table, column.name, modify_nullable=False)
    if column.server_default is not None:
        return [statements.Fill(table, column.name), required]
    if column.foreign_keys or kept:
        rows = "newer rows" if kept else "rows"
        told = f"{table}.{column.name}: {rows} have no value; set one in them first"
        without = f"{quote(column.name)} IS NULL"
        return [statements.Refusal(table, without, told), required]
    raise Refused(NO_DEFAULT)


def _convert(operation: ops.AlterColumnOp, *, back: bool) -> list[Operation]:
    """Return the steps that change the type; a default of the old type is dropped."""
    table, name = table_of(operation), operation.column_name
    old, new = operation.existing_type, operation.modify_type
    try:
        cast = casts.find_cast(quote(name), old, new, back=back)
    except casts.Impossible:
        words = {"old": casts.words(old), "new": casts.words(new)}
        raise Refused(NO_CAST.format(**words)) from None
    found: list[Operation] = []
    if cast.unfit and not cast.using and back:
        altered = f"ALTER TABLE {quote_table(table)} ALTER COLUMN {quote(name)}"
        typed = f"{altered} TYPE {casts.sql_type(new)}"
        return [statements.unless(table, cast.unfit, typed)]
    if cast.unfit:
        size = casts.sql_type(new).partition(" COLLATE ")[0]
        told = f"{table}.{name}: rows have values that do not fit in {size}"
        if isinstance(old, sa.ARRAY) and not isinstance(new, sa.ARRAY):
            told += ", as only an array with one item does"
        found.append(
            statements.Refusal(table, cast.unfit, f"{told}; change them first")
        )
    if not cast.using:
        return [*found, alter(table, name, modify_type=new)]
    if operation.existing_server_default:
        found.append(alter(table, name, modify_server_default=None))
    return [*found, statements.Convert(table, name, new, cast.using)]
