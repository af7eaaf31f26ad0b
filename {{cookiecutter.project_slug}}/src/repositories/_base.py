"""The generic repository: the only CRUD queries, once for every entity."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import Verb, record
from src.core.database_errors import translate
from src.models._base import Changes, Entity, Schema
from src.repositories._links import Link as Link
from src.repositories._paging import Cursor

EntityT = TypeVar("EntityT", bound=Entity)
SelectT = TypeVar("SelectT", bound="sa.Select[Any]")
# What a list is narrowed to, such as {"project_id": …}; None leaves a key out.
Filters = Mapping[str, object]


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise what a violated constraint means, in the service's own words."""
    try:
        yield
    except IntegrityError as error:
        raise translate(error) from error


class Repository(Generic[EntityT]):
    """Stores and finds the rows of one entity; knows neither HTTP nor commits."""

    entity: type[EntityT]
    # Many-to-many relations by name, and those of others that lead here.
    links: ClassVar[Mapping[str, Link]] = {}
    memberships: ClassVar[Mapping[str, Link]] = {}

    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def create(self, data: Schema) -> EntityT:
        """Insert one row and return it as stored: 0.5 of two decimals is 0.50."""
        columns, linked = self._split(data.model_dump())
        statement = sa.insert(self.entity).values(columns).returning(self.entity)
        with translated_errors():
            entity = (await self.db.scalars(statement)).one()
            for link, other_ids in linked.items():
                await link.add(self.db, entity.id, other_ids)
        await self._load_links([entity])
        self._record("created", entity.id)
        return entity

    async def get(self, entity_id: uuid.UUID) -> EntityT | None:
        """Return the row with this id, if there is one."""
        entity = await self.db.get(self.entity, entity_id)
        if entity is not None:
            await self._load_links([entity])
        return entity

    async def find(self, where: Filters) -> EntityT | None:
        """Return the only row with these values, if there is one."""
        statement = self._narrow(sa.select(self.entity), where)
        entity = (await self.db.scalars(statement)).one_or_none()
        if entity is not None:
            await self._load_links([entity])
        return entity

    async def list(
        self,
        skip: int = 0,
        limit: int = 20,
        *,
        after: Cursor | None = None,
        where: Filters | None = None,
    ) -> Sequence[EntityT]:
        """Return a page in the order of creation; `after` starts behind a row."""
        key = sa.tuple_(self.entity.created_at, self.entity.id)
        statement = self._narrow(sa.select(self.entity), where)
        if after is not None:
            statement = statement.where(key > (after.created_at, after.id))
        statement = statement.order_by(self.entity.created_at, self.entity.id)
        found = await self.db.scalars(statement.offset(skip or None).limit(limit))
        entities = found.all()
        await self._load_links(entities)
        return entities

    async def count(self, where: Filters | None = None) -> int:
        """Return how many rows a list without paging would have."""
        statement = sa.select(sa.func.count()).select_from(self.entity)
        return (await self.db.scalars(self._narrow(statement, where))).one()

    async def replace(self, entity_id: uuid.UUID, data: Schema) -> EntityT | None:
        """Set every field; what was not sent falls back to its default or null."""
        return await self._write(entity_id, data.model_dump())

    async def update(self, entity_id: uuid.UUID, data: Changes) -> EntityT | None:
        """Set only the fields that were sent."""
        changes = data.model_dump(exclude_unset=True)
        if not changes:
            return await self.get(entity_id)
        return await self._write(entity_id, changes)

    async def delete(self, entity_id: uuid.UUID) -> bool:
        """Delete the row; False if there was none."""
        statement = (
            sa.delete(self.entity)
            .where(self.entity.id == entity_id)
            .returning(self.entity.id)
        )
        with translated_errors():
            deleted = await self.db.scalar(statement)
        if deleted is None:
            return False
        self._record("deleted", entity_id)
        return True

    async def link(self, name: str, own_id: uuid.UUID, other_id: uuid.UUID) -> None:
        """Link two rows of a many-to-many relation; twice is once."""
        with translated_errors():
            await self.links[name].add(self.db, own_id, [other_id])

    async def unlink(self, name: str, own_id: uuid.UUID, other_id: uuid.UUID) -> None:
        """Unlink two rows of a many-to-many relation, if they are linked."""
        await self.links[name].remove(self.db, own_id, other_id)

    async def _write(
        self, entity_id: uuid.UUID, changes: dict[str, Any]
    ) -> EntityT | None:
        """One UPDATE of these columns only: parallel changes of others survive."""
        columns, linked = self._split(changes)
        # The time of the change is written even where only links change.
        columns.setdefault(self.entity.updated_at, sa.func.now())
        statement = (
            sa.update(self.entity)
            .where(self.entity.id == entity_id)
            .values(columns)
            .returning(self.entity)
            .execution_options(populate_existing=True)
        )
        with translated_errors():
            entity = (await self.db.scalars(statement)).one_or_none()
            if entity is None:
                return None
            for link, other_ids in linked.items():
                await link.replace(self.db, entity_id, other_ids)
        await self._load_links([entity])
        self._record("updated", entity_id)
        return entity

    def _split(
        self, values: dict[str, Any]
    ) -> tuple[dict[Any, Any], dict[Link, Sequence[uuid.UUID]]]:
        """Part the columns from the lists of linked ids."""
        linked = {
            link: values.pop(link.field)
            for link in self.links.values()
            if link.field is not None and link.field in values
        }
        columns = {getattr(self.entity, name): values[name] for name in values}
        return columns, linked

    async def _load_links(self, entities: Sequence[EntityT]) -> None:
        for link in self.links.values():
            await link.load(self.db, entities)

    def _narrow(self, statement: SelectT, where: Filters | None) -> SelectT:
        for name, value in (where or {}).items():
            if value is None:
                continue
            if name in self.memberships:
                member = self.entity.id.in_(self.memberships[name].members(value))
                statement = statement.where(member)
            else:
                statement = statement.where(getattr(self.entity, name) == value)
        return statement

    def _record(self, verb: Verb, entity_id: uuid.UUID) -> None:
        entity = self.entity
        record(self.db, entity.__resource__, entity.__tablename__, verb, entity_id)
