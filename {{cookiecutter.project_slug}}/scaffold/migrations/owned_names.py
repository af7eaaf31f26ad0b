"""What entities.json has brought into the database; all else is somebody's own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scaffold.migrations.renames import Rename
from scaffold.python_code.field_code import checks
from scaffold.spec import naming
from scaffold.spec.index_names import index_names
from scaffold.spec.model import Entity, Link, Spec


@dataclass(frozen=True)
class Ours:
    """The names of what a spec has; `items` are constraints and indexes."""

    tables: frozenset[str]
    columns: frozenset[tuple[str, str]]
    items: frozenset[str]

    def __or__(self, other: "Ours") -> "Ours":
        return Ours(
            self.tables | other.tables,
            self.columns | other.columns,
            self.items | other.items,
        )


def find_ours(spec: Spec, renames: Iterable[Rename] = ()) -> Ours:
    """Return what a spec has, under the names that it has after the renames."""
    renames = list(renames)
    columns = _renamed(_columns(spec), renames)
    items = {naming.constraint(*parts) for parts in _constraints(spec)}
    items |= {*index_names(spec.entities).values()}
    items |= {one.new for one in renames if one.kind in ("constraint", "index")}
    tables = {table for table, _ in columns}
    return Ours(frozenset(tables), frozenset(columns), frozenset(items))


def find_nullable(spec: Spec, renames: Iterable[Rename] = ()) -> set[tuple[str, str]]:
    """Return the tables and columns that may be null, named as after the renames."""
    found = []
    for entity in spec.entities:
        fields = (one for one in entity.fields if one.nullable)
        references = (one for one in entity.references if one.nullable)
        found += [(entity.table_key, one.column) for one in fields]
        found += [(entity.table_key, one.column) for one in references]
    return _renamed(found, renames)


def enum_rules(spec: Spec) -> set[str]:
    """Return the names of the rules that list the values of an enum."""
    return {
        naming.constraint("ck", entity.table, field.column, "choice")
        for entity in spec.entities
        for field in entity.fields
        if field.type == "enum"
    }


def _renamed(
    columns: Iterable[tuple[str, str]], renames: Iterable[Rename]
) -> set[tuple[str, str]]:
    found = set(columns)
    for one in renames:
        if one.kind == "table":
            found = {(one.new if t == one.old else t, c) for t, c in found}
        elif one.kind == "column" and (one.table, one.old) in found:
            found = found - {(one.table, one.old)} | {(one.table, one.new)}
    return found


def _columns(spec: Spec) -> Iterator[tuple[str, str]]:
    for entity in spec.entities:
        for column in entity.json_keys:
            yield entity.table_key, column
        for link in _owned(entity):
            yield link.table_key, link.left_column
            yield link.table_key, link.right_column


def _constraints(spec: Spec) -> Iterator[tuple[str, ...]]:
    """The parts of the name of each constraint but unique ones: kind, table, columns."""
    for entity in spec.entities:
        table = entity.table
        yield "pk", table
        if entity.id.type == "string":
            yield "ck", table, entity.id.column, "characters"
        for field in entity.fields:
            for rule, _ in checks(field):
                yield "ck", table, field.column, rule
        for reference in entity.references:
            yield "fk", table, reference.column
        for link in _owned(entity):
            yield "pk", link.table
            yield "fk", link.table, link.left_column
            yield "fk", link.table, link.right_column


def _owned(entity: Entity) -> Iterator[Link]:
    return (link for link in entity.links if link.owner)
