"""The generic repository: the queries that every entity has."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, ClassVar, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from src.core.database_errors import translate
from src.core.errors import ConflictError, ReferenceNotFoundError, invalid
from src.core.write_log import Verb, Write, note_write
from src.models.base import (
    BareEntity,
    Changes,
    Id,
    Schema,
    TimedEntity,
    json_key,
    plural_of,
    read_only_attributes,
    utc_now,
)
from src.models.types import BIGINT_MAX, MAX_LINKS
from src.repositories import cursors, filters, sorting
from src.repositories.filters import Filters, OwnFilter
from src.repositories.links import Link as Link
from src.repositories.sorting import BY_RANK, Sort, sort_of

EntityT = TypeVar("EntityT", bound=BareEntity)
MICROSECOND = dt.timedelta(microseconds=1)
MAX_STATEMENTS = 500  # of one kind that are kept, of all entities together
Names = tuple[str, ...]


class Repository(Generic[EntityT]):
    """Stores and finds the rows of one entity; it uses no HTTP and never commits."""

    entity: type[EntityT]
    # Attributes that are set on create only, and those that are never shown. A PUT that
    # does not send them keeps their values.
    immutable: frozenset[str] = frozenset()
    write_only: frozenset[str] = frozenset()
    # Many-to-many relations by name, and those of other entities to this one.
    links: ClassVar[Mapping[str, Link]] = {}
    memberships: ClassVar[Mapping[str, Link]] = {}
    # Filters of your own by name: a function that returns the condition for a parameter.
    filters: ClassVar[Mapping[str, OwnFilter]] = {}

    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    @classmethod
    def select(cls) -> sa.Select[EntityT]:
        """Return the statement behind get, find, list, count and every change of a row.

        Override it to filter the rows of this repository, or to load relations. It is
        called once, so use parameters, or `with_loader_criteria` in a `do_orm_execute`
        listener, for what differs between requests.
        """
        return sa.select(cls.entity)

    async def create(self, data: Schema) -> EntityT:
        """Insert one row and return it."""
        values = await self._values(data.model_dump())
        entity = self.entity(**values)
        self.db.add(entity)
        with self._translated():
            await self.db.flush()
        self._note("created", entity.id)
        return entity

    async def get(
        self,
        entity_id: Id,
        *,
        for_update: bool = False,
        include: Sequence[str] = (),
    ) -> EntityT | None:
        """Return the row with this id, if there is one.

        With `for_update`, the row is locked against changes until the transaction ends.
        `include` names relations to load, such as `order` or `order.customer`.
        """
        if for_update:
            return await self._lock(entity_id, loaded=True)
        statement = self._including(self._by_id(), include)
        return await self.db.scalar(statement, {"id": entity_id})

    async def lock(self, entity_id: Id) -> EntityT | None:
        """Return the row with this id, without relations, and lock it."""
        return await self._lock(entity_id, loaded=False)

    async def find(self, where: Filters) -> EntityT | None:
        """Return the only row with these values, if there is one.

        None is equal to nothing, as null in SQL.
        """
        if not where:
            raise ValueError("find() needs a value to look for")
        values = filters.parameters(self.entity, _given(where), self.filters)
        if len(values) < len(where):
            return None
        return await self.db.scalar(self._narrowed(tuple(values)), values)

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
        """Return a page, in the order of creation unless `sort` has another.

        It starts after the cursor `after`; `include` is that of `get`. BY_RANK is the
        order of a search, which is the filter `q`.
        """
        where = _given(where)
        sort = sort or sort_of(self.entity)
        values = {
            **filters.parameters(self.entity, where, self.filters),
            "_skip": skip,
            "_limit": limit,
            "_end": min(skip + limit, BIGINT_MAX),
        }
        names, nulls = tuple(values)[:-3], None
        if after is not None:
            start = cursors.decode(after, self.entity, sort, where)
            values |= {f"_after_{n}": value for n, value in enumerate(start)}
            nulls = tuple(value is None for value in start)
        statement = self._including(self._page(names, sort, nulls), include)
        return (await self.db.scalars(statement, values)).all()

    async def count(self, where: Filters | None = None) -> int:
        """Return how many rows a list without paging would have."""
        values = filters.parameters(self.entity, _given(where), self.filters)
        return await self.db.scalar(self._count(tuple(values)), values) or 0

    async def total(self, where: Filters | None = None) -> int | None:
        """Return what `count` does, or None if it is more than MAX_TOTAL."""
        most = self.db.info.get("max_total")
        if most is None:
            return await self.count(where)
        values = filters.parameters(self.entity, _given(where), self.filters)
        statement = self._count(tuple(values), limited=True)
        found = await self.db.scalar(statement, {**values, "_most": most + 1}) or 0
        return found if found <= most else None

    async def replace(self, entity_id: Id, data: Schema) -> EntityT | None:
        """Set every field; omitted fields get their default or null."""
        return await self._change(entity_id, self._replaced(data))

    async def update(self, entity_id: Id, data: Changes) -> EntityT | None:
        """Set only the fields that were sent."""
        changes = data.model_dump(exclude_unset=True)
        if not changes:
            return await self.get(entity_id)
        return await self._change(entity_id, changes)

    async def delete(self, entity_id: Id) -> bool:
        """Delete the row; return False if there was none."""
        entity = await self.lock(entity_id)
        if entity is None:
            return False
        await self.db.delete(entity)
        with self._translated():
            await self.db.flush()
        self._note("deleted", entity_id)
        return True

    async def link(self, name: str, own_id: Id, other_id: Id) -> None:
        """Link two rows of a many-to-many relation, unless they are linked already.

        The caller has locked the own row.
        """
        link = self.links[name]
        with self._translated():
            is_new = await link.add(self.db, own_id, other_id)
        if is_new and await link.count(self.db, own_id, other_id) > MAX_LINKS:
            message = f"A list of ids has at most {MAX_LINKS} ids; unlink another first"
            raise ConflictError(self.entity.__resource__, [], message)

    async def unlink(self, name: str, own_id: Id, other_id: Id) -> None:
        """Unlink two rows of a many-to-many relation, if they are linked."""
        await self.links[name].remove(self.db, own_id, other_id)

    async def _lock(self, entity_id: Id, *, loaded: bool) -> EntityT | None:
        known = self.db.identity_map.get(self.db.identity_key(self.entity, entity_id))
        if known is not None:  # with values from before the lock
            await self.db.flush()
            self.db.expire(known)
        return await self.db.scalar(self._locked(loaded), {"id": entity_id})

    async def _change(self, entity_id: Id, changes: dict[str, Any]) -> EntityT | None:
        entity = await self.get(entity_id, for_update=True)
        if entity is None:
            return None
        self._check_immutable(entity, changes)
        for name, value in (await self._values(changes)).items():
            setattr(entity, name, value)
        if isinstance(entity, TimedEntity):
            # Set even if only links change, and always increasing, whatever the clocks
            # say.
            entity.updated_at = max(utc_now(), entity.updated_at + MICROSECOND)
        with self._translated():
            await self.db.flush()
        self._note("updated", entity_id)
        return entity

    def _replaced(self, data: Schema) -> dict[str, Any]:
        """Return the attributes that a PUT sets."""
        kept = (self.immutable | self.write_only) - data.model_fields_set
        return data.model_dump(exclude=read_only_attributes(self.entity) | kept)

    def _check_immutable(self, entity: EntityT, changes: Mapping[str, Any]) -> None:
        """Raise an error that names the attributes that cannot be changed.

        The stored value may be sent again, unless it is write-only: an answer that
        depends on it would help to guess it.
        """
        wrong = [
            name
            for name in sorted(self.immutable & changes.keys())
            if name in self.write_only or changes[name] != getattr(entity, name)
        ]
        if wrong:
            raise invalid([_unchangeable(self.entity, name) for name in wrong])

    async def _values(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes to set: a list of ids is replaced by its rows."""
        for name, link in self.links.items():
            if link.key in values:
                values[name] = await self._linked_rows(name, values.pop(link.key))
        return values

    async def _linked_rows(self, name: str, ids: Sequence[Id]) -> Sequence[BareEntity]:
        if not ids:
            return []
        target = self._target(name)
        only_id = orm.load_only(target.id, raiseload=True)
        statement = sa.select(target).where(target.id.in_(ids)).options(only_id)
        rows = (await self.db.scalars(statement)).all()
        if len(rows) < len(ids):
            link = self.links[name]
            raise ReferenceNotFoundError(
                [str(link.table.info.get(link.other, link.key))]
            )
        return rows

    @classmethod
    def _target(cls, name: str) -> type[BareEntity]:
        """Return the other entity of a many-to-many relation."""
        target: type[BareEntity] = (
            sa.inspect(cls.entity).relationships[name].mapper.class_
        )
        return target

    # Statements. Each is built once, because building it takes longer than sending it.

    @classmethod
    @cache
    def _loaded(cls) -> sa.Select[EntityT]:
        """Select rows, with the ids of the rows that they are linked to."""
        return cls.select().options(*_ids_loaded(cls.entity))

    @classmethod
    @cache
    def _by_id(cls) -> sa.Select[EntityT]:
        return cls._loaded().where(cls.entity.id == sa.bindparam("id"))

    @classmethod
    @cache
    def _locked(cls, loaded: bool) -> sa.Select[EntityT]:
        rows = cls._loaded() if loaded else cls.select()
        one = rows.where(cls.entity.id == sa.bindparam("id"))
        # Rows that refer to this one can still be added: FOR NO KEY UPDATE.
        return one.with_for_update(key_share=True, of=cls.entity)

    @classmethod
    def _including(
        cls, statement: sa.Select[EntityT], include: Sequence[str]
    ) -> sa.Select[EntityT]:
        """Load the relations as well; without any, the statement stays the same one."""
        if not include:
            return statement
        return statement.options(*(_embedded(cls.entity, path) for path in include))

    @classmethod
    def _narrowed(cls, names: Names) -> sa.Select[EntityT]:
        """Select the rows that match the filters with these parameters."""
        return cls._loaded().where(*map(cls._condition, names))

    @classmethod
    def _condition(cls, name: str) -> sa.ColumnElement[bool]:
        if name in cls.filters:
            return cls.filters[name](sa.bindparam(name))
        if name in cls.memberships:
            link = cls.memberships[name]
            other = link.table.c[link.other].type
            members = link.members(sa.bindparam(name, type_=other))
            return cls.entity.id.in_(members)
        return filters.condition(cls.entity, name)

    @classmethod
    @lru_cache(MAX_STATEMENTS)
    def _page(
        cls, names: Names, sort: Sort, nulls: tuple[bool, ...] | None
    ) -> sa.Select[EntityT]:
        skip = sa.bindparam("_skip", type_=sa.BigInteger)
        limit = sa.bindparam("_limit", type_=sa.BigInteger)
        if sort == BY_RANK:
            order = (filters.rank(cls.entity).desc(), cls.entity.id)
            page = cls._narrowed(names).order_by(*order)
            return page.offset(skip).limit(limit)
        parts = sorting.parts(cls.entity, sort, nulls)
        if len(parts) == 1:
            (part,) = parts
            page = cls._narrowed(names).where(part.where).order_by(*part.order)
            return page.offset(skip).limit(limit)
        return cls._joined(names, sort, parts).offset(skip).limit(limit)

    @classmethod
    def _joined(
        cls, names: Names, sort: Sort, parts: Sequence[sorting.Part]
    ) -> sa.Select[EntityT]:
        """Select the first rows of each part, and of these the first ones."""
        conditions = list(map(cls._condition, names))
        end = sa.bindparam("_end", type_=sa.BigInteger)
        keys = [
            sorting.attribute_of(cls.entity, key).label(f"key_{number}")
            for number, key in enumerate(sort)
        ]
        scans = [
            cls.select()
            .where(*conditions, part.where)
            .with_only_columns(cls.entity.id.label("id"), *keys)
            .order_by(*part.order)
            .limit(end)
            .subquery()
            for part in parts
        ]
        found = sa.union_all(*map(sa.select, scans)).subquery()
        first = sa.select(found.c.id).limit(end)
        first = first.order_by(*sorting.order_by(cls.entity, sort, dict(found.c)))
        rows = cls._loaded().where(cls.entity.id.in_(first))
        return rows.order_by(*sorting.order_by(cls.entity, sort))

    @classmethod
    @lru_cache(MAX_STATEMENTS)
    def _count(cls, names: Names, *, limited: bool = False) -> sa.Select[int]:
        rows = cls.select().where(*map(cls._condition, names))
        rows = rows.with_only_columns(cls.entity.id)
        if limited:
            rows = rows.limit(sa.bindparam("_most", type_=sa.BigInteger))
        return sa.select(sa.func.count()).select_from(rows.subquery())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate errors of the database to the service's errors."""
        try:
            yield
        except IntegrityError as error:
            raise translate(error) from error
        except StaleDataError as error:  # another request has just removed these links
            message = "Another request changed the same links; try again"
            raise ConflictError(self.entity.__resource__, [], message) from error

    def _note(self, verb: Verb, entity_id: Id) -> None:
        entity = self.entity
        write = Write(entity.__resource__, plural_of(entity), verb, str(entity_id))
        note_write(self.db, write)


def _unchangeable(entity: type[BareEntity], attribute: str) -> dict[str, Any]:
    return {
        "loc": ("body", json_key(entity, attribute)),
        "msg": "The value is set on create and cannot be changed",
        "type": "immutable",
    }


def _given(where: Filters | None) -> dict[str, Any]:
    return {name: value for name, value in (where or {}).items() if value is not None}


def _embedded(entity: type[BareEntity], path: str) -> Any:
    """Return what loads the relations of a path: one query for each of them."""
    name, _, rest = path.partition(".")
    relation = getattr(entity, name)
    target = relation.property.mapper.class_
    inner = [_embedded(target, rest)] if rest else []
    return orm.selectinload(relation).options(*_ids_loaded(target), *inner)


def _ids_loaded(entity: type[BareEntity]) -> Iterator[Any]:
    """Yield what loads the ids of the rows that a row is linked to."""
    for name in entity.__linked__:
        relation = getattr(entity, name)
        target = relation.property.mapper.class_
        yield orm.selectinload(relation).load_only(target.id, raiseload=True)
