"""The generic repository: the only CRUD queries, once for every entity."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

import asyncpg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import Verb, record
from src.core.database_errors import translate
from src.core.query import Row
from src.models._base import Changes, Entity, Schema, new_id
from src.repositories import _statements as names
from src.repositories._links import Link as Link
from src.repositories._paging import Cursor
from src.repositories._statements import Statements

EntityT = TypeVar("EntityT", bound=Entity)
# What a list is narrowed to, such as {"project_id": …}; None leaves a key out.
Filters = Mapping[str, object]


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise what a violated constraint means, in the service's own words."""
    try:
        yield
    except (IntegrityError, asyncpg.IntegrityConstraintViolationError) as error:
        raise translate(error) from error


class Repository(Generic[EntityT]):
    """Stores and finds the rows of one entity; knows neither HTTP nor commits.

    The rows that it returns are values, which belong to no session: to change what is
    stored, call `update`. `self.db` gives those that SQLAlchemy tracks.
    """

    entity: type[EntityT]
    # Many-to-many relations by name, and those of others that lead here.
    links: ClassVar[Mapping[str, Link]] = {}
    memberships: ClassVar[Mapping[str, Link]] = {}
    statements: ClassVar[Statements[Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "entity"):
            cls.statements = Statements(cls.entity, cls.memberships)

    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def create(self, data: Schema, *, autocommit: bool = False) -> EntityT:
        """Insert one row and return it as stored: 0.5 of two decimals is 0.50.

        With `autocommit`, for a caller that does nothing after it, the statement
        commits itself where it is the only one: without BEGIN and COMMIT.
        """
        columns, linked = self._split(data.model_dump())
        columns["id"] = new_id()
        statement = self.statements.insert(tuple(columns))
        with translated_errors():
            (row,) = await statement.fetch(
                self.db, columns, autocommit=autocommit and not self.links
            )
            entity: EntityT = self.statements.entity(row)
            for link, other_ids in linked.items():
                await link.add(self.db, entity.id, other_ids)
        await self._load_links([entity])
        self._record("created", entity.id)
        return entity

    async def get(self, entity_id: uuid.UUID) -> EntityT | None:
        """Return the row with this id, if there is one."""
        rows = await self.statements.get.fetch(self.db, {"id": entity_id})
        return await self._only(rows)

    async def find(self, where: Filters) -> EntityT | None:
        """Return the only row with these values, if there is one."""
        where = _given(where)
        query = self.statements.find(tuple(where))
        return await self._only(await query.fetch(self.db, where))

    async def list(
        self,
        skip: int = 0,
        limit: int = 20,
        *,
        after: Cursor | None = None,
        where: Filters | None = None,
    ) -> Sequence[EntityT]:
        """Return a page in the order of creation; `after` starts behind a row."""
        where = _given(where)
        values = {names.SKIP: skip, names.LIMIT: limit, **where}
        if after is not None:
            values |= {names.AFTER_TIME: after.created_at, names.AFTER_ID: after.id}
        query = self.statements.page(tuple(where), after is not None)
        rows = await query.fetch(self.db, values)
        entities = [self.statements.entity(row) for row in rows]
        await self._load_links(entities)
        return entities

    async def count(self, where: Filters | None = None) -> int:
        """Return how many rows a list without paging would have."""
        where = _given(where)
        rows = await self.statements.count(tuple(where)).fetch(self.db, where)
        return int(rows[0][0])

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
        with translated_errors():
            row_id = {names.ROW_ID: entity_id}
            deleted = await self.statements.delete.fetch(self.db, row_id)
        if not deleted:
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
        """One UPDATE of these columns only: parallel changes of others survive.

        The time of the change is written even where only links change.
        """
        columns, linked = self._split(changes)
        statement = self.statements.update(tuple(columns))
        with translated_errors():
            values = {**columns, names.ROW_ID: entity_id}
            rows = await statement.fetch(self.db, values)
            if not rows:
                return None
            for link, other_ids in linked.items():
                await link.replace(self.db, entity_id, other_ids)
        entity: EntityT = self.statements.entity(rows[0])
        await self._load_links([entity])
        self._record("updated", entity_id)
        return entity

    def _split(
        self, values: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[Link, Sequence[uuid.UUID]]]:
        """Part the columns, by their own names, from the lists of linked ids."""
        linked = {
            link: values.pop(link.field)
            for link in self.links.values()
            if link.field is not None and link.field in values
        }
        columns = self.statements.columns
        return {columns[name]: value for name, value in values.items()}, linked

    async def _only(self, rows: Sequence[Row]) -> EntityT | None:
        if not rows:
            return None
        (row,) = rows
        entity: EntityT = self.statements.entity(row)
        await self._load_links([entity])
        return entity

    async def _load_links(self, entities: Sequence[EntityT]) -> None:
        for link in self.links.values():
            await link.load(self.db, entities)

    def _record(self, verb: Verb, entity_id: uuid.UUID) -> None:
        entity = self.entity
        record(self.db, entity.__resource__, entity.__tablename__, verb, entity_id)


def _given(where: Filters | None) -> dict[str, Any]:
    return {name: value for name, value in (where or {}).items() if value is not None}
