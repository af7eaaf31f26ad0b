"""Autogenerate's operations, in an order that works and in a form that keeps rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from scaffold.migrations import column_changes
from scaffold.migrations.catalog import UNUSED, Catalog, Item
from scaffold.migrations.owned_names import Ours
from scaffold.migrations.renames import Rename
from scaffold.migrations.statements import (
    Operation,
    comment,
    execute,
    quote,
    quote_table,
    table_of,
)
from scaffold.spec import naming
from scaffold.spec.vocabulary.keys import SOFT_DELETE

# In this order a table's parts are taken apart and put together again.
LOOSEN, CREATE, ADD, ALTER, FASTEN, DROP = range(6)
MARK = f"{UNUSED}entities.json has it no longer"


@dataclass(frozen=True)
class Step:
    """A change, and what takes it back.

    One that is `late` has to wait for what another migration builds.
    """

    phase: int
    up: list[Operation]
    down: list[Operation]
    late: bool = False


@dataclass(frozen=True)
class Part:
    """A table, or a column of it."""

    table: str
    column: str = ""

    def __str__(self) -> str:
        if self.column:
            return f"the column {self.name} and its values"
        return f"the table {self.name} and its rows"

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


def current(part: Part, renames: Iterable[Rename]) -> Part:
    """Return a part under the name that it has after the renames."""
    table, column = part.table, part.column
    for one in renames:
        if one.kind == "table" and one.old == table:
            table = one.new
        elif one.kind == "column" and (one.table, one.old) == (table, column):
            column = one.new
    return Part(table, column)


@dataclass
class Draft:
    """What goes into a migration, and what has to be said about it.

    `left` has all that could be dropped and is not, whether this migration marks it as
    unused or an earlier one has. `still_unique` are new indexes and constraints of values
    that are unique already, each with its table.
    """

    steps: list[Step] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    left: list[Part] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    destroyed: list[Part] = field(default_factory=list)
    still_unique: set[tuple[str, str]] = field(default_factory=set)

    def add(self, phase: int, up: list[Operation], down: list[Operation]) -> None:
        self.steps.append(Step(phase, up, down))


def up_of(steps: Iterable[Step]) -> list[Operation]:
    """Return what the steps do, phase by phase."""
    ordered = sorted(steps, key=lambda step: step.phase)
    return [one for step in ordered for one in step.up]


def down_of(steps: Iterable[Step]) -> list[Operation]:
    """Return what takes the steps back, in the reverse order."""
    ordered = sorted(steps, key=lambda step: step.phase)
    return [one for step in reversed(ordered) for one in step.down]


class Arranger:
    """Takes autogenerate's operations one by one.

    `labels` has what a person calls a column, by table and column; `ours` is what
    entities.json has brought into the database, which is `before`; `nullable` are the columns that may be
    null by entities.json, now and at the last migration. `drop` names what to drop.
    """

    def __init__(
        self,
        models: sa.MetaData,
        labels: Mapping[tuple[str, str], str],
        ours: Ours,
        nullable: Collection[tuple[str, str]],
        drop: Collection[str],
        before: Catalog,
    ) -> None:
        self.models = models
        self.ours = ours
        self.labels = labels
        self.nullable = nullable
        self.drop = drop
        self.before = before
        self.draft = Draft()

    def run(self, found: Iterable[Operation]) -> Draft:
        """Arrange them; what drops a new table is told by names alone.

        Alembic's `reverse()` copies a table into what drops it, and does that again to
        write it: with 200 tables, half a second.
        """
        operations = list(_flat(found))
        gone = _tables(operations, ops.DropTableOp)
        new = _tables(operations, ops.CreateTableOp)
        columns = (one for one in operations if isinstance(one, ops.DropColumnOp))
        going = {_column(one) for one in columns if self._goes(one)}
        for operation in operations:
            match operation:
                case ops.DropTableOp():
                    self._drop_table(operation, gone)
                case ops.DropColumnOp():
                    self._drop_column(operation)
                case ops.AddColumnOp():
                    self._add_column(operation)
                case ops.AlterColumnOp():
                    self._alter_column(operation)
                case ops.CreateForeignKeyOp():
                    self._add_foreign_key(operation, operations)
                case ops.DropIndexOp() | ops.DropConstraintOp():
                    self._loosen(operation, gone, going)
                case ops.CreateTableOp(table_name=table, schema=schema):
                    drop: Operation = ops.DropTableOp(table, schema=schema)
                    self.draft.add(CREATE, [operation], [drop])
                case ops.CreateIndexOp(table_name=table, schema=schema) if (
                    table_of(operation) in new
                ):
                    name: Any = operation.index_name
                    drop = ops.DropIndexOp(name, table, schema=schema)
                    self.draft.add(CREATE, [operation], [drop])
                case ops.CreateTableCommentOp() | ops.DropTableCommentOp():
                    self._plain(ALTER, operation)
                case _:
                    self._plain(FASTEN, operation)
        return self.draft

    def _plain(self, phase: int, operation: Any) -> None:
        self.draft.add(phase, [operation], [operation.reverse()])

    def _label(self, table: str, column: str) -> str:
        return self.labels.get((table, column), f"{table}.{column}")

    def _loosen(
        self, operation: Any, gone: set[str], going: set[tuple[str, str]]
    ) -> None:
        """Take off an index or a constraint, but for those that go with their table.

        Somebody's own goes only with a column of ours.
        """
        table = table_of(operation)
        if table in gone:
            if table in self.drop:
                self.draft.add(LOOSEN, [], [operation.reverse()])
            return
        columns = _columns(operation)
        named = {column.name for column in columns}
        item = self.before[table].items.get(_item_name(operation))
        is_expression = item is not None and not named <= item.columns
        # Its condition may be that a row is not deleted; what it sorts by are the others.
        used = item.columns - {*SOFT_DELETE} if item and is_expression else named
        goes = any((table, name) in going for name in used)
        if not (self._is_our_item(operation, columns) or goes):
            kind = "index" if isinstance(operation, ops.DropIndexOp) else "constraint"
            name = _item_name(operation)
            self.draft.foreign.append(f"the {kind} {name} of {table}")
            return
        known = set(self.models.tables[table].c.keys())
        if goes or used <= known:
            made: Operation = operation.reverse()
            if item and is_expression:
                made = index_of(table, item)
            self.draft.add(LOOSEN, [operation], [made])
        else:
            self._check_target(table, operation.reverse())

    def _is_our_item(self, operation: Any, columns: list[Any]) -> bool:
        if (table_of(operation), _item_name(operation)) in self.ours.items:
            return True
        return any(_is_unused(column) for column in columns)

    def _is_our_column(self, operation: ops.DropColumnOp) -> bool:
        if _column(operation) in self.ours.columns:
            return True
        made: Any = operation.reverse()
        return _is_unused(made.column)

    def _goes(self, operation: ops.DropColumnOp) -> bool:
        """Whether a column of ours is to be dropped, or is made of others anyway."""
        made: Any = operation.reverse()
        named = ".".join(_column(operation)) in self.drop
        return self._is_our_column(operation) and (
            named or made.column.computed is not None
        )

    def _drop_table(self, operation: ops.DropTableOp, gone: set[str]) -> None:
        part = Part(table_of(operation))
        name, schema = operation.table_name, operation.schema
        made: Any = operation.reverse()
        if part.table not in self.ours.tables and not _is_unused(made):
            self.draft.foreign.append(f"the table {part.table}")
            return
        if part.name not in self.drop:
            self.draft.left.append(part)
            for item in made.columns:
                self._check_target(part.table, item)
            if not _is_unused(made):
                mark = ops.CreateTableCommentOp(name, MARK, schema=schema)
                unmark = ops.DropTableCommentOp(name, schema=schema)
                self.draft.add(ALTER, [mark], [unmark])
            return
        self.draft.destroyed.append(part)
        others = (gone & {*self.drop}) - {part.table}
        keys = [item for item in made.columns if _points_to(item, others)]
        for key in keys:
            self._plain(LOOSEN, ops.DropConstraintOp.from_constraint(key))
        made.columns = [one for one in made.columns if not any(one is k for k in keys)]
        warning = comment(f"DESTRUCTIVE: drops {part.name} with all its rows.")
        drop = ops.DropTableOp(name, schema=schema)
        self.draft.add(DROP, [warning, drop], [made])

    def _check_target(self, table: str, item: Any) -> None:
        """Refuse to drop a table that a column refers to which is left."""
        if isinstance(item, ops.CreateForeignKeyOp):
            item = item.to_constraint()
        if _points_to(item, self.drop):
            (column,) = item.column_keys
            target = item.referred_table.key
            self.draft.refusals.append(
                f"{target} cannot be dropped alone: {table}.{column} refers to it; name "
                f"that one, or the table {table}, too"
            )

    def _drop_column(self, operation: ops.DropColumnOp) -> None:
        made: Any = operation.reverse()
        table, column = table_of(operation), made.column
        if self._goes(operation) and column.computed is not None:
            self._plain(LOOSEN, operation)  # it is made of other columns
            return
        name, schema = naming.split_key(table)
        part = Part(table, column.name)
        if not self._is_our_column(operation):
            self.draft.foreign.append(f"the column {part.name}")
            return
        back = (
            [column_changes.fill_if_possible(table, column)]
            if not column.nullable
            else []
        )
        if part.name in self.drop:
            self.draft.destroyed.append(part)
            warning = comment(f"DESTRUCTIVE: drops {part.name} with all its values.")
            restored = sa.Column(
                column.name, column.type, server_default=column.server_default
            )
            add = ops.AddColumnOp(name, restored, schema=schema)
            drop = ops.DropColumnOp(name, column.name, schema=schema)
            self.draft.add(DROP, [warning, drop], [add, *back])
            return
        self.draft.left.append(part)
        if _is_unused(column):
            return
        relaxed = None if column.nullable else True
        mark = column_changes.alter(
            table, column.name, modify_comment=MARK, modify_nullable=relaxed
        )
        unmark = column_changes.alter(table, column.name, modify_comment=None)
        self.draft.add(ALTER, [mark], [unmark, *back])

    def _add_column(self, operation: ops.AddColumnOp) -> None:
        table, column = table_of(operation), operation.column
        reason = column_changes.why_not_added(column, self.models.tables[table])
        if reason:
            label = self._label(table, column.name)
            self.draft.refusals.append(f"{label}: {reason}")
        if column_changes.differs_by_row(column):
            self.draft.add(
                ADD, column_changes.add_and_fill(table, column), [operation.reverse()]
            )
            return
        # What it is made of may be added or changed as well.
        self._plain(ADD if column.computed is None else FASTEN, operation)

    def _alter_column(self, operation: ops.AlterColumnOp) -> None:
        table, name = table_of(operation), operation.column_name
        column = self.models.tables[table].c[name]
        if operation.modify_nullable and self._is_required_by_a_person(operation):
            self.draft.foreign.append(f"the NOT NULL of {table}.{name}")
            operation.modify_nullable = None
        if not operation.has_changes():
            return
        views = self.before[table].views.get(name, ())
        if operation.modify_type is not None and views:
            label = self._label(table, name)
            reason = column_changes.IN_VIEWS.format(", ".join(views))
            self.draft.refusals.append(f"{label}: {reason}")
            return
        back: Any = operation.reverse()
        try:
            up = column_changes.change(operation, column)
            down = column_changes.change(back, column, back=True)
        except column_changes.Refused as reason:
            label = self._label(table, name)
            self.draft.refusals.append(f"{label}: {reason}")
        else:
            self.draft.add(ALTER, up, down)

    def _is_required_by_a_person(self, operation: ops.AlterColumnOp) -> bool:
        """Whether a column is NOT NULL that has never been so by entities.json."""
        column = (table_of(operation), str(operation.column_name))
        unused = (operation.existing_comment or "").startswith(UNUSED)
        return column in self.nullable and not unused

    def _add_foreign_key(
        self, operation: ops.CreateForeignKeyOp, operations: list[Operation]
    ) -> None:
        """A key may change what deleting does, but not whose ids it holds."""
        table, columns = table_of(operation), operation.local_cols
        new_target = naming.table_key(
            operation.referent_table, operation.kw.get("referent_schema")
        )
        for other in operations:
            if not isinstance(other, ops.DropConstraintOp) or table_of(other) != table:
                continue
            key: Any = other.to_constraint()
            if getattr(key, "column_keys", None) != columns:
                continue
            if (target := key.referred_table.key) != new_target:
                label = self._label(table, columns[0])
                reason = column_changes.OTHER_TARGET.format(target, new_target)
                self.draft.refusals.append(f"{label}: {reason}")
        self._plain(FASTEN, operation)


def _flat(found: Iterable[Operation]) -> Iterator[Operation]:
    for operation in found:
        if isinstance(operation, ops.ModifyTableOps):
            yield from _flat(operation.ops)
        else:
            yield operation


def _tables(operations: Iterable[Operation], kind: type[Any]) -> set[str]:
    return {table_of(one) for one in operations if isinstance(one, kind)}


def _column(operation: ops.DropColumnOp) -> tuple[str, str]:
    return table_of(operation), operation.column_name


def _is_unused(part: Any) -> bool:
    return (part.comment or "").startswith(UNUSED)


def _item_name(operation: Any) -> str:
    if isinstance(operation, ops.DropIndexOp):
        return str(operation.index_name)
    return str(operation.constraint_name)


def index_of(table: str, item: Item) -> Operation:
    """Return what creates an index as it is: Alembic reads no collation of expressions."""
    unique = "UNIQUE " if item.definition.startswith("UNIQUE ") else ""
    definition = item.definition.removeprefix("UNIQUE ")
    return execute(
        f"CREATE {unique}INDEX {quote(item.name)} ON {quote_table(table)} "
        f"USING {definition}"
    )


def _columns(operation: Any) -> list[Any]:
    """The columns of an index or a constraint that is about to go."""
    if isinstance(operation, ops.DropIndexOp):
        return list(operation.to_index().columns)
    return list(operation.to_constraint().columns)


def _points_to(item: Any, tables: Collection[str]) -> bool:
    return (
        isinstance(item, sa.ForeignKeyConstraint) and item.referred_table.key in tables
    )
