"""Generated columns: Alembic cannot change one, so it is dropped and added again."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from scaffold.migrations.catalog import Catalog
from scaffold.migrations.operations import FASTEN, LOOSEN, Draft
from scaffold.migrations.owned_names import Ours
from scaffold.migrations.statements import Operation, table_of
from scaffold.spec import naming


class Generated:
    """Compares the database after the renames with one that the models made.

    Nothing is lost: a generated column is made of others. PostgreSQL does not change the
    type of a column that a generated one is made of, so that one is made anew as well.
    """

    def __init__(
        self, before: Catalog, after: Catalog, models: sa.MetaData, ours: Ours
    ) -> None:
        self.before = before
        self.after = after
        self.models = models
        self.ours = ours

    def add_to(self, draft: Draft) -> None:
        retyped = {
            (table_of(one), one.column_name)
            for step in draft.steps
            for one in step.up
            if isinstance(one, ops.AlterColumnOp) and one.modify_type is not None
        }
        for table in sorted(self.before.keys() & self.after.keys()):
            old, new = self.before[table].generated, self.after[table].generated
            for name in sorted(old.keys() & new.keys()):
                sources = {(table, source) for source in new[name].sources}
                changed = old[name] != new[name] or not sources.isdisjoint(retyped)
                if changed and (table, name) in self.ours.columns:
                    self._make_anew(draft, table, name, old[name].expression)

    def _make_anew(self, draft: Draft, table: str, name: str, old: str) -> None:
        """Drop the column with its indexes, and add both after all other changes."""
        model = self.models.tables[table]
        column = model.c[name]
        former = sa.Column(name, column.type, sa.Computed(old, persisted=True))
        own_name, schema = naming.split_key(table)
        drop = ops.DropColumnOp(own_name, name, schema=schema)
        indexes = [*_indexes(model, name)]
        draft.add(
            LOOSEN,
            [drop],
            [ops.AddColumnOp(own_name, former, schema=schema), *indexes],
        )
        draft.add(
            FASTEN,
            [ops.AddColumnOp(own_name, column.copy(), schema=schema)],
            [drop],
        )
        draft.add(FASTEN, [*_indexes(model, name)], [])


def _indexes(table: sa.Table, column: str) -> Iterator[Operation]:
    """Yield the steps that create the indexes of a column."""
    found: list[Any] = sorted(table.indexes, key=lambda index: str(index.name))
    for index in found:
        if column in index.columns:
            yield ops.CreateIndexOp.from_index(index)
