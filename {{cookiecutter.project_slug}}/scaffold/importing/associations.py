"""Finds the tables that only link two others: many-to-many relations."""

from scaffold.importing.found import Association, Found, Reference, Table
from scaffold.spec.model import Spec


def associations(found: Found) -> dict[str, Association]:
    """Return the association tables by their keys."""
    tables = found.by_key()
    used = {one.target for one in found.references()}
    made = {}
    for table in found.tables:
        if table.key in used or len(table.columns) != 2 or len(table.references) != 2:
            continue
        left, right = sorted(table.references, key=lambda one: _order(table, one))
        columns = (*left.columns, *right.columns)
        if {one.name for one in table.columns} != {*columns} or len(columns) != 2:
            continue
        is_key = table.is_unique(*columns)
        if is_key and all(_is_to_a_key(one, tables) for one in (left, right)):
            made[table.key] = Association(table, left, right)
    # An association of associations has no entities to link.
    return {
        key: one
        for key, one in made.items()
        if one.left.target not in made and one.right.target not in made
    }


def report_names(found: Found, spec: Spec) -> None:
    """Report the association tables that the service calls something else."""
    links = {
        (entity.name, link.name): link
        for entity in spec.entities
        for link in entity.links
    }
    for one in found.associations:
        link = links.get((one.entity, one.relation))
        columns = (*one.left.columns, *one.right.columns)
        if link is None:  # refused, and reported
            continue
        if (link.table, {link.left_column, link.right_column}) != (
            one.table.name,
            {*columns},
        ):
            what = f"the association table {one.table.name} ({', '.join(columns)})"
            became = f"the relation {one.entity}.{one.relation}, with the table"
            found.lose(one.table.place, what, f"{became} {link.table}")


def _order(table: Table, reference: Reference) -> tuple[int, int]:
    """The place of a reference in the primary key, and in the table."""
    name = reference.columns[0]
    key = table.primary_key
    place = [one.name for one in table.columns].index(name)
    return (key.index(name) if name in key else len(key), place)


def _is_to_a_key(one: Reference, tables: dict[str, Table]) -> bool:
    target = tables.get(one.target)
    if target is None or len(target.primary_key) != 1:
        return False
    return not one.target_columns or one.target_columns == target.primary_key
