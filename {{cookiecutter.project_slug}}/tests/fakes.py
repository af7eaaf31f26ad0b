"""A repository in memory, which passes the tests of the real one."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from src.core.database import columns_of
from src.core.errors import ConflictError
from src.models.base import (
    BareEntity,
    Changes,
    Id,
    Schema,
    TimedEntity,
    new_id,
    utc_now,
)
from src.repositories import cursors, filters
from src.repositories.base import Repository
from src.repositories.filters import Filters
from src.repositories.sorting import BY_RANK, Sort, sort_of

EntityT = TypeVar("EntityT", bound=BareEntity)

# What the operators of filters mean, for values that are not null.
MEANINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, wanted: value in wanted,
    "startswith": str.startswith,
}


class InMemoryRepository(Repository[EntityT]):
    """Keeps the rows of one repository's entity in a dictionary.

    It checks what must be unique; it does not check that references exist. Attributes
    that a create does not have get the values in `filled_in`, as defaults of columns do,
    and `new_id` makes the id of a row.
    """

    def __init__(
        self,
        real: type[Repository[EntityT]],
        filled_in: Mapping[str, Any] | None = None,
        new_id: Callable[[], Any] = new_id,
    ) -> None:
        self.entity = real.entity
        self.new_id = new_id
        self.filled_in = filled_in or {}
        self.immutable, self.write_only = real.immutable, real.write_only
        self.keys = {link.key: name for name, link in real.links.items() if link.key}
        self.rows: dict[Id, EntityT] = {}

    def add(self, entity: EntityT) -> EntityT:
        """Take over a row as it is."""
        self.rows[entity.id] = entity
        return entity

    async def create(self, data: Schema) -> EntityT:
        values = self._attributes(data.model_dump())
        self._check_unique(values)
        made: dict[str, Any] = {"id": self.new_id()}
        if issubclass(self.entity, TimedEntity):
            now = utc_now()
            made |= {"created_at": now, "updated_at": now}
        return self.add(self.entity(**{**self.filled_in, **made, **values}))

    async def get(
        self,
        entity_id: Id,
        *,
        for_update: bool = False,
        include: Sequence[str] = (),
    ) -> EntityT | None:
        return self.rows.get(entity_id)

    async def lock(self, entity_id: Id) -> EntityT | None:
        return self.rows.get(entity_id)

    async def find(self, where: Filters) -> EntityT | None:
        if not where:
            raise ValueError("find() needs a value to look for")
        found = [] if None in where.values() else self._matching(where)
        return next(iter(found), None)

    async def list(
        self,
        skip: int = 0,
        limit: int = 20,
        *,
        after: str | None = None,
        where: Filters | None = None,
        sort: Sort | None = None,
        include: Sequence[str] = (),
    ) -> Sequence[EntityT]:
        sort = sort or sort_of(self.entity)
        rows: list[Any] = [*self._matching(where)]
        if sort == BY_RANK and after is None:
            words = words_of((where or {})[filters.SEARCH])
            rows.sort(key=lambda row: (-len(words & words_in(row)), row.id))
            return rows[skip : skip + limit]
        if after is not None:
            given = {k: v for k, v in (where or {}).items() if v is not None}
            values = cursors.decode(after, self.entity, sort, given)
            names = [key.name for key in sort]
            start = SimpleNamespace(**dict(zip(names, values, strict=True)))
            # An equal row, that of the cursor, is sorted before it.
            rows = in_order([*rows, start], sort, self.entity)
            rows = rows[rows.index(start) + 1 :]
        return in_order(rows, sort, self.entity)[skip : skip + limit]

    async def count(self, where: Filters | None = None) -> int:
        return len(self._matching(where))

    async def total(self, where: Filters | None = None) -> int | None:
        return await self.count(where)

    async def replace(self, entity_id: Id, data: Schema) -> EntityT | None:
        return self._set(entity_id, self._replaced(data))

    async def update(self, entity_id: Id, data: Changes) -> EntityT | None:
        return self._set(entity_id, data.model_dump(exclude_unset=True))

    async def delete(self, entity_id: Id) -> bool:
        return self.rows.pop(entity_id, None) is not None

    async def link(self, name: str, own_id: Id, other_id: Id) -> None:
        linked = getattr(self.rows[own_id], name)
        if other_id not in [row.id for row in linked]:
            linked += self._others(name, [other_id])

    async def unlink(self, name: str, own_id: Id, other_id: Id) -> None:
        row = self.rows[own_id]
        left = [other for other in getattr(row, name) if other.id != other_id]
        setattr(row, name, left)

    def _attributes(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes to set: for a list of ids, rows with these ids."""
        for key, name in self.keys.items():
            if key in values:
                values[name] = self._others(name, values.pop(key))
        return values

    def _others(self, name: str, ids: Sequence[Id]) -> Sequence[BareEntity]:
        target = sa.inspect(self.entity).relationships[name].mapper.class_
        return [target(id=each) for each in ids]

    def _set(self, entity_id: Id, changes: dict[str, Any]) -> EntityT | None:
        row = self.rows.get(entity_id)
        if row is None or not changes:
            return row
        self._check_immutable(row, changes)
        self._check_unique(changes, row)
        for name, value in self._attributes(changes).items():
            setattr(row, name, value)
        if isinstance(row, TimedEntity):
            row.updated_at = utc_now()
        return row

    def _matching(self, where: Filters | None) -> Sequence[EntityT]:
        return [row for row in self.rows.values() if matches(row, where or {})]

    def _check_unique(
        self, changes: Mapping[str, Any], changed: EntityT | None = None
    ) -> None:
        """Raise what the database would if another row has the same unique values."""
        for columns in _unique(self.entity):
            keys = cast(sa.Table, self.entity.__table__).info
            names = {
                name: str(keys.get(column.name, column.name))
                for name, column in columns.items()
            }
            new = [
                folded(self.entity, name, value)
                for name in names
                for value in [changes.get(name, changed and getattr(changed, name))]
            ]
            for row in self.rows.values():
                old = [folded(self.entity, name, getattr(row, name)) for name in names]
                if row is not changed and None not in new and new == old:
                    fields = list(names.values())
                    raise ConflictError(self.entity.__resource__, fields)


