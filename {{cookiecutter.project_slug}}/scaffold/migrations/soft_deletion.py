"""Turns `soft_delete` on and off for tables that have rows.

Unique values are then those of rows that are not deleted, or of all. What takes care of
that is built before its predecessor is dropped, so they are unique at any time.
"""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from scaffold.merging.entity_renames import find_former
from scaffold.migrations.operations import DROP, LOOSEN, Draft, Step
from scaffold.migrations.statements import Operation, Refusal, quote_table, table_of
from scaffold.spec import naming
from scaffold.spec.index_names import index_names
from scaffold.spec.model import Spec
from scaffold.spec.vocabulary.keys import SOFT_DELETE

LIVE = sa.text("deleted_at IS NULL")
MARKED = "deleted_at IS NOT NULL"
REFUSED = (
    "{}: there are deleted rows that can be restored; restore them, or delete them for "
    "good by `make purge DAYS=0` while the code still has soft_delete"
)


def add_to(draft: Draft, old: Spec, new: Spec) -> None:
    """Put the steps of such tables in order, and refuse what would bring back rows."""
    on: set[str] = set()
    off: set[str] = set()
    before, after = index_names(old.entities), index_names(new.entities)
    for entity in new.entities:
        former = find_former(old, entity)
        if former and former.soft_delete != entity.soft_delete:
            (on if entity.soft_delete else off).add(entity.table_key)
            for (kind, table, *columns), name in after.items():
                was = before.get((kind, former.table_key, *columns))
                if table == entity.table_key and was is not None:
                    draft.still_unique.add((table, name))
                    if kind == "uq" and not former.lowered.isdisjoint(columns):
                        draft.steps += _without(draft, table, was, name)
    for table in sorted(off):
        draft.add(LOOSEN, [_refusal(table)], [])
    steps = [_in_order(step, on | off, on) for step in draft.steps]
    # A column takes the indexes that depend on it along, so it goes after them.
    draft.steps[:] = sorted(steps, key=lambda step: step.late and _drops_column(step))
    for table in sorted(on):
        draft.add(DROP, [], [_refusal(table)])


def _without(draft: Draft, table: str, was: str, name: str) -> list[Step]:
    """Return the step that drops an index of expressions, which Alembic cannot compare.

    The new one has the same expressions.
    """
    own_name, schema = naming.split_key(table)
    for one in [one for step in draft.steps for one in step.up]:
        if isinstance(one, ops.CreateIndexOp) and one.index_name == name:
            where: dict[str, Any] = (
                {} if "postgresql_where" in one.kw else {"postgresql_where": LIVE}
            )
            made = ops.CreateIndexOp(
                was, own_name, one.columns, schema=schema, unique=True, **where
            )
            drop = ops.DropIndexOp(was, own_name, schema=schema, _reverse=made)
            return [Step(LOOSEN, [drop], [made])]
    return []


def _refusal(table: str) -> Refusal:
    return Refusal(table, MARKED, REFUSED.format(quote_table(table)))


def _in_order(step: Step, toggled: set[str], on: set[str]) -> Step:
    """Return a step that drops an index or constraint so that it is done at the end."""
    for operation in step.up:
        if _is_unique(operation) and (table := table_of(operation)) in toggled:
            down: list[Operation] = [_refusal(table)] if table in on else []
            return replace(step, phase=DROP, down=[*down, *step.down], late=True)
        if _is_mark(operation) and table_of(operation) in toggled:
            return replace(step, late=True)
    return step


def _drops_column(step: Step) -> bool:
    return any(isinstance(one, ops.DropColumnOp) for one in step.up)


def _is_mark(operation: Operation) -> bool:
    """Return whether it drops a column of deleted rows."""
    return (
        isinstance(operation, ops.DropColumnOp) and operation.column_name in SOFT_DELETE
    )


def _is_unique(operation: Operation) -> bool:
    """Return whether it drops what keeps values unique."""
    if isinstance(operation, ops.DropIndexOp):
        return str(operation.index_name).startswith("uq_")
    return isinstance(operation, ops.DropConstraintOp) and isinstance(
        operation.reverse(), ops.CreateUniqueConstraintOp
    )
