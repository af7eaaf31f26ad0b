"""Operations and SQL of a migration that Alembic does not have."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import quoted_name
from sqlalchemy.engine import make_url

from scaffold.spec import naming
from scaffold.spec.vocabulary.reserved_names import UNQUOTED_BY_SQLALCHEMY

DIALECT = make_url("postgresql+asyncpg://").get_dialect()()
Operation = ops.MigrateOperation
WIDTH = 68  # of a part of SQL within op.execute()


class Statement(ops.MigrateOperation):
    """Lines of Python to write into a migration; `about` is a part of its title."""

    def __init__(self, *lines: str, about: str = "") -> None:
        self.lines = lines
        self.about = about


class Refusal(Statement):
    """Stops the migration if rows of a table meet a condition; it changes nothing."""

    def __init__(self, table: str, condition: str, message: str) -> None:
        self.table = table
        self.condition = condition
        self.message = message
        stop = block(
            # Names are quoted, and the condition is the migration's own.
            f"IF EXISTS (SELECT FROM {quote_table(table)} WHERE {condition}) THEN "  # nosec B608
            f"RAISE EXCEPTION {literal(message.replace('%', '%%'))}; END IF;"
        )
        super().__init__(*stop.lines)


class Fill(Statement):
    """Sets the default in rows that have no value."""

    def __init__(self, table: str, column: str) -> None:
        self.table = table
        name = quote(column)
        change = f"SET {name} = DEFAULT WHERE {name} IS NULL"
        sql = f"UPDATE {quote_table(table)} {change}"
        super().__init__(f"op.execute({_pieces(sql)})")


class Check(Statement):
    """Adds a CHECK that all rows meet."""

    def __init__(self, table: str, name: str, condition: str, about: str) -> None:
        self.table = table
        self.name = name
        self.condition = condition
        super().__init__(_create_check(table, name, condition), about=about)


class Unchecked(Statement):
    """Adds a CHECK for new and changed rows; older rows may violate it."""

    def __init__(self, table: str, name: str, condition: str, about: str = "") -> None:
        self.table = table
        self.name = name
        created = _create_check(table, name, condition, "postgresql_not_valid=True")
        super().__init__(created, about=about)


class Validation(Statement):
    """Tests the rows for a CHECK, which no request waits for; warns if some violate it."""

    def __init__(self, table: str, name: str, condition: str) -> None:
        self.table = table
        self.condition = condition
        self.message = (
            f"{table}: older rows violate {name}; it applies when they are changed"
        )
        tested = block(
            f"ALTER TABLE {quote_table(table)} VALIDATE CONSTRAINT {quote(name)}; "
            f"EXCEPTION WHEN check_violation THEN "
            f"RAISE WARNING {literal(self.message.replace('%', '%%'))};"
        )
        super().__init__(*tested.lines)


class OutsideTransaction(ops.MigrateOperation):
    """Steps that are each committed at once."""

    def __init__(self, steps: Sequence[Operation]) -> None:
        self.steps = steps


class Convert(ops.AlterColumnOp):
    """A change of a column's type, with the SQL expression of the new values."""

    def __init__(self, table: str, column: str, type_: Any, using: str) -> None:
        name, schema = naming.split_key(table)
        super().__init__(name, column, schema=schema, modify_type=type_)
        self.using = using


@renderers.dispatch_for(Statement)
def _render_statement(_: AutogenContext, step: Statement) -> list[str]:
    return list(step.lines)


@renderers.dispatch_for(OutsideTransaction)
def _render_outside(context: AutogenContext, block: OutsideTransaction) -> list[str]:
    """Alembic indents what follows a colon, until an empty line."""
    lines = ["with op.get_context().autocommit_block():"]
    for step in block.steps:
        found = renderers.dispatch(step)(context, step)
        lines += [found] if isinstance(found, str) else found
    return [*lines, ""]


@renderers.dispatch_for(Convert)
def _render_convert(context: AutogenContext, step: Convert) -> str:
    text = str(renderers.dispatch(ops.AlterColumnOp)(context, step))
    return f"{text[:-1]}, postgresql_using={step.using!r})"


