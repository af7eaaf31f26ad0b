"""The names of indexes, which are unique among all tables and indexes of a schema."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scaffold.spec import naming
from scaffold.spec.model import Entity

# The kind (ix or uq), the table with its schema, and the columns.
Index = tuple[str, ...]


def index_names(entities: Sequence[Entity]) -> Mapping[Index, str]:
    """Return the name of every index and unique constraint.

    `a_b(c)` and `a(b_c)` would both be `ix_a_b_c`: the second one in the file is called
    `ix__a__b_c`.
    """
    taken = {(entity.schema, entity.table) for entity in entities}
    taken |= {(link.schema, link.table) for one in entities for link in one.links}
    names = {}
    for kind, key, *columns in _indexes(entities):
        table, schema = naming.split_key(key)
        name, end = naming.constraint(kind, table, *columns), ""
        while (schema, name) in taken:
            name = naming.shorten("__".join((kind, table, *columns)) + end)
            end += "_"
        taken.add((schema, name))
        names[kind, key, *columns] = name
    return names


def _indexes(entities: Iterable[Entity]) -> Iterator[Index]:
    for entity in entities:
        table = entity.table_key
        for one in entity.members:
            if one.unique:
                yield "uq", table, one.column
        for columns in entity.unique:
            yield "uq", table, *columns
        for columns in entity.sorted_indexes:
            yield "ix", table, *columns
        for link in entity.links:
            if link.owner:
                yield "ix", link.table_key, link.right_column
