"""Splits a migration so that requests wait for no step that reads all rows of a table.

The first part is one transaction, of changes that take a moment. The second part fills
columns, builds indexes and validates constraints in forms that block no request. PostgreSQL
does not allow these in the transaction that has changed the table, or in any transaction. So
the second part is a migration of its own. If one of its steps fails, the first part stays
applied, and all of the second part can be run again.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from alembic.operations import ops

from scaffold.migrations import statements
from scaffold.migrations.operations import FASTEN, Step, down_of, up_of
from scaffold.migrations.statements import (
    Check,
    Convert,
    Fill,
    Operation,
    OutsideTransaction,
    Refusal,
    Unchecked,
    Validation,
    quote,
    quote_table,
    table_of,
)
from scaffold.spec import naming

# The order of the second part; FILL and SCAN are outside of a transaction.
FILL, DECLARE, SCAN, FINISH, LAST = range(5)
REPEATED = (
    "What is outside of a transaction is committed step by step, and blocks no request. If "
    "a step fails, all of this can be run again."
)


@dataclass
class Parts:
    """The steps of two migrations; either may have none."""

    refusals: list[Operation] = field(default_factory=list)
    first: list[Step] = field(default_factory=list)
    second: list[Step] = field(default_factory=list)

    def up_of_first(self, renames: Sequence[Operation]) -> list[Operation]:
        """Return the upgrade of the first migration, which begins with the renames."""
        steps = up_of(self.first)
        return [*renames, *self.refusals, *steps] if renames or steps else []

    def up_of_second(self, *, is_alone: bool) -> list[Operation]:
        """Return the upgrade of the second migration."""
        phases = {
            phase: [
                one for step in self.second if step.phase == phase for one in step.up
            ]
            for phase in (FILL, DECLARE, SCAN, FINISH, LAST)
        }
        if not phases[DECLARE]:
            phases[SCAN], phases[FILL] = phases[FILL] + phases[SCAN], []
        return [
            *(self.refusals if is_alone else ()),
            statements.comment(REPEATED),
            *_outside(phases[FILL]),
            *phases[DECLARE],
            *_outside(phases[SCAN]),
            *phases[FINISH],
            *phases[LAST],
        ]

    @property
    def down_of_first(self) -> list[Operation]:
        return down_of(self.first)

    @property
    def down_of_second(self) -> list[Operation]:
        return down_of(self.second)


def _outside(steps: Sequence[Operation]) -> list[Operation]:
    return [OutsideTransaction(steps)] if steps else []


def split(steps: Iterable[Step], created: Collection[str]) -> Parts:
    """Split the steps; tables that the migration creates have no rows to read."""
    steps = list(steps)
    parts = Parts()
    converted = {
        table_of(one) for step in steps for one in step.up if isinstance(one, Convert)
    }
    filled = {one.table for step in steps for one in step.up if isinstance(one, Fill)}
    for step in steps:
        if step.late:
            parts.second.append(replace(step, phase=LAST))
            continue
        first: list[Operation] = []
        second: list[Step] = []
        for one in step.up:
            match one:
                case Refusal() if step.phase < FASTEN or one.table not in converted:
                    parts.refusals.append(one)
                case Fill():
                    second.append(Step(FILL, [one], []))
                case Check():
                    first.append(Unchecked(one.table, one.name, one.condition))
                    valid = statements.validate(one.table, one.name)
                    second.append(Step(SCAN, [valid], []))
                case Unchecked() if one.table in filled:
                    # Filling a column of a row that violates the rule would fail.
                    again = statements.drop_check(one.table, one.name, "if_exists=True")
                    second.append(Step(DECLARE, [again, one], []))
                case Validation():
                    second.append(Step(SCAN, [one], []))
                case ops.AlterColumnOp(modify_nullable=False):
                    second += _not_null(one)
                case ops.CreateForeignKeyOp() if table_of(one) not in created:
                    name = str(one.constraint_name)
                    one.kw["postgresql_not_valid"] = True
                    first.append(one)
                    second.append(
                        Step(SCAN, [statements.validate(table_of(one), name)], [])
                    )
                case ops.CreateIndexOp() if table_of(one) not in created:
                    second.append(Step(SCAN, [_concurrently(one)], []))
                case ops.CreateUniqueConstraintOp() if table_of(one) not in created:
                    second += _unique(one)
                case _:
                    first.append(one)
        if first or not second:
            parts.first.append(Step(step.phase, first, step.down))
        else:
            second[-1] = replace(second[-1], down=step.down)
        parts.second += second
    return parts


def _not_null(operation: ops.AlterColumnOp) -> list[Step]:
    """SET NOT NULL does not read the rows if a CHECK says that none is null."""
    table, column = table_of(operation), str(operation.column_name)
    name = naming.constraint("ck", operation.table_name, column, "not_null")
    condition = f"{quote(column)} IS NOT NULL"
    again = statements.drop_check(table, name, "if_exists=True")
    added = Unchecked(table, name, condition)
    return [
        Step(DECLARE, [again, added], []),
        Step(SCAN, [statements.validate(table, name)], []),
        Step(FINISH, [operation, statements.drop_check(table, name)], []),
    ]


def _concurrently(operation: ops.CreateIndexOp) -> ops.CreateIndexOp:
    operation.if_not_exists = True
    operation.kw["postgresql_concurrently"] = True
    return operation


def _unique(operation: ops.CreateUniqueConstraintOp) -> list[Step]:
    """The constraint takes over an index that was built before."""
    table, name = quote_table(table_of(operation)), str(operation.constraint_name)
    index = ops.CreateIndexOp(
        name,
        operation.table_name,
        list(operation.columns),
        schema=operation.schema,
        unique=True,
    )
    added = f"ALTER TABLE {table} ADD CONSTRAINT {quote(name)} UNIQUE USING INDEX"
    return [
        Step(SCAN, [_concurrently(index)], []),
        Step(FINISH, [statements.execute(f"{added} {quote(name)}")], []),
    ]
