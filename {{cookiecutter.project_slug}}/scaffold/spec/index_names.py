"""The names of indexes, which are unique among all tables and indexes of a schema."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scaffold.spec import naming
from scaffold.spec.model import Entity

# The kind (ix or uq), the table and the columns.
Index = tuple[str, ...]


def index_names(entities: Sequence[Entity]) -> Mapping[Index, str]:
    """Return the name of every index and unique constraint.

    `a_b(c)` and `a(b_c)` would both be `ix_a_b_c`: the second one in the file is called
    `ix__a__b_c`.
    """
    taken = {entity.table for entity in entities}
    taken |= {link.table for entity in entities for link in entity.links}
    names = {}
    for index in _indexes(entities):
        name, end = naming.constraint(*index), ""
        while name in taken:
            name = naming.shorten("__".join(index) + end)
            end += "_"
        taken.add(name)
        names[index] = name
    return names


def _indexes(entities: Iterable[Entity]) -> Iterator[Index]:
    for entity in entities:
        table = entity.table
        if entity.timestamps:
            yield "ix", table, *entity.order
        for field in entity.fields:
            if field.unique or field.index:
                yield "uq" if field.unique else "ix", table, field.column
        for reference in entity.references:
            if reference.kind == "one_to_one":
                yield "uq", table, reference.column
            elif reference.index:
                yield "ix", table, reference.column
        for columns in entity.unique:
            yield "uq", table, *columns
        for columns in entity.indexes:
            yield "ix", table, *columns
        for link in entity.links:
            if link.owner:
                yield "ix", link.table, link.right_column
