"""Keeps the links of a to-one relation that becomes a many_to_many."""

from collections.abc import Collection, Iterator

from scaffold.merging.entity_renames import find_former
from scaffold.migrations.operations import CREATE, Draft, Part, current
from scaffold.migrations.renames import Rename
from scaffold.migrations.statements import (
    Operation,
    comment,
    execute,
    quote,
    quote_table,
)
from scaffold.spec.model import Entity, Link, Reference, Spec


def add_to(
    draft: Draft,
    old: Spec,
    new: Spec,
    renames: Collection[Rename],
    created: Collection[str],
) -> None:
    """Fill each association table from the column that it replaces.

    `created` are the tables that the migration makes.
    """
    for entity in new.entities:
        for link in entity.links:
            if not link.owner or link.table_key not in created:
                continue
            if source := _source(old, new, entity, link):
                former, reference, is_left = source
                column = current(Part(former.table_key, reference.column), renames)
                key = current(Part(former.table_key, former.id.column), renames)
                draft.add(CREATE, *_steps(link, column, key, is_left=is_left))


def _source(
    old: Spec, new: Spec, entity: Entity, link: Link
) -> tuple[Entity, Reference, bool] | None:
    """Return the relation that a link replaces, and the entity that has its column.

    The third value says whether that column has the ids of the link's left side.
    """
    target = new.entity(link.target)
    one, other = find_former(old, entity), find_former(old, target)
    if one is None or other is None:
        return None
    names = {link.name, link.renamed_from}
    for reference in _removed(one, entity):
        if reference.target == other.name and reference.name in names:
            return one, reference, False
    for reference in _removed(other, target):
        same = reference.reverse in names or reference.name == link.reverse
        if reference.target == one.name and same:
            return other, reference, True
    return None


def _removed(former: Entity, entity: Entity) -> Iterator[Reference]:
    kept = {one.name for one in entity.references}
    kept |= {one.renamed_from for one in entity.references if one.renamed_from}
    return (one for one in former.references if one.name not in kept)


def _steps(
    link: Link, column: Part, id_column: Part, *, is_left: bool
) -> tuple[list[Operation], list[Operation]]:
    """Return the statements that fill the table, and those that go back.

    On the way back, a row with several links keeps one of them.
    """
    association, table = map(quote_table, (link.table_key, column.table))
    key = quote(column.column)
    left, right = quote(link.left_column), quote(link.right_column)
    own_id = quote(id_column.column)
    theirs, own = (left, right) if is_left else (right, left)
    fill = (
        f"INSERT INTO {association} ({theirs}, {own}) "  # noqa: S608 # nosec B608 - quoted names
        f"SELECT {key}, {own_id} FROM {table} WHERE {key} IS NOT NULL"
    )
    restore = (
        f"UPDATE {table} SET {key} = (SELECT {theirs} FROM {association} "  # noqa: S608 # nosec B608 - quoted names
        f"WHERE {own} = {table}.{own_id} LIMIT 1)"
    )
    told = comment(f"Each value of {column.name} becomes a row of {link.table}.")
    return [told, execute(fill)], [execute(restore)]
