"""Refuses another type of id for rows that exist."""

from collections.abc import Collection, Iterator

from scaffold.merging.entity_renames import find_former
from scaffold.spec.model import Id, Spec

REFUSED = (
    "{entity}.id: {old} cannot become {new}: URLs, clients and the rows of other tables have "
    "the ids. Keep it, or add another entity and move the rows in a migration of your own"
)


def find(old: Spec, new: Spec, tables: Collection[str]) -> Iterator[str]:
    """Yield a problem for each entity whose table exists and whose id changes its type."""
    for entity in new.entities:
        former = find_former(old, entity)
        if former is None or former.table_key not in tables:
            continue
        if _kind(former.id) != _kind(entity.id):
            names = {"old": _kind(former.id), "new": _kind(entity.id)}
            yield REFUSED.format(entity=entity.name, **names)


def _kind(key: Id) -> str:
    bits = f"{key.bits}-bit " if key.type == "integer" else ""
    sent = "" if key.generated else ", sent by clients"
    return f"{bits}{key.type}{sent}"
