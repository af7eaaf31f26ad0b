"""The statements of one entity, each built once: that takes longer than to run it."""

from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from src.core.query import Query, Row
from src.models._base import Entity
from src.repositories._links import Link

# Parameters; attributes do not begin with an underscore, so none has such a name.
ROW_ID, SKIP, LIMIT = "_row_id", "_skip", "_limit"
AFTER_TIME, AFTER_ID = "_after_time", "_after_id"

EntityT = TypeVar("EntityT", bound=Entity)


class Statements(Generic[EntityT]):
    """What a repository sends, and how it reads the rows that come back.

    `where` names the attributes, or memberships, that a statement is narrowed by.
    """

    def __init__(self, entity: type[EntityT], memberships: Mapping[str, Link]) -> None:
        self._entity = entity
        self._memberships = memberships
        self._table: Any = entity.__table__
        mapped = {item.key: item.columns[0] for item in sa.inspect(entity).column_attrs}
        # A column's name is its attribute's, unless Python has that for itself.
        self.columns = {key: column.name for key, column in mapped.items()}
        self._returned = list(mapped.values())
        self._names = tuple(mapped)
        # Each is made when it is first asked for.
        self.find = cache(self._find)
        self.page = cache(self._page)
        self.count = cache(self._count)
        self.insert = cache(self._insert)
        # Any fields may be changed together.
        self.update = lru_cache(self._update)

    def entity(self, row: Row) -> EntityT:
        """Return a row as an entity of no session.

        It reads like any other. To assign to it raises: SQLAlchemy does not know it,
        and the change would be lost without a word.
        """
        entity = self._entity.__new__(self._entity)
        entity.__dict__.update(zip(self._names, row, strict=True))
        return entity

    @cached_property
    def get(self) -> Query:
        return self.find(("id",))

    @cached_property
    def delete(self) -> Query:
        deleted = sa.delete(self._table).where(self._is_row())
        return Query(deleted.returning(self._table.c.id))

    def _insert(self, columns: tuple[str, ...]) -> Query:
        return Query(sa.insert(self._table).returning(*self._returned), columns)

    def _update(self, columns: tuple[str, ...]) -> Query:
        changed = sa.update(self._table).where(self._is_row())
        return Query(changed.returning(*self._returned), columns)

    def _find(self, where: tuple[str, ...]) -> Query:
        return Query(self._narrow(sa.select(*self._returned), where))

    def _page(self, where: tuple[str, ...], after: bool) -> Query:
        columns = self._table.c
        key = sa.tuple_(columns.created_at, columns.id)
        statement = self._narrow(sa.select(*self._returned), where)
        if after:
            time = sa.bindparam(AFTER_TIME, type_=columns.created_at.type)
            row_id = sa.bindparam(AFTER_ID, type_=columns.id.type)
            statement = statement.where(key > sa.tuple_(time, row_id))
        statement = statement.order_by(columns.created_at, columns.id)
        skip = sa.bindparam(SKIP, type_=sa.BigInteger)
        limit = sa.bindparam(LIMIT, type_=sa.BigInteger)
        return Query(statement.offset(skip).limit(limit))

    def _count(self, where: tuple[str, ...]) -> Query:
        counted = sa.select(sa.func.count()).select_from(self._table)
        return Query(self._narrow(counted, where))

    def _narrow(
        self, statement: sa.Select[Any], where: tuple[str, ...]
    ) -> sa.Select[Any]:
        for name in where:
            if name in self._memberships:
                members = self._memberships[name].members(name)
                statement = statement.where(self._table.c.id.in_(members))
            else:
                column = self._table.c[self.columns[name]]
                value = sa.bindparam(name, type_=column.type)
                statement = statement.where(column == value)
        return statement

    def _is_row(self) -> sa.ColumnElement[bool]:
        row_id = sa.bindparam(ROW_ID, type_=sa.Uuid)
        is_row: sa.ColumnElement[bool] = self._table.c.id == row_id
        return is_row
