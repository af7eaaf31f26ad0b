"""The triggers that raise the version of a row for each change, whatever makes it.

Where an entity has a history, others write the change into it. Autogenerate knows no triggers; the databases tell which ones there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from scaffold.migrations.catalog import Catalog
from scaffold.migrations.operations import CREATE, DROP, FASTEN, LOOSEN, Draft
from scaffold.migrations.owned_names import HISTORY
from scaffold.migrations.statements import (
    Operation,
    Statement,
    execute,
    literal,
    quote_table,
)
from scaffold.spec.vocabulary.keys import VERSION_COLUMN
from src.core.database import Base

NAME = "raise_version"
RECORD = "write_history"
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
# Requests say who they are by settings of the transaction, which are empty after it.
HISTORY_FUNCTIONS = {
    # The arguments are the table, the column of the id, and the columns whose values are
    # not recorded. OLD and NEW are null where there is none.
    RECORD: """\
DECLARE
    was jsonb = coalesce(to_jsonb(OLD), '{}');
    becomes jsonb = coalesce(to_jsonb(NEW), '{}');
    secret text[] = TG_ARGV[2:];
    before jsonb;
    after jsonb;
    secrets text[];
BEGIN
    SELECT
        jsonb_object_agg(key, was -> key) FILTER (WHERE key <> ALL (secret)),
        jsonb_object_agg(key, becomes -> key) FILTER (WHERE key <> ALL (secret)),
        array_agg(key) FILTER (WHERE key = ANY (secret))
    INTO before, after, secrets
    FROM jsonb_object_keys(was || becomes) AS key
    WHERE key NOT IN ('_version', '_search')
    AND coalesce(was -> key, 'null') <> coalesce(becomes -> key, 'null');
    IF before IS NOT NULL OR secrets IS NOT NULL THEN
        INSERT INTO _history
            (resource, row_id, operation, actor, request_id, old, new, hidden)
        VALUES (
            TG_ARGV[0], (was || becomes) ->> TG_ARGV[1], lower(TG_OP),
            nullif(current_setting('app.actor', true), ''),
            nullif(current_setting('app.request_id', true), ''),
            CASE WHEN TG_OP <> 'INSERT' THEN before END,
            CASE WHEN TG_OP <> 'DELETE' THEN after END,
            secrets
        );
    END IF;
    RETURN NULL;
END""",
    # The arguments are the table of the row with the list of ids, the column that refers
    # to it, the association table, and its other column.
    f"{RECORD}_of_linked": """\
DECLARE
    was jsonb = to_jsonb(OLD);
    becomes jsonb = to_jsonb(NEW);
BEGIN
    INSERT INTO _history (resource, row_id, operation, actor, request_id, old, new)
    SELECT
        TG_ARGV[0], link ->> TG_ARGV[1], verb,
        nullif(current_setting('app.actor', true), ''),
        nullif(current_setting('app.request_id', true), ''),
        CASE verb WHEN 'unlink' THEN other END,
        CASE verb WHEN 'link' THEN other END
    FROM (VALUES ('unlink', was), ('link', becomes)) AS links (verb, link),
        jsonb_build_object(TG_ARGV[2], link -> TG_ARGV[3]) AS other
    WHERE link IS NOT NULL AND was IS DISTINCT FROM becomes;
    RETURN NULL;
END""",
}
# The rows that a statement has changed, as they were before it and as they are after it.
CHANGED = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}
SOURCES = "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY (:names)"


def read_functions(connection: sa.Connection) -> dict[str, str]:
    """Return the code of those functions of the triggers that the database has."""
    names = {"names": [*FUNCTIONS, *HISTORY_FUNCTIONS]}
    return dict(connection.execute(sa.text(SOURCES), names).tuples().all())


def create(connection: sa.Connection, models: sa.MetaData) -> None:
    """Create the triggers of all tables."""
    for name, code in _functions(models).items():
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
    known = _functions(models)
    for name in functions.keys() - known.keys():  # no entity has a history any longer
        gone = _create_function(name, functions[name])
        draft.add(DROP, [_drop_function(name)], [gone])
    for name, code in known.items():
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
    return name.startswith((NAME, RECORD))


def _functions(models: sa.MetaData) -> Mapping[str, str]:
    """Return the code of the functions that the triggers of the models need."""
    return {**FUNCTIONS, **(HISTORY_FUNCTIONS if HISTORY in models.tables else {})}


def _one_line(code: str) -> str:
    """Return code without its line breaks: a migration indents it."""
    return " ".join(code.split())


def _function(name: str, code: str) -> str:
    head = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
    if name != NAME:  # it finds its tables from any session
        head += " SET search_path FROM CURRENT"
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
    unrecorded = _with_history()
    if VERSION_COLUMN in table.c:
        event = f"BEFORE UPDATE ON {own_name} FOR EACH ROW"
        found = {NAME: f"CREATE TRIGGER {NAME} {event} EXECUTE FUNCTION {NAME}()"}
        if table.key in unrecorded:
            (key_column,) = table.primary_key
            row = (table.key, key_column.name, *unrecorded[table.key])
            found[RECORD] = _recording(own_name, RECORD, row)
        return found
    found = {}
    for column in _to_lists(table):
        (key,) = column.foreign_keys
        if key.column.table.key in unrecorded:
            (other,) = (one for one in table.primary_key if one is not column)
            row = (key.column.table.key, column.name, table.key, other.name)
            found[RECORD] = _recording(own_name, f"{RECORD}_of_linked", row)
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


def _with_history() -> Mapping[str, Sequence[str]]:
    """Return the tables with a history, and the columns that it has no values of."""
    found = ((one.local_table, one.class_) for one in Base.registry.mappers)
    return {
        table.key: entity.__history__
        for table, entity in found
        if isinstance(table, sa.Table)
        and getattr(entity, "__history__", None) is not None
    }


def _recording(table: str, function: str, arguments: Iterable[str]) -> str:
    """Return the statement that creates a trigger of a history."""
    event = f"AFTER INSERT OR DELETE OR UPDATE ON {table} FOR EACH ROW"
    call = f"{function}({', '.join(map(literal, arguments))})"
    return f"CREATE TRIGGER {RECORD} {event} EXECUTE FUNCTION {call}"


def _to_lists(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the column of an association table that refers to rows with lists of ids.

    `info` has the other column, with the name of the list.
    """
    is_association = all(column.primary_key for column in table.c)
    columns = [one for one in table.primary_key if one.name not in table.info]
    return columns if is_association and len(columns) < len(table.c) else []
