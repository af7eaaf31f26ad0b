"""A repository without a database; the real one's contract tests run on it too."""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from src.core.errors import ConflictError
from src.models._base import Changes, Entity, Schema, new_id
from src.repositories._base import Filters, Repository
from src.repositories._paging import Cursor

EntityT = TypeVar("EntityT", bound=Entity)


class InMemoryRepository(Repository[EntityT]):
    """Keeps rows in a dictionary, and judges what is unique; references it trusts."""

    def __init__(self, entity: type[EntityT]) -> None:
        self.entity = entity
        self.rows: dict[uuid.UUID, EntityT] = {}

    async def create(self, data: Schema, *, autocommit: bool = False) -> EntityT:
        values = data.model_dump()
        self._judge(values)
        now = dt.datetime.now(dt.UTC)
        made = {"id": new_id(), "created_at": now, "updated_at": now}
        return self.add(self.entity(**{**made, **values}))

    def add(self, entity: EntityT) -> EntityT:
        """Take a row over as it is."""
        self.rows[entity.id] = entity
        return entity

    async def get(self, entity_id: uuid.UUID) -> EntityT | None:
        return self.rows.get(entity_id)

    async def find(self, where: Filters) -> EntityT | None:
        return next(iter(self._narrowed(where)), None)

    async def list(
        self,
        skip: int = 0,
        limit: int = 20,
        *,
        after: Cursor | None = None,
        where: Filters | None = None,
    ) -> Sequence[EntityT]:
        rows = sorted(self._narrowed(where), key=_place)
        if after is not None:
            rows = [row for row in rows if _place(row) > (after.created_at, after.id)]
        return rows[skip : skip + limit]

    async def count(self, where: Filters | None = None) -> int:
        return len(self._narrowed(where))

    async def replace(self, entity_id: uuid.UUID, data: Schema) -> EntityT | None:
        return self._set(entity_id, data.model_dump())

    async def update(self, entity_id: uuid.UUID, data: Changes) -> EntityT | None:
        return self._set(entity_id, data.model_dump(exclude_unset=True))

    async def delete(self, entity_id: uuid.UUID) -> bool:
        return self.rows.pop(entity_id, None) is not None

    def _set(self, entity_id: uuid.UUID, changes: Mapping[str, Any]) -> EntityT | None:
        row = self.rows.get(entity_id)
        if row is None or not changes:
            return row
        self._judge(changes, row)
        for name, value in changes.items():
            setattr(row, name, value)
        row.updated_at = dt.datetime.now(dt.UTC)
        return row

    def _narrowed(self, where: Filters | None) -> Sequence[EntityT]:
        wanted = {name: value for name, value in (where or {}).items() if value}
        return [
            row
            for row in self.rows.values()
            if all(getattr(row, name) == value for name, value in wanted.items())
        ]

    def _judge(
        self, changes: Mapping[str, Any], changed: EntityT | None = None
    ) -> None:
        """Raise what the database would if another row has the same unique values."""
        for columns in _unique(self.entity):
            names = {name: str(column.name) for name, column in columns.items()}
            new = [
                changes.get(name, changed and getattr(changed, name)) for name in names
            ]
            for row in self.rows.values():
                old = [getattr(row, name) for name in names]
                if row is not changed and None not in new and new == old:
                    fields = list(names.values())
                    raise ConflictError(self.entity.__resource__, fields)


def _place(row: Entity) -> tuple[dt.datetime, uuid.UUID]:
    return row.created_at, row.id


def _unique(entity: type[Entity]) -> Iterator[dict[str, sa.Column[Any]]]:
    """Yield the columns of each unique constraint by their attributes."""
    mapper = sa.inspect(entity)
    for constraint in cast(sa.Table, entity.__table__).constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield {
                mapper.get_property_by_column(column).key: column
                for column in constraint.columns
            }
