"""Turns `soft_delete` on and off for tables that have rows.

Unique values are then those of rows that are not deleted, or of all. What takes care of
that is built before its predecessor is dropped, so they are unique at any time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from alembic.operations import ops

from scaffold.merging.entity_renames import find_former
from scaffold.migrations.operations import DROP, LOOSEN, Draft, Step
from scaffold.migrations.statements import Operation, Refusal, quote_table, table_of
from scaffold.spec.model import Spec
from src.core.database import columns_of

MARKED = "deleted_at IS NOT NULL"
REFUSED = (
    "{}: there are deleted rows that can be restored; restore them, or delete them for "
    "good by `make purge DAYS=0` while the code still has soft_delete"
)

# The table, and the columns whose values are unique.
Unique = tuple[str, frozenset[str]]


def add_to(draft: Draft, old: Spec, new: Spec) -> None:
    """Put the steps of such tables in order, and refuse what would bring back rows."""
    on: set[str] = set()
    off: set[str] = set()
    for entity in new.entities:
        former = find_former(old, entity)
        if former and former.soft_delete != entity.soft_delete:
            (on if entity.soft_delete else off).add(entity.table_key)
    for table in sorted(off):
        draft.add(LOOSEN, [_refusal(table)], [])
    draft.steps[:] = [_in_order(step, on | off, on) for step in draft.steps]
    for table in sorted(on):
        draft.add(DROP, [], [_refusal(table)])


def _refusal(table: str) -> Refusal:
    return Refusal(table, MARKED, REFUSED.format(quote_table(table)))


def _in_order(step: Step, toggled: set[str], on: set[str]) -> Step:
    """Return a step that drops an index or constraint so that it is done at the end."""
    for unique in dropped_uniques([step]):
        table = unique[0]
        if table in toggled:
            down: list[Operation] = [_refusal(table)] if table in on else []
            return replace(step, phase=DROP, down=[*down, *step.down], late=True)
    return step


def dropped_uniques(steps: Iterable[Step]) -> Iterator[Unique]:
    """Yield what is unique no longer, or by something else."""
    for operation in (one for step in steps for one in step.up):
        made: Any
        if isinstance(operation, ops.DropConstraintOp):
            made = operation.reverse()
            if isinstance(made, ops.CreateUniqueConstraintOp):
                yield table_of(operation), frozenset(map(str, made.columns))
        elif isinstance(operation, ops.DropIndexOp):
            index = operation.to_index()
            if index.unique:
                yield table_of(operation), frozenset(columns_of(index))
