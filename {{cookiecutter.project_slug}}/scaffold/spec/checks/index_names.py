"""Names of indexes: in PostgreSQL they share one namespace with all tables."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scaffold.spec import naming
from scaffold.spec.checks.collisions import Namespace
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Entity, Link
from scaffold.spec.problems import Problems


class _Named(NamedTuple):
    name: str
    kind: str
    label: str
    at: int


def check(pairs: Iterable[tuple[EntityDraft, Entity]], problems: Problems) -> None:
    """Report two indexes, or an index and a table, of the same name."""
    every = [named for pair in pairs for named in _named(*pair)]
    if len({named.name for named in every}) == len(every):
        return
    space = Namespace(problems, set())
    for named in every:
        space.add(named.name, named.kind, named.label, named.label, named.at)


def _named(draft: EntityDraft, entity: Entity) -> Iterator[_Named]:
    yield _Named(entity.table, "the table of", entity.name, draft.at("name"))
    for kind, columns, at in _indexes(draft, entity):
        name = naming.constraint(kind, entity.table, *columns)
        label = f"{entity.name}({', '.join(columns)})"
        yield _Named(name, "the index", label, at)
    for link in entity.links:
        if link.owner:
            label = f"{entity.name}.{link.name}"
            for name, kind in _association(link):
                yield _Named(name, kind, label, draft.at("relations"))


def _association(link: Link) -> Iterator[tuple[str, str]]:
    yield link.table, "the association table of"
    yield naming.constraint("pk", link.table), "the primary key of"
    yield naming.constraint("ix", link.table, link.right_column), "the index of"


def _indexes(
    draft: EntityDraft, entity: Entity
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    yield "pk", (), draft.at("name")
    yield "ix", ("created_at", "id"), draft.at("name")
    for item in draft.fields:
        if item.flag("unique"):
            yield "uq", (item.name,), item.at("name")
        if item.flag("index"):
            yield "ix", (item.name,), item.at("name")
    for reference in entity.references:
        kind = "uq" if reference.kind == "one_to_one" else "ix"
        yield kind, (reference.column,), draft.at("relations")
    for columns in entity.unique:
        yield "uq", columns, draft.at("unique")
    for columns in entity.indexes:
        yield "ix", columns, draft.at("indexes")
