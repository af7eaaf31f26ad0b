"""Renames that entities.json speaks of, as long as the database has the old names."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from scaffold.merging.entity_renames import find_former
from scaffold.migrations.catalog import Catalog, Table
from scaffold.migrations.statements import Statement, execute, quote
from scaffold.spec import naming
from scaffold.spec.model import Entity, Link, Reference, Spec

Columns = Mapping[str, frozenset[str]]  # of the models, by table


@dataclass(frozen=True)
class Rename:
    """A new name; `table` is the one that a column, constraint or index belongs to."""

    kind: str  # table, column, constraint or index
    table: str
    old: str
    new: str

    @property
    def back(self) -> "Rename":
        table = self.old if self.kind == "table" else self.table
        return Rename(self.kind, table, self.new, self.old)

    @property
    def sql(self) -> str:
        table, old, new = map(quote, (self.table, self.old, self.new))
        return {
            "table": f"ALTER TABLE {old} RENAME TO {new}",
            "column": f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}",
            "constraint": f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}",
            "index": f"ALTER INDEX {old} RENAME TO {new}",
        }[self.kind]

    @property
    def step(self) -> Statement:
        """The same as a line of a migration."""
        if self.kind == "table":
            return Statement(f"op.rename_table({self.old!r}, {self.new!r})")
        if self.kind == "column":
            names = f"{self.table!r}, {self.old!r}, new_column_name={self.new!r}"
            return Statement(f"op.alter_column({names})")
        return execute(self.sql)

    def __str__(self) -> str:
        prefix = f"{self.table}." if self.kind == "column" else ""
        return f"rename {prefix}{self.old} to {self.new}"


class Renamer:
    """Compares names of the old and the new spec with what the database has.

    Only what the models call by the new name, and nothing by the old one, is renamed.
    """

    def __init__(self, new: Spec, old: Spec, catalog: Catalog, models: Columns) -> None:
        self.new = new
        self.old = old
        self.catalog = catalog
        self.models = models
        self.found: list[Rename] = []
        self.problems: list[str] = []

    def run(self) -> list[Rename]:
        for entity in self.new.entities:
            former = find_former(self.old, entity)
            today = self._table(
                entity.name, self._former_table(entity, former), entity.table
            )
            for name, was in self._columns(entity, former):
                self._column(f"{entity.name}.{name}", entity.table, today, was, name)
            for link in entity.links:
                if link.owner:
                    self._link(entity, former, link)
        tables = [one for one in self.found if one.kind == "table"]
        return tables + [one for one in self.found if one.kind == "column"]

    def _former_table(self, entity: Entity, former: Entity | None) -> str:
        if former:
            return former.table
        if entity.renamed_from is None:
            return entity.table
        return naming.plural(naming.snake(entity.renamed_from))

    def _table(self, label: str, was: str, name: str) -> Table | None:
        """Note that a table has a new name; return what it holds so far."""
        if was == name or was not in self.catalog or was in self.models:
            if was != name and self.catalog and name in self.models:
                self._check_known(label, "table", self.catalog, was, name)
            return self.catalog.get(name)
        if name in self.catalog:
            self.problems.append(
                f"{label}: its table {was} is to be called {name}, and there is one "
                f"of that name; drop that in a run of its own, under the old names and "
                f"with --allow-drop, or name another plural"
            )
        elif name in self.models:
            self.found.append(Rename("table", was, was, name))
        return self.catalog[was]

    def _column(
        self, label: str, table: str, today: Table | None, was: str, name: str
    ) -> None:
        columns = self.models.get(table, frozenset())
        if today is None or name not in columns or was in columns or was == name:
            return
        self._check_known(label, f"column of {table}", today.columns, was, name)
        if was in today.columns and name not in today.columns:
            self.found.append(Rename("column", table, was, name))
        elif (
            today.is_unused(name) and was in today.columns and not today.is_unused(was)
        ):
            self.problems.append(
                f"{label}: a column {name} is kept in {table} from before; drop that "
                f"in a run of its own, under the old names and with --allow-drop, or "
                f"give {was} another name"
            )

    def _check_known(
        self, label: str, kind: str, known: Container[str], was: str, name: str
    ) -> None:
        """A rename on top of one that no migration was made for would lose the rows."""
        if was not in known and name not in known:
            self.problems.append(
                f"{label}: no migration knows a {kind} called {was} or {name}; let "
                f'"renamed_from" say what they call it, or leave it out'
            )

    def _columns(
        self, entity: Entity, former: Entity | None
    ) -> Iterator[tuple[str, str]]:
        """Each column with a new name, and its old one."""
        for field in entity.fields:
            if field.renamed_from:
                yield field.name, field.renamed_from
        for reference in entity.references:
            was = reference.renamed_from or self._implied(entity, former, reference)
            if was:
                yield reference.column, f"{was}_id"

    def _implied(
        self, entity: Entity, former: Entity | None, reference: Reference
    ) -> str | None:
        """The old name of a key that only the other side's one_to_many speaks of."""
        if former is None:
            return None
        known = {one.name for one in former.references}
        kept = {one.name for one in entity.references}
        target = find_former(self.old, self.new.entity(reference.target))
        if target is None or reference.name in known or reference.reverse is None:
            return None
        side = (target.name, reference.reverse)
        for one in former.references:
            if (one.target, one.reverse) == side and one.name not in kept:
                return one.name
        return None

    def _link(self, entity: Entity, former: Entity | None, link: Link) -> None:
        label = f"{entity.name}.{link.name}"
        was = self._former_link(entity, former, link)
        if was is None:
            if link.renamed_from and self.catalog:
                names = link.renamed_from, link.table
                self._check_known(label, "many_to_many", self.catalog, *names)
            return
        today = self._table(label, was.table, link.table)
        self._column(label, link.table, today, was.left_column, link.left_column)
        self._column(label, link.table, today, was.right_column, link.right_column)

    def _former_link(
        self, entity: Entity, former: Entity | None, link: Link
    ) -> Link | None:
        """The link as it was, seen from the side that owns it now."""
        if former is None:
            return None
        names = (link.renamed_from, link.name)
        found = _named(former, names)
        if found:
            return found
        target = self.new.entity(link.target)
        other = find_former(self.old, target)
        back = next((one for one in target.links if one.name == link.reverse), None)
        found = (
            _named(other, (back.renamed_from, back.name)) if other and back else None
        )
        if found is None or found.target != former.name:
            return None
        return Link(
            link.name,
            found.target,
            True,
            link.reverse,
            found.table,
            found.right_column,
            found.left_column,
        )


def _named(entity: Entity, names: tuple[str | None, ...]) -> Link | None:
    links = {link.name: link for link in entity.links}
    return next((links[name] for name in names if name in links), None)


def follow(before: Catalog, after: Catalog, renames: list[Rename]) -> Iterator[Rename]:
    """Yield what follows: constraints and indexes are named after their columns.

    `before` is the database after the renames, `after` what the models make.
    """
    for table in sorted({_table_of(rename) for rename in renames}):
        if table not in before or table not in after:
            continue
        have, want = before[table].items, after[table].items
        free = {name: have[name] for name in sorted(have.keys() - want.keys())}
        for name in sorted(want.keys() - have.keys()):
            item = want[name]
            for old, found in free.items():
                if (found.kind, found.meaning) == (item.kind, item.meaning):
                    kind = "index" if item.kind == "i" else "constraint"
                    yield Rename(kind, table, old, name)
                    del free[old]
                    break


def _table_of(rename: Rename) -> str:
    return rename.new if rename.kind == "table" else rename.table
