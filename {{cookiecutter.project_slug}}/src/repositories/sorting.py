"""The order of lists: by up to three fields, and by the id among equal values."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa

from src.models.base import BareEntity, TimedEntity, ignore_case
from src.repositories.filters import ignores_case


class Key(NamedTuple):
    """An attribute to sort by; null comes last in both directions."""

    name: str
    descending: bool = False


Sort: TypeAlias = tuple[Key, ...]
# The order of a search: by how well rows match. No cursor can go on in it.
BY_RANK: Sort = (Key("_search", descending=True), Key("id"))


def sort_of(entity: type[BareEntity], names: Sequence[str] = ()) -> Sort:
    """Return the order for attributes such as `-created_at`; that of creation for none.

    The id is the last key, in the direction of the first one: an index on the first
    key and the id can then be read in either direction.
    """
    if not names and issubclass(entity, TimedEntity):
        names = ["created_at"]
    keys = [Key(name.removeprefix("-"), name.startswith("-")) for name in names]
    if all(key.name != "id" for key in keys):
        keys.append(Key("id", bool(keys) and keys[0].descending))
    return tuple(keys)


@cache
def column_of(entity: type[BareEntity], name: str) -> sa.Column[Any]:
    """Return the column behind an attribute."""
    return sa.inspect(entity).columns[name]


def order_by(
    entity: type[BareEntity],
    sort: Sort,
    columns: Mapping[str, sa.ColumnElement[Any]] | None = None,
    *,
    constant: int = 0,
) -> Iterator[sa.ColumnElement[Any]]:
    """Yield the ORDER BY of a statement: by the attributes, or `key_0`, … of a subquery.

    The first `constant` keys are null in all rows or in none. NULLS LAST, which no index
    has in descending order, is left out for them.
    """
    for number, key in enumerate(sort):
        column = columns[f"key_{number}"] if columns else attribute_of(entity, key)
        ordered = column.desc() if key.descending else column.asc()
        if key.descending and number >= constant and _nullable(entity, key):
            ordered = ordered.nulls_last()
        yield ordered


class Part(NamedTuple):
    """A part of a list that one index scan reads in order: a condition, and its order."""

    where: sa.ColumnElement[bool]
    order: Sequence[sa.ColumnElement[Any]]


def parts(
    entity: type[BareEntity], sort: Sort, nulls: Sequence[bool] | None
) -> Sequence[Part]:
    """Return the parts of a list, in its order: of all of it, or after a cursor.

    `nulls` says which values of the cursor are null; the others are the parameters
    `_after_0`, `_after_1`, … A condition with OR would read and discard all rows before
    the cursor, so there is one part for each key.
    """
    if nulls is None:
        return list(_first_page(entity, sort))
    nullable = any(_nullable(entity, key) for key in sort)
    if not nullable and len({key.descending for key in sort}) == 1:
        columns = sa.tuple_(*(attribute_of(entity, key) for key in sort))
        values = sa.tuple_(*(_value(entity, sort, n) for n in range(len(sort))))
        where = columns < values if sort[0].descending else columns > values
        return [Part(where, list(order_by(entity, sort)))]
    return list(_after(entity, sort, nulls))


def _first_page(entity: type[BareEntity], sort: Sort) -> Iterator[Part]:
    first = sort[0]
    if not (first.descending and _nullable(entity, first)):
        yield Part(sa.true(), list(order_by(entity, sort)))
        return
    order = list(order_by(entity, sort, constant=1))
    yield Part(attribute_of(entity, first).is_not(None), order)
    yield Part(attribute_of(entity, first).is_(None), order)


def _after(
    entity: type[BareEntity], sort: Sort, nulls: Sequence[bool]
) -> Iterator[Part]:
    """Yield the rows that are equal in ever fewer keys, and greater in the next one."""
    for number in reversed(range(len(sort))):
        if nulls[number]:
            continue  # nothing follows null
        equal = [_equal(entity, sort, place, nulls) for place in range(number)]
        key = sort[number]
        column, value = attribute_of(entity, key), _value(entity, sort, number)
        order = list(order_by(entity, sort, constant=number + 1))
        greater = column < value if key.descending else column > value
        yield Part(sa.and_(*equal, greater), order)
        if _nullable(entity, key):
            yield Part(sa.and_(*equal, column.is_(None)), order)


def _equal(
    entity: type[BareEntity], sort: Sort, number: int, nulls: Sequence[bool]
) -> sa.ColumnElement[bool]:
    column = attribute_of(entity, sort[number])
    if nulls[number]:
        return column.is_(None)
    return column == _value(entity, sort, number)


def attribute_of(entity: type[BareEntity], key: Key) -> sa.ColumnElement[Any]:
    """Return what a key compares: without regard to case, if its values have none."""
    attribute: sa.ColumnElement[Any] = getattr(entity, key.name)
    return ignore_case(attribute) if ignores_case(entity, key.name) else attribute


def _nullable(entity: type[BareEntity], key: Key) -> bool:
    return bool(column_of(entity, key.name).nullable)


def _value(entity: type[BareEntity], sort: Sort, number: int) -> sa.ColumnElement[Any]:
    name = sort[number].name
    kind = column_of(entity, name).type
    value: sa.BindParameter[Any] = sa.bindparam(f"_after_{number}", type_=kind)
    return ignore_case(value) if ignores_case(entity, name) else value
