"""The functions by which CHECK constraints judge each item of an array.

A CHECK has no query of its own, so `item_lengths(tags)` makes an array of lengths for it.
Autogenerate knows no functions; the database tells which ones there are. One that no CHECK
needs any longer is kept: a column that entities.json has no longer keeps its rules.
"""

from collections.abc import Collection

import sqlalchemy as sa

from scaffold.migrations.operations import LOOSEN, Draft
from scaffold.migrations.statements import execute
from scaffold.python_code.field_code import ITEM_FUNCTIONS

NAMES = "SELECT proname FROM pg_proc WHERE proname = ANY (:names)"


def read(connection: sa.Connection) -> Collection[str]:
    """Return the names of those functions that the database has."""
    return connection.scalars(sa.text(NAMES), {"names": [*ITEM_FUNCTIONS]}).all()


def create(connection: sa.Connection, models: sa.MetaData) -> None:
    """Create the functions that the models need; their tables come afterwards."""
    for name in _needed(models):
        connection.exec_driver_sql(_create(name))


def add_to(draft: Draft, known: Collection[str], models: sa.MetaData) -> None:
    """Add what creates the functions that the models need, and that are not there."""
    for name in _needed(models):
        if name not in known:
            arguments, _, _ = ITEM_FUNCTIONS[name]
            drop = execute(f"DROP FUNCTION {name}({arguments})")
            draft.add(LOOSEN, [execute(_create(name))], [drop])


def _needed(models: sa.MetaData) -> list[str]:
    rules = [
        str(one.sqltext)
        for table in models.tables.values()
        for one in table.constraints
        if isinstance(one, sa.CheckConstraint)
    ]
    return [one for one in ITEM_FUNCTIONS if any(f"{one}(" in rule for rule in rules)]


def _create(name: str) -> str:
    arguments, returns, query = ITEM_FUNCTIONS[name]
    head = f"CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {returns}"
    return f"{head} LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ {query} $$"
