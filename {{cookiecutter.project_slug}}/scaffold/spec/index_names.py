"""The names of indexes, which are unique among all tables and indexes of a schema."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scaffold.spec import naming
from scaffold.spec.model import Entity
from scaffold.spec.vocabulary.keys import SEARCH_COLUMN, SOFT_DELETE

# The kind (ix or uq), the table with its schema, and the columns.
Index = tuple[str, ...]


def index_names(entities: Sequence[Entity]) -> Mapping[Index, str]:
    """Return the name of every index and unique constraint.

    `a_b(c)` and `a(b_c)` would both be `ix_a_b_c`: the second one in the file is called
    `ix__a__b_c`. An index without regard to case has `lower` in its name, so that it is
    another one than the index with it; for the same reason, a unique index of rows that
    are not deleted has `live`.
    """
    taken = {(entity.schema, entity.table) for entity in entities}
    taken |= {(link.schema, link.table) for one in entities for link in one.links}
    lowered = {entity.table_key: entity.lowered for entity in entities}
    marked = {entity.table_key for entity in entities if entity.soft_delete}
    names = {}
    for kind, key, *columns in _indexes(entities):
        table, schema = naming.split_key(key)
        folded = lowered.get(key, frozenset())
        words = [f"{one}_lower" if one in folded else one for one in columns]
        if kind == "uq" and key in marked:
            words.append("live")
        name, end = naming.constraint(kind, table, *words), ""
        while (schema, name) in taken:
            name = naming.shorten("__".join((kind, table, *words)) + end)
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
        for column in entity.item_indexes:
            yield "ix", table, column
        if entity.search:
            yield "ix", table, SEARCH_COLUMN
        if entity.soft_delete:
            yield "ix", table, SOFT_DELETE[0]
        for link in entity.links:
            if link.owner:
                yield "ix", link.table_key, link.right_column
