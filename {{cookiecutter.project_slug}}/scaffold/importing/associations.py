"""Finds the tables that only link two others: many-to-many relations."""

from dataclasses import dataclass

from scaffold.importing.found import Found, Reference, Table


@dataclass(frozen=True)
class Association:
    """A table with nothing but two references, which are its key."""

    table: Table
    left: Reference
    right: Reference
    name: str = ""
    reverse: str = ""


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
