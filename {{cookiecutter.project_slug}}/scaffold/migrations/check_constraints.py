"""CHECK constraints: autogenerate knows none of them, the databases tell."""

from collections.abc import Iterator

import sqlalchemy as sa

from scaffold.migrations.catalog import Catalog, Item, Table
from scaffold.migrations.operations import FASTEN, LOOSEN, Draft
from scaffold.migrations.owned_names import Ours
from scaffold.migrations.renames import Rename
from scaffold.migrations.statements import add_check, drop_check

RULES = (
    *("min_length", "max_length", "gt", "ge", "lt", "le"),
    *("multiple_of", "choice", "finite"),
)


class Checks:
    """Compares the database after the renames with one that the models made."""

    def __init__(
        self,
        before: Catalog,
        after: Catalog,
        models: sa.MetaData,
        renames: list[Rename],
        ours: Ours,
    ) -> None:
        self.before = before
        self.after = after
        self.models = models
        self.renames = renames
        self.ours = ours

    def add_to(self, draft: Draft, *, allow_drop: bool) -> None:
        for table in sorted(self.before.keys() & self.after.keys()):
            for old, new in self._pairs(table):
                if new is None and not self._may_go(table, old, allow_drop):
                    continue
                if old is not None:
                    restored = add_check(table, old.name, _condition(old), rows=True)
                    draft.add(LOOSEN, [drop_check(table, old.name)], restored)
                if new is not None:
                    rows = new.columns <= self.before[table].columns.keys()
                    text = self._written(table, new)
                    added = add_check(table, new.name, text, rows=rows)
                    draft.add(FASTEN, added, [drop_check(table, new.name)])

    def _pairs(self, table: str) -> Iterator[tuple[Item | None, Item | None]]:
        """What each rule says in the database, and what it is to say."""
        have, want = _checks(self.before[table]), _checks(self.after[table])
        for name in sorted(have.keys() | want.keys()):
            old, new = have.get(name), want.get(name)
            if old is None or new is None or old.meaning != new.meaning:
                yield old, new

    def _may_go(self, table: str, item: Item | None, allow_drop: bool) -> bool:
        """Whether a rule may be dropped; rules that we did not write stay."""
        if item is not None and item.name not in self.ours.items:
            return allow_drop and any(map(self.before[table].is_unused, item.columns))
        if item is None or not item.columns <= self.after[table].columns.keys():
            return allow_drop
        return True

    def _written(self, table: str, item: Item) -> str:
        """The condition as the models word it, which reads better than the server's."""
        for constraint in self.models.tables[table].constraints:
            if constraint.name == item.name:
                text = getattr(getattr(constraint, "sqltext", None), "text", None)
                return text.replace("\\:", ":") if text else _condition(item)
        return _condition(item)


def _checks(table: Table) -> dict[str, Item]:
    return {name: item for name, item in table.items.items() if item.kind == "c"}


def _condition(item: Item) -> str:
    return item.definition.removeprefix("CHECK (").removesuffix(")")