def quote(name: str) -> str:
    """Return a name as SQL, quoted if PostgreSQL requires it."""
    forced = True if name in UNQUOTED_BY_SQLALCHEMY else None
    return DIALECT.identifier_preparer.quote(quoted_name(name, quote=forced))


def quote_table(table: str) -> str:
    """Return a table as SQL, with its schema if that is not the default one."""
    name, schema = naming.split_key(table)
    return f"{quote(schema)}.{quote(name)}" if schema else quote(name)


def table_of(operation: Any) -> str:
    """Return the table that an operation of Alembic is about, with its schema."""
    if isinstance(operation, ops.CreateForeignKeyOp):
        schema = operation.kw.get("source_schema")
        return naming.table_key(operation.source_table, schema)
    return naming.table_key(operation.table_name, operation.schema)


def schema_argument(table: str) -> list[str]:
    """Return the argument of Alembic's functions for a table of another schema."""
    schema = naming.split_key(table)[1]
    return [f"schema={schema!r}"] if schema else []


def literal(text: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def comment(text: str) -> Statement:
    """Return a comment for the statements that follow."""
    return Statement(*(f"# {line}" for line in textwrap.wrap(text, WIDTH + 8)))


def execute(sql: str) -> Statement:
    """Return a statement that executes SQL; colons in it are not parameters."""
    return Statement(f"op.execute({_pieces(sql)})")


def _pieces(sql: str) -> str:
    """Return the text as a Python string literal, a long one in several parts."""
    words = re.split(r"(?<= )", " ".join(sql.split("\n")).replace(":", "\\:"))
    pieces = [""]
    for word in words:
        if len(pieces[-1]) + len(word) > WIDTH and pieces[-1]:
            pieces.append("")
        pieces[-1] += word
    return " ".join(map(_string, pieces))


def _string(text: str) -> str:
    """Return a literal in double quotes if possible, as formatters write it."""
    if '"' in text:
        return repr(text)
    return (
        '"' + repr(f"'{text}")[2:-1] + '"' if "'" in text else f'"{repr(text)[1:-1]}"'
    )


def block(body: str) -> Statement:
    """Return a statement that executes PL/pgSQL, for conditions and exceptions."""
    return execute(f"DO $$ BEGIN {body} END $$")


def unless(table: str, condition: str, sql: str) -> Statement:
    """Return a statement that executes SQL if no row meets the condition."""
    return block(
        f"IF NOT EXISTS (SELECT FROM {quote_table(table)} WHERE {condition}) THEN "  # nosec B608
        f"{sql}; END IF;"
    )


def add_check(table: str, name: str, condition: str, *, rows: bool) -> list[Operation]:
    """Return the steps that add a CHECK; with `rows`, older rows may violate it.

    It is then added NOT VALID, and validated if all rows meet it.
    """
    about = f"change rules of {table}"
    if not rows:
        return [Check(table, name, condition, about)]
    return [
        Unchecked(table, name, condition, about),
        Validation(table, name, condition),
    ]


def validate(table: str, name: str) -> Statement:
    """Return the step that tests all rows for a CHECK or a foreign key."""
    rows = f"ALTER TABLE {quote_table(table)}"
    return execute(f"{rows} VALIDATE CONSTRAINT {quote(name)}")


def _create_check(table: str, name: str, condition: str, *options: str) -> str:
    own_name = repr(naming.split_key(table)[0])
    arguments = [f"op.f({name!r})", own_name, _pieces(condition), *options]
    arguments += schema_argument(table)
    return f"op.create_check_constraint({', '.join(arguments)})"


def drop_check(table: str, name: str, *options: str) -> Statement:
    """Return the step that drops a CHECK."""
    own_name = repr(naming.split_key(table)[0])
    arguments = [f"op.f({name!r})", own_name, "type_='check'", *options]
    arguments += schema_argument(table)
    return Statement(
        f"op.drop_constraint({', '.join(arguments)})",
        about=f"change rules of {table}",
    )
