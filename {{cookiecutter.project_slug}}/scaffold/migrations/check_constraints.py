"""CHECK constraints: autogenerate knows none of them, the databases tell."""

from collections.abc import Collection, Iterator

import sqlalchemy as sa

from scaffold.migrations.catalog import Catalog, Item, Table
from scaffold.migrations.operations import FASTEN, LOOSEN, Draft
from scaffold.migrations.owned_names import Ours
from scaffold.migrations.statements import (
    Refusal,
    add_check,
    drop_check,
    quote,
    quote_table,
)

REMOVED = (
    "{}: rows have a value that entities.json no longer lists; give them another one "
    "first: UPDATE {} SET {} = ... WHERE NOT ({})"
)


class Checks:
    """Compares the database after the renames with one that the models made.

    `enums` are the names of the rules that list the values of an enum. PostgreSQL lets
    no row be changed that breaks a rule, whichever column changes. For other rules that
    is a row's own problem, and a request can solve it; a removed value stops the
    migration until no row has it.
    """

    def __init__(
        self,
        before: Catalog,
        after: Catalog,
        models: sa.MetaData,
        ours: Ours,
        enums: Collection[str],
    ) -> None:
        self.before = before
        self.after = after
        self.models = models
        self.ours = ours
        self.enums = enums

    def add_to(self, draft: Draft, drop: Collection[str]) -> None:
        for table in sorted(self.before.keys() & self.after.keys()):
            for old, new in self._pairs(table):
                if new is None and not self._may_go(table, old, drop):
                    continue
                if old is not None:
                    restored = add_check(table, old.name, _condition(old), rows=True)
                    draft.add(LOOSEN, [drop_check(table, old.name)], restored)
                if new is not None:
                    rows = new.columns <= self.before[table].columns.keys()
                    text = self._written(table, new)
                    added = add_check(table, new.name, text, rows=rows)
                    if rows and new.name in self.enums:
                        added.insert(0, self._refuse_removed(table, new, text))
                    draft.add(FASTEN, added, [drop_check(table, new.name)])

    def _refuse_removed(self, table: str, rule: Item, text: str) -> Refusal:
        (column,) = rule.columns
        words = (f"{table}.{column}", quote_table(table), quote(column), text)
        return Refusal(table, f"NOT ({text})", REMOVED.format(*words))

    def _pairs(self, table: str) -> Iterator[tuple[Item | None, Item | None]]:
        """What each rule says in the database, and what it is to say."""
        have, want = _checks(self.before[table]), _checks(self.after[table])
        for name in sorted(have.keys() | want.keys()):
            old, new = have.get(name), want.get(name)
            if old is None or new is None or old.meaning != new.meaning:
                yield old, new

    def _may_go(self, table: str, item: Item | None, drop: Collection[str]) -> bool:
        """Whether a rule may be dropped; rules that we did not write stay."""
        if item is None or any(f"{table}.{column}" in drop for column in item.columns):
            return True
        known = self.after[table].columns.keys()
        if (table, item.name) in self.ours.items:
            # One about a removed column stays on it, unless it is about another as well.
            return not known.isdisjoint(item.columns)
        was_unused = any(self.before[table].is_unused(one) for one in item.columns)
        return was_unused and item.columns <= known

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
