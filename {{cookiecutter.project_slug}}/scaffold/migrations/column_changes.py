"""Changes of one column on a table that has rows."""

from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from scaffold.migrations import casts, statements
from scaffold.migrations.catalog import UNUSED
from scaffold.migrations.statements import Operation, Statement, quote

NO_DEFAULT = (
    "entities.json wants a value in every row, and the rows that are there have none; "
    'add a "default" (it may go again in a later run), or leave "required" out'
)
NO_KEY = (
    "a required relation is new, and the rows that are there point nowhere; leave "
    '"required" out, run this, let every row point somewhere, then add it'
)
ONE_DEFAULT = (
    "it is unique, and the default would give the rows that are there all the same "
    "value; leave required and default out, run this, fill the rows, then add them"
)
NO_CAST = (
    "nothing says what its values of type {old} would be as {new}; add a field under "
    "another name, fill it from this one in a migration of your own, then remove this"
)

OTHER_TARGET = (
    "it holds ids of {}, and now names {}; give the new relation a name of its own, "
    "fill it in a migration of your own, then remove the old one"
)


class Refused(Exception):
    """The change cannot be made without help; the message says which."""


def why_not_added(column: sa.Column[Any], table: sa.Table) -> str:
    """Why rows could not get a new column, or ""."""
    if column.nullable:
        return ""
    if column.server_default is None:
        return NO_KEY if table.c[column.name].foreign_keys else NO_DEFAULT
    alone = {column.name}
    unique = (
        item
        for item in table.constraints
        if isinstance(item, sa.UniqueConstraint)
        and {c.name for c in item.columns} == alone
    )
    return ONE_DEFAULT if any(unique) else ""


def fill_if_possible(table: str, column: Any) -> Statement:
    """On the way back: forbid null again where no row holds it meanwhile."""
    name = quote(column.name)
    return statements.unless(
        table,
        f"{name} IS NULL",
        f"ALTER TABLE {quote(table)} ALTER COLUMN {name} SET NOT NULL",
    )


def change(
    operation: ops.AlterColumnOp, column: sa.Column[Any], *, back: bool = False
) -> list[Operation]:
    """Split a change of a column into steps that rows survive.

    `column` is the model's. On the way back nothing fails for what was stored since:
    a narrower type or NOT NULL comes back only where the rows allow it.
    """
    table, name = operation.table_name, operation.column_name
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
        found.append(ops.AlterColumnOp(table, name, **simple))
    if operation.modify_nullable is False:
        kept = (operation.existing_comment or "").startswith(UNUSED)
        fill = [fill_if_possible(table, column)] if back else _fill(table, column, kept)
        found += fill
    return found


def _fill(table: str, column: sa.Column[Any], kept: bool) -> list[Operation]:
    """Give every row a value, then forbid null; rows of a kept column have theirs."""
    required = ops.AlterColumnOp(table, column.name, modify_nullable=False)
    if column.server_default is not None:
        name = quote(column.name)
        change = f"SET {name} = DEFAULT WHERE {name} IS NULL"
        return [statements.execute(f"UPDATE {quote(table)} {change}"), required]
    if column.foreign_keys:
        told = f"This fails, and changes nothing, while a row has no {column.name}."
        return [statements.comment(told), required]
    if kept:
        told = f"{table}.{column.name}: rows that came meanwhile have none; fill them"
        without = f"{quote(column.name)} IS NULL"
        return [statements.refuse_if(table, without, f"{told} first"), required]
    raise Refused(NO_DEFAULT)


def _convert(operation: ops.AlterColumnOp, *, back: bool) -> list[Operation]:
    """The change of a type; a default of the old type gives way to it."""
    table, name = operation.table_name, operation.column_name
    old, new = operation.existing_type, operation.modify_type
    try:
        cast = casts.find_cast(quote(name), old, new, back=back)
    except casts.Impossible:
        words = {"old": casts.kind(old), "new": casts.kind(new)}
        raise Refused(NO_CAST.format(**words)) from None
    found: list[Operation] = []
    if cast.unfit and not cast.using and back:
        alter = f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(name)}"
        typed = f"{alter} TYPE {casts.sql_type(new)}"
        return [statements.unless(table, cast.unfit, typed)]
    if cast.unfit:
        told = f"{table}.{name}: rows hold values that {casts.sql_type(new)} does not"
        found.append(
            statements.refuse_if(table, cast.unfit, f"{told}; change them first")
        )
    if not cast.using:
        return [*found, ops.AlterColumnOp(table, name, modify_type=new)]
    if operation.existing_server_default:
        found.append(ops.AlterColumnOp(table, name, modify_server_default=None))
    return [*found, statements.Convert(table, name, new, cast.using)]
