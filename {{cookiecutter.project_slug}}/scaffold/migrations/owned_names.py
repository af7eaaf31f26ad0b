"""What entities.json has brought into the database; all else is somebody's own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scaffold.migrations.renames import Rename
from scaffold.python_code.field_code import checks
from scaffold.spec import naming
from scaffold.spec.index_names import index_names
from scaffold.spec.model import Entity, Link, Spec
from scaffold.spec.vocabulary.keys import SEARCH_COLUMN, VERSION_COLUMN

HISTORY = "_history"  # the table of the histories of all rows
HISTORY_COLUMNS = (
    *("id", "at", "resource", "row_id", "operation", "actor", "request_id"),
    *("old", "new", "hidden"),
)
# The references that deletions have set to null.
NULLED = "_nulled_references"
NULLED_COLUMNS = ("deletion_id", "resource", "column", "row_id", "target_id", "at")


@dataclass(frozen=True)
class Ours:
    """What a spec has; `items` are constraints and indexes, each with its table."""

    tables: frozenset[str]
    columns: frozenset[tuple[str, str]]
    items: frozenset[tuple[str, str]]

    def __or__(self, other: "Ours") -> "Ours":
        return Ours(
            self.tables | other.tables,
            self.columns | other.columns,
            self.items | other.items,
        )


def find_ours(spec: Spec, renames: Iterable[Rename] = ()) -> Ours:
    """Return what a spec has, under the names that it has after the renames."""
    renames = list(renames)
    columns = _renamed(_columns(spec), renames, "column")
    items = _renamed(_items(spec), renames, "constraint", "index")
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
    return _renamed(found, renames, "column")


def enum_rules(spec: Spec) -> set[str]:
    """Return the names of the rules that list the values of an enum."""
    return {
        naming.constraint("ck", entity.table, field.column, "choice")
        for entity in spec.entities
        for field in entity.fields
        if field.type == "enum"
    }


def _renamed(
    parts: Iterable[tuple[str, str]], renames: Iterable[Rename], *kinds: str
) -> set[tuple[str, str]]:
    """Return parts of tables, each with its table, under the names after the renames."""
    found = set(parts)
    for one in renames:
        if one.kind == "table":
            found = {(one.new if t == one.old else t, c) for t, c in found}
        elif one.kind in kinds and (one.table, one.old) in found:
            found = found - {(one.table, one.old)} | {(one.table, one.new)}
    return found


def _columns(spec: Spec) -> Iterator[tuple[str, str]]:
    for entity in spec.entities:
        for column in entity.json_keys:
            yield entity.table_key, column
        yield entity.table_key, VERSION_COLUMN
        if entity.search:
            yield entity.table_key, SEARCH_COLUMN
        for link in _owned(entity):
            yield link.table_key, link.left_column
            yield link.table_key, link.right_column
    if spec.history:
        yield from ((HISTORY, column) for column in HISTORY_COLUMNS)
    if spec.soft_delete:
        yield from ((NULLED, column) for column in NULLED_COLUMNS)


def _items(spec: Spec) -> Iterator[tuple[str, str]]:
    for kind, table, *columns in _constraints(spec):
        yield table, naming.constraint(kind, naming.split_key(table)[0], *columns)
    for (_, table, *_rest), name in index_names(spec.entities).items():
        yield table, name
    if spec.history:
        yield HISTORY, f"pk_{HISTORY}"
        yield HISTORY, f"ix_{HISTORY}_row"
        yield HISTORY, f"ix_{HISTORY}_deletion"
    if spec.soft_delete:
        yield NULLED, f"pk_{NULLED}"
        yield NULLED, f"ix_{NULLED}_at"


def _constraints(spec: Spec) -> Iterator[tuple[str, ...]]:
    """The kind, the table and the columns of each constraint but unique ones."""
    for entity in spec.entities:
        table = entity.table_key
        yield "pk", table
        if entity.id.type == "string":
            yield "ck", table, entity.id.column, "characters"
        for field in entity.fields:
            for rule, _ in checks(field):
                yield "ck", table, field.column, rule
        for check in entity.checks:
            yield "ck", table, check.left, check.operator, check.right
        for reference in entity.references:
            yield "fk", table, reference.column
        for link in _owned(entity):
            yield "pk", link.table_key
            yield "fk", link.table_key, link.left_column
            yield "fk", link.table_key, link.right_column


def _owned(entity: Entity) -> Iterator[Link]:
    return (link for link in entity.links if link.owner)