def matches(row: Any, where: Filters) -> bool:
    """Whether a row has what the filters ask for; None asks for nothing."""
    for name, wanted in where.items():
        if wanted is None:
            continue
        if name == filters.SEARCH and filters.has_search(type(row)):
            if not words_of(wanted) <= words_in(row):
                return False
            continue
        attribute, word = filters.split(name)
        value = folded(type(row), attribute, getattr(row, attribute))
        wanted = folded(type(row), attribute, wanted)
        if word == "null":
            fits = (value is None) == wanted
        elif value is None:
            fits = word == "ne"
        else:
            fits = MEANINGS[word](value, wanted)
        if not fits:
            return False
    return True


def folded(entity: type[BareEntity], attribute: str, value: Any) -> Any:
    """Return a value, or a list of values, as it is compared with others."""
    if not filters.ignores_case(entity, attribute):
        return value
    if isinstance(value, str):
        return value.lower()
    return [one.lower() for one in value] if isinstance(value, list) else value


def words_of(text: str) -> set[str]:
    """Return the words of a text; other than PostgreSQL, without - and quotes."""
    return set(re.findall(r"\w+", text.lower()))


def searched(entity: type[BareEntity]) -> list[str]:
    """Return the attributes that lists search."""
    mapper, columns = sa.inspect(entity), cast(sa.Table, entity.__table__).c
    names = columns["_search"].info["searched"]
    return [mapper.get_property_by_column(columns[name]).key for name in names]


def words_in(row: Any) -> set[str]:
    """Return the words by which a search finds a row."""
    texts = [getattr(row, name) or "" for name in searched(type(row))]
    return words_of(" ".join(texts))


def in_other_case(text: str) -> str:
    """Return a text with its letters in the other case, if that is the same text."""
    other = text.swapcase()
    return other if other.lower() == text.lower() else text


def in_order(rows: Sequence[Any], sort: Sort, entity: type[BareEntity]) -> list[Any]:
    """Return rows in the order of a list: null comes last in both directions."""
    ordered = [*rows]
    for key in reversed(sort):

        def place(row: Any, name: str = key.name) -> Any:
            return folded(entity, name, getattr(row, name))

        known = [row for row in ordered if place(row) is not None]
        known.sort(key=place, reverse=key.descending)
        ordered = known + [row for row in ordered if place(row) is None]
    return ordered


def _unique(entity: type[BareEntity]) -> Iterator[dict[str, sa.Column[Any]]]:
    """Yield the columns of each unique constraint or index by their attributes."""
    mapper = sa.inspect(entity)
    table = cast(sa.Table, entity.__table__)
    unique = [one for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    found = [[column.name for column in one.columns] for one in unique]
    indexes = [index for index in table.indexes if index.unique]
    found += [columns_of(index) for index in indexes]
    for names in found:
        columns = [table.c[name] for name in names]
        yield {mapper.get_property_by_column(one).key: one for one in columns}
