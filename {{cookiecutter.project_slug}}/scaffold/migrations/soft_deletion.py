"""Turns `soft_delete` on and off for tables that have rows.

Unique values are then those of rows that are not deleted, or of all. What takes care of
that is built before its predecessor is dropped, so they are unique at any time.
"""

from dataclasses import replace

from alembic.operations import ops

from scaffold.merging.entity_renames import find_former
from scaffold.migrations.operations import DROP, LOOSEN, Draft, Step
from scaffold.migrations.statements import Operation, Refusal, quote_table, table_of
from scaffold.spec.index_names import index_names
from scaffold.spec.model import Spec
from scaffold.spec.vocabulary.keys import SOFT_DELETE

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
                is_old = (kind, former.table_key, *columns) in before
                if table == entity.table_key and is_old:
                    draft.still_unique.add((table, name))
    for table in sorted(off):
        draft.add(LOOSEN, [_refusal(table)], [])
    steps = [_in_order(step, on | off, on) for step in draft.steps]
    # A column takes the indexes that depend on it along, so it goes after them.
    draft.steps[:] = sorted(steps, key=lambda step: step.late and _drops_column(step))
    for table in sorted(on):
        draft.add(DROP, [], [_refusal(table)])


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
