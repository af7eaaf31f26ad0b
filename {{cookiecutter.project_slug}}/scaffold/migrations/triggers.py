"""The triggers that raise the version of a row for each change, whatever makes it.

Autogenerate knows no triggers; the databases tell which ones there are.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from scaffold.migrations.catalog import Catalog
from scaffold.migrations.operations import CREATE, FASTEN, LOOSEN, Draft
from scaffold.migrations.statements import (
    Operation,
    Statement,
    execute,
    literal,
    quote_table,
)
from scaffold.spec.vocabulary.keys import VERSION_COLUMN

NAME = "raise_version"
FUNCTIONS = {
    NAME: """\
BEGIN
    NEW._version = OLD._version + 1;
    RETURN NEW;
END""",
    # Linking and unlinking rows changes the one with the list of ids. The arguments are
    # its table, its id, and the column of the association table that refers to it.
    f"{NAME}_of_linked": """\
BEGIN
    EXECUTE format(
        'UPDATE %s SET _version = _version + 1 WHERE %I IN (SELECT %I FROM changed)',
        TG_ARGV[0], TG_ARGV[1], TG_ARGV[2]
    );
    RETURN NULL;
END""",
}
# The rows that a statement has changed, as they were before it and as they are after it.
CHANGED = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}
SOURCES = "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY (:names)"


def read_functions(connection: sa.Connection) -> dict[str, str]:
    """Return the code of those functions of the triggers that the database has."""
    names = {"names": [*FUNCTIONS]}
    return dict(connection.execute(sa.text(SOURCES), names).tuples().all())


def create(connection: sa.Connection, models: sa.MetaData) -> None:
    """Create the triggers of all tables."""
    for name, code in FUNCTIONS.items():
        connection.exec_driver_sql(_function(name, code))
    for table in models.tables.values():
        for statement in _triggers(table).values():
            connection.exec_driver_sql(statement)


def add_to(
    draft: Draft,
    before: Catalog,
    after: Catalog,
    functions: Mapping[str, str],
    models: sa.MetaData,
) -> None:
    """Add what creates, changes and drops triggers and their functions."""
    for name, code in FUNCTIONS.items():
        old = functions.get(name)
        if old is None:
            draft.add(LOOSEN, [_create_function(name, code)], [_drop_function(name)])
        elif _one_line(old) != _one_line(code):
            back: list[Operation] = [_create_function(name, old)]
            draft.add(LOOSEN, [_create_function(name, code)], back)
    for key, table in models.tables.items():
        wanted = _triggers(table)
        if key not in before:  # on the way back, they go with their table
            draft.add(CREATE, [execute(sql) for sql in wanted.values()], [])
            continue
        have, want = before[key].triggers, after[key].triggers
        for name in sorted(wanted.keys() | {one for one in have if _is_ours(one)}):
            if have.get(name) == want.get(name):
                continue
            drop = execute(f"DROP TRIGGER {name} ON {quote_table(key)}")
            if name in have:
                draft.add(LOOSEN, [drop], [execute(have[name])])
            if name in wanted:
                draft.add(FASTEN, [execute(wanted[name])], [drop])
    for part in draft.destroyed:
        if not part.column:  # on the way back, they come after their table
            statements = before[part.table].triggers.values()
            made: list[Operation] = [execute(sql) for sql in statements]
            draft.add(FASTEN, [], made)


def _is_ours(name: str) -> bool:
    return name.startswith(NAME)


def _one_line(code: str) -> str:
    """Return code without its line breaks: a migration indents it."""
    return " ".join(code.split())


def _function(name: str, code: str) -> str:
    head = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
    return f"{head} AS $$\n{code}\n$$"


def _create_function(name: str, code: str) -> Statement:
    lines = _function(name, code.replace(":", "\\\\:")).splitlines()
    return Statement(
        "op.execute(", '    """', *(f"    {x}" for x in lines), '    """', ")"
    )


def _drop_function(name: str) -> Statement:
    return execute(f"DROP FUNCTION {name}()")


def _triggers(table: sa.Table) -> dict[str, str]:
    """Return the statements that create the triggers of a table, by their names."""
    own_name = quote_table(table.key)
    if VERSION_COLUMN in table.c:
        event = f"BEFORE UPDATE ON {own_name} FOR EACH ROW"
        return {NAME: f"CREATE TRIGGER {NAME} {event} EXECUTE FUNCTION {NAME}()"}
    found = {}
    for column in _to_lists(table):
        (key,) = column.foreign_keys
        linked = quote_table(key.column.table.key)
        arguments = ", ".join(map(literal, (linked, key.column.name, column.name)))
        for operation, states in CHANGED.items():
            for state in states:
                name = f"{NAME}_{operation}_{state}".lower()
                found[name] = (
                    f"CREATE TRIGGER {name} AFTER {operation} ON {own_name} "
                    f"REFERENCING {state} TABLE AS changed FOR EACH STATEMENT "
                    f"EXECUTE FUNCTION {NAME}_of_linked({arguments})"
                )
    return found


def _to_lists(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the column of an association table that refers to rows with lists of ids.

    `info` has the other column, with the name of the list.
    """
    is_association = all(column.primary_key for column in table.c)
    columns = [one for one in table.primary_key if one.name not in table.info]
    return columns if is_association and len(columns) < len(table.c) else []
