"""What the tests share: how rows are made, and what is known of each entity."""

import datetime as dt
import decimal
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic_core
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.models._base import Changes, Entity, LinkedIds, Resource, Schema, new_id
from src.repositories._base import Repository
from src.services._base import Service
from tests import values

EntityT = TypeVar("EntityT", bound=Entity)
Body = dict[str, Any]

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_made: Counter[type] = Counter()


def start_over() -> None:
    """Count rows from 1 again: every test makes the same ones, in any order of runs."""
    _made.clear()


def pick(n: int, *choices: Any) -> Any:
    """Return one of the choices in turn."""
    return choices[n % len(choices)]


def contents(entity: Entity | None) -> Body:
    """Return all that a row holds: rows themselves equal nothing but themselves."""
    assert entity is not None
    linked = [
        name for name, a in vars(type(entity)).items() if isinstance(a, LinkedIds)
    ]
    columns = sa.inspect(type(entity)).column_attrs.keys()
    return {name: getattr(entity, name) for name in (*columns, *linked)}


class Factory(Generic[EntityT]):
    """Makes rows of one entity, each with values of its own.

    What is given by keyword, under the attribute's name, replaces a made value.
    """

    entity: type[EntityT]
    schema: type[Schema]

    @classmethod
    def values(cls, n: int) -> Body:
        """Return the attributes of the n-th row."""
        raise NotImplementedError

    @classmethod
    def parents(cls) -> "Parents":
        """Return who makes the rows that a row cannot be without, by attribute."""
        return {}

    @classmethod
    def create(cls, **changes: Any) -> EntityT:
        """Return a row as the database would answer it, but not stored."""
        number = cls._next()
        moment = START + dt.timedelta(minutes=number)
        made: Body = {"id": new_id(), "created_at": moment, "updated_at": moment}
        for name, attribute in vars(cls.entity).items():
            if isinstance(attribute, LinkedIds):
                made[name] = []
        return cls.entity(**{**made, **cls._values(number), **changes})

    @classmethod
    def create_batch(cls, count: int, **changes: Any) -> list[EntityT]:
        """Return several rows."""
        return [cls.create(**changes) for _ in range(count)]

    @classmethod
    async def store(cls, db: AsyncSession, **changes: Any) -> EntityT:
        """Return a row that is stored, and with it the rows that it needs."""
        entity = cls.create(**{**await cls._stored_parents(db, changes), **changes})
        db.add(entity)
        await db.flush()
        return entity

    @classmethod
    async def store_batch(
        cls, db: AsyncSession, count: int, **changes: Any
    ) -> list[EntityT]:
        """Return several rows that are stored."""
        return [await cls.store(db, **changes) for _ in range(count)]

    @classmethod
    def payload(cls, **changes: Any) -> Body:
        """Return the body of a request that creates a row."""
        made = {**cls._values(cls._next()), **changes}
        return {alias(cls.schema, name): as_json(made[name]) for name in made}

    @classmethod
    async def request(cls, db: AsyncSession, **changes: Any) -> Body:
        """Return a payload whose parents are stored."""
        return cls.payload(**{**await cls._stored_parents(db, changes), **changes})

    @classmethod
    def _values(cls, number: int) -> Body:
        return {**{name: new_id() for name in cls.parents()}, **cls.values(number)}

    @classmethod
    async def _stored_parents(cls, db: AsyncSession, given: Mapping[str, Any]) -> Body:
        parents = cls.parents()
        return {
            name: (await parents[name].store(db)).id
            for name in parents
            if name not in given
        }

    @classmethod
    def _next(cls) -> int:
        _made[cls] += 1
        return _made[cls]


Parents = Mapping[str, type[Factory[Any]]]


def as_json(value: Any) -> Any:
    """Return a Python value as it stands in JSON."""
    return pydantic_core.to_jsonable_python(value)


def alias(schema: type[Schema], attribute: str) -> str:
    """Return the JSON key of an attribute."""
    return schema.model_fields[attribute].alias or attribute


@dataclass(frozen=True)
class Field:
    """One key of an entity's JSON.

    `accepted`, `refused` and `malformed` lie at the edges of its limits; only the API
    refuses what is malformed, the database the rest as well.
    """

    name: str
    type: str
    required: bool = False
    nullable: bool = False
    accepted: Sequence[Any] = ()
    refused: Sequence[Any] = ()
    malformed: Sequence[Any] = ()
    default: Any = None

    def taken(self) -> list[Any]:
        """Values that the API takes."""
        null = [None] if self.nullable else []
        return [*values.ACCEPTED.get(self.type, ()), *self.accepted, *null]

    def not_taken(self) -> list[Any]:
        """Values that the API does not take."""
        # To a schema, null is a JSON value like any other.
        null = [] if self.nullable else [None]
        return [*values.REFUSED[self.type], *self.refused, *self.malformed, *null]

    def not_storable(self) -> list[Any]:
        """Values that the database does not take, as Python has them."""
        exact = self.type == "decimal"
        refused = [decimal.Decimal(v) if exact else v for v in self.refused]
        null = [] if self.nullable else [None]
        return [*values.UNSTORABLE.get(self.type, ()), *refused, *null]


@dataclass(frozen=True)
class Reference:
    """A key that names a row of another entity, or of the same."""

    name: str
    target: str
    required: bool
    on_delete: str
    reverse: str | None = None
    single: bool = False

    def field(self) -> Field:
        """The key as a field."""
        return Field(self.name, "uuid", self.required, nullable=not self.required)


@dataclass(frozen=True)
class Link:
    """One side of a many-to-many relation; `key` lists ids, on the side that may."""

    name: str
    target: str
    path: str
    key: str | None = None

    def field(self) -> Iterator[Field]:
        """The key as a field, if there is one."""
        if self.key is not None:
            yield Field(self.key, "ids", default=[])


@dataclass(frozen=True)
class Case:
    """One entity with all that the tests need of it.

    At most `capacity` rows differ in what must be unique.
    """

    name: str
    plural: str
    url: str
    factory: type[Factory[Any]]
    create: type[Schema]
    update: type[Changes]
    resource: type[Resource]
    repository: type[Repository[Any]]
    service: Callable[[Any], Service[Any, Any, Any, Any]]
    capacity: int
    unique: Sequence[Sequence[str]]
    indexes: Sequence[Sequence[str]]
    fields: Sequence[Field]
    references: Sequence[Reference]
    links: Sequence[Link]

    def __str__(self) -> str:
        return self.name

    @property
    def keys(self) -> list[Field]:
        """Every key of a request, those of relations among them."""
        references = [reference.field() for reference in self.references]
        linked = [field for link in self.links for field in link.field()]
        return [*self.fields, *references, *linked]

    def attribute(self, key: str) -> str:
        """Return the attribute behind a JSON key."""
        for attribute in self.create.model_fields:
            if alias(self.create, attribute) == key:
                return attribute
        raise KeyError(key)

    def is_first_of_type(self, field: Field) -> bool:
        """Whether no key before has this type: what is the type's is tested once."""
        return field.name == next(k.name for k in self.keys if k.type == field.type)

    def rows(self, wanted: int) -> int:
        """How many rows a test can have, of those it would like."""
        return min(wanted, self.capacity)


def read(schema: type[Schema], body: Any) -> Any:
    """Validate a body as the API does."""
    return schema.model_validate_json(json.dumps(body))
