"""What the tests share: factories of rows, and a description of each entity."""

import datetime as dt
import decimal
import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Generic, TypeVar, get_args

import pydantic
import pydantic_core
import sqlalchemy as sa
from fastapi.routing import iter_route_contexts
from sqlalchemy.ext.asyncio import AsyncSession

from src.api.routes import ROUTERS
from src.models.base import (
    BareEntity,
    BareResource,
    Changes,
    Schema,
    TimedEntity,
    new_id,
)
from src.models.queries import ListQuery
from src.repositories.base import Repository
from src.repositories.filters import SEARCH
from src.repositories.sorting import Sort, sort_of
from src.services.base import Service
from tests import values
from tests.fakes import in_order, searched

EntityT = TypeVar("EntityT", bound=BareEntity)
Body = dict[str, Any]

UNKNOWN = 32_000  # an id that no sequence of a test reaches
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
VERBS = {
    "create": ("POST", ""),
    "list": ("GET", ""),
    "get": ("GET", "/{}"),
    "replace": ("PUT", "/{}"),
    "update": ("PATCH", "/{}"),
    "delete": ("DELETE", "/{}"),
}
_made: Counter[type] = Counter()


def start_over() -> None:
    """Restart the count of rows, so that the rows of a test do not depend on others."""
    _made.clear()


def pick(n: int, *choices: Any) -> Any:
    """Return one of the choices in turn."""
    return choices[n % len(choices)]


def first(n: int, example: Any, other: Any) -> Any:
    """Return the example for the first row, and the other value for the rest."""
    return example if n == 1 else other


class Factory(Generic[EntityT]):
    """Makes rows of one entity, each with different values.

    Keyword arguments replace the values of attributes.
    """

    entity: type[EntityT]
    schema: type[Schema]
    # Required attributes that the service sets, because creates do not have them.
    set_by_service: frozenset[str] = frozenset()

    @classmethod
    def values(cls, n: int) -> Body:
        """Return the attributes of the n-th row."""
        raise NotImplementedError

    @classmethod
    def parents(cls) -> "Parents":
        """Return the factories of the rows that a row needs, by attribute."""
        return {}

    @classmethod
    def accepts(cls, key: str, value: Any) -> bool:
        """Return whether the service accepts a valid value in an update.

        Override it if a rule of your own refuses some; tests do not send them then.
        """
        return True

    @classmethod
    def create(cls, **changes: Any) -> EntityT:
        """Return a row as it would be read from the database, but not stored."""
        number = cls._next()
        made: Body = {"id": cls.new_id(number)}
        if issubclass(cls.entity, TimedEntity):
            moment = START + dt.timedelta(minutes=number)
            made |= {"created_at": moment, "updated_at": moment}
        for relation in sa.inspect(cls.entity).relationships:
            if relation.secondary is not None:
                made[relation.key] = []
        return cls.entity(**{**made, **cls._values(number, changes), **changes})

    @classmethod
    def create_batch(cls, n: int, **changes: Any) -> list[EntityT]:
        """Return several rows."""
        return [cls.create(**changes) for _ in range(n)]

    @classmethod
    def unsaved(cls, **changes: Any) -> EntityT:
        """Return a row that a session can add: without an id if the database makes it."""
        if sa.inspect(cls.entity).columns["id"].identity is not None:
            changes = {"id": None, **changes}
        return cls.create(**changes)

    @classmethod
    async def store(cls, db: AsyncSession, /, **changes: Any) -> EntityT:
        """Return a row that is committed, and with it the rows that it needs."""
        given = {**await cls._stored_parents(db, changes), **changes}
        entity = cls.unsaved(**given)
        db.add(entity)
        await db.commit()
        return entity

    @classmethod
    async def store_batch(
        cls, db: AsyncSession, n: int, /, **changes: Any
    ) -> list[EntityT]:
        """Return several rows that are committed."""
        return [await cls.store(db, **changes) for _ in range(n)]

    @classmethod
    def payload(cls, **changes: Any) -> Body:
        """Return the body of a request that creates a row."""
        made = {**cls._values(cls._next(), changes), **changes}
        fields = cls.schema.model_fields
        return {
            fields[name].alias or name: as_json(made[name])
            for name in made
            if name in fields
        }

    @classmethod
    async def request(cls, db: AsyncSession, **changes: Any) -> Body:
        """Return a payload whose parents are committed."""
        return cls.payload(**{**await cls._stored_parents(db, changes), **changes})

    @classmethod
    def new_id(cls, number: int | None = None) -> Any:
        """Return an id that no other row has; `number` is that of the row."""
        number = cls._next() if number is None else number
        python_type = sa.inspect(cls.entity).columns["id"].type.python_type
        made: dict[type, Any] = {uuid.UUID: new_id(), int: number, str: str(new_id())}
        return cls.values(number).get("id", made[python_type])

    @classmethod
    def unknown_id(cls) -> Any:
        """Return an id that no row has."""
        column = sa.inspect(cls.entity).columns["id"]
        return UNKNOWN if column.identity is not None else cls.new_id()

    @classmethod
    def _values(cls, number: int, given: Body) -> Body:
        parents = {
            name: made.new_id()
            for name, made in cls.parents().items()
            if name not in given
        }
        made = {**parents, **cls.values(number)}
        return {name: made[name] for name in made if hasattr(cls.entity, name)}

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
    """Return a Python value as it is written in JSON."""
    return pydantic_core.to_jsonable_python(value)


@cache
def routes() -> frozenset[tuple[str, str]]:
    """Return the method and path of each route of the entities: GET /tasks/{}."""
    return frozenset(
        (method, re.sub(r"{\w+}", "{}", context.path))
        for router in ROUTERS
        for context in iter_route_contexts(router.routes)
        if context.path is not None
        for method in context.methods or ()
    )


@dataclass(frozen=True)
class Field:
    """One key of an entity's JSON.

    `accepted`, `refused` and `malformed` are values at its limits. The database refuses
    those of `refused` as well, and only the API those of `malformed`.
    """

    name: str
    type: str
    required: bool = False
    nullable: bool = False
    accepted: Sequence[Any] = ()
    refused: Sequence[Any] = ()
    malformed: Sequence[Any] = ()
    default: Any = None

    def accepted_values(self) -> list[Any]:
        """Return values that the API accepts."""
        null = [None] if self.nullable else []
        return [*values.ACCEPTED.get(self.type, ()), *self.accepted, *null]

    def refused_values(self) -> list[Any]:
        """Return values that the API refuses."""
        # To a schema, null is a JSON value like any other.
        null = [] if self.nullable else [None]
        return [*values.REFUSED[self.type], *self.refused, *self.malformed, *null]

    def unstorable_values(self) -> list[Any]:
        """Return values that the database refuses, as Python has them."""
        exact = self.type == "decimal"
        refused = [decimal.Decimal(v) if exact else v for v in self.refused]
        null = [] if self.nullable else [None]
        return [*values.UNSTORABLE.get(self.type, ()), *refused, *null]


@dataclass(frozen=True)
class Key:
    """The id of an entity: its key in JSON and its type.

    `sent` says whether clients send it with a create. `refused` are ids of the type that
    a path may not have.
    """

    name: str = "id"
    type: str = "uuid"
    sent: bool = False
    refused: Sequence[str] = ("17",)


@dataclass(frozen=True)
class Reference:
    """A key that names a row of another entity, or of the same; `type` is its type."""

    name: str
    target: str
    required: bool
    on_delete: str
    reverse: str | None = None
    single: bool = False
    type: str = "uuid"

    def field(self) -> Field:
        """Return the key as a field."""
        return Field(self.name, self.type, self.required, nullable=not self.required)


@dataclass(frozen=True)
class Link:
    """One side of a many-to-many relation; `key` lists ids, on the side that may."""

    name: str
    target: str
    path: str
    key: str | None = None
    type: str = "ids"

    def field(self) -> Iterator[Field]:
        """Yield the key as a field, if there is one."""
        if self.key is not None:
            yield Field(self.key, self.type, default=[])


@dataclass(frozen=True)
class Case:
    """One entity, and what the tests need to know of it.

    At most `capacity` rows differ in what must be unique. What a person has taken out
    of routes and schemas is not tested: `verbs` and the keys are looked up there.
    `replace` is the schema of a PUT, if it is not that of a create.
    """

    name: str
    plural: str
    url: str
    factory: type[Factory[Any]]
    create: type[Schema]
    update: type[Changes]
    resource: type[BareResource]
    query: type[ListQuery]
    repository: type[Repository[Any]]
    service: Callable[[Any], Service[Any, Any, Any, Any]]
    capacity: int
    unique: Sequence[Sequence[str]]
    indexes: Sequence[Sequence[str]]
    fields: Sequence[Field]
    references: Sequence[Reference]
    links: Sequence[Link]
    key: Key = Key()
    times: Sequence[str] = ("created_at", "updated_at")
    replace: type[Schema] | None = None

    def __str__(self) -> str:
        return self.name

    @cached_property
    def verbs(self) -> frozenset[str]:
        """What the routes offer, such as create and list."""
        return frozenset(
            verb
            for verb, (method, path) in VERBS.items()
            if (method, f"{self.url}{path}") in routes()
        )

    @cached_property
    def created(self) -> Sequence[Field]:
        """The keys of a create, those of relations among them."""
        return [field for field in self._keys() if field.name in keys(self.create)]

    @cached_property
    def changed(self) -> Sequence[Field]:
        """The keys that an update can change."""
        names = keys(self.update).keys() - self.immutable
        return [field for field in self._keys() if field.name in names]

    @cached_property
    def read_only(self) -> frozenset[str]:
        """The keys of answers that no request sets."""
        sent = keys(self.create).keys() | keys(self.update).keys()
        return frozenset(keys(self.resource).keys() - sent)

    @cached_property
    def write_only(self) -> frozenset[str]:
        """The keys of requests that no answer has."""
        return self._keys_of(self.repository.write_only)

    @cached_property
    def immutable(self) -> frozenset[str]:
        """The keys that are set on create only."""
        return self._keys_of(self.repository.immutable)

    def _keys_of(self, attributes: Collection[str]) -> frozenset[str]:
        found = keys(self.create).items()
        return frozenset(key for key, attribute in found if attribute in attributes)

    def _keys(self) -> Iterator[Field]:
        if self.key.sent:
            yield Field(self.key.name, self.key.type, required=True)
        yield from self.fields
        yield from (reference.field() for reference in self.references)
        for link in self.links:
            yield from link.field()

    def attribute(self, key: str) -> str:
        """Return the attribute behind a JSON key."""
        for schema in (self.create, self.update, self.resource):
            if key in keys(schema):
                return keys(schema)[key]
        raise KeyError(key)

    @cached_property
    def filters(self) -> Sequence[str]:
        """The filters of lists by attributes, by their names in Python."""
        shared = {*ListQuery.model_fields, "include", SEARCH}
        others = shared | {*self.repository.filters}
        return [name for name in self.query.model_fields if name not in others]

    @cached_property
    def searched(self) -> Sequence[str]:
        """The attributes that lists search with `q`."""
        return (
            searched(self.factory.entity) if SEARCH in self.query.model_fields else ()
        )

    def words(self, row: Any) -> Sequence[str]:
        """Return words by which a search finds a row, the longest first."""
        texts = " ".join(getattr(row, name) or "" for name in self.searched)
        return sorted(re.findall("[a-z]{3,}", texts.lower()), key=len, reverse=True)

    @cached_property
    def sort_keys(self) -> Sequence[str]:
        """What lists can be sorted by, with `-` for the other direction."""
        (sorted_by,) = get_args(self.query.model_fields["sort"].annotation)
        return get_args(sorted_by)

    @cached_property
    def included(self) -> Sequence[str]:
        """The relations that lists can include."""
        if "include" not in self.query.model_fields:
            return ()
        (included,) = get_args(self.query.model_fields["include"].annotation)
        return get_args(included)

    @cached_property
    def not_in_creates(self) -> Sequence[str]:
        """The required columns that neither a create nor a default fills in."""
        columns = sa.inspect(self.factory.entity).columns
        return [
            name
            for field in self.fields
            if field.required and field not in self.created
            for name, column in columns.items()
            if name == keys(self.resource).get(field.name, field.name)
            and column.default is None
            and column.server_default is None
        ]

    @cached_property
    def cannot_be_created(self) -> str:
        """Why no create of this entity can succeed; empty if one can."""
        missing = sorted({*self.not_in_creates} - self.factory.set_by_service)
        if not missing:
            return ""
        names, factory = ", ".join(missing), self.factory.__name__
        return (
            f"{self.create.__name__} lacks {names}, which the table requires. If the "
            f"service sets it, add it to `set_by_service` of {factory} in "
            f"tests/factories.py; else give it a default in entities.json"
        )

    def filled_in(self) -> Body:
        """Return values of the fields that a create leaves to the database."""
        row = self.factory.create()
        names = [
            self.attribute(field.name)
            for field in self.fields
            if field.default is not None
            and field not in self.created
            and field.name in keys(self.resource)
        ]
        return {name: getattr(row, name) for name in names}

    def changes(self, body: Body) -> Body:
        """Return the keys of a body that an update can change."""
        names = keys(self.update).keys() - self.immutable
        return {key: body[key] for key in body if key in names}

    def value(self, key: str, value: Any) -> Any:
        """Return what a schema makes of a key's JSON value."""
        if key in keys(self.update):
            data = read(self.update, {key: value})
        elif key in keys(self.create):
            data = read(self.create, {**self.factory.payload(), key: value})
        else:
            shown: Any = self.resource.model_fields[self.attribute(key)].annotation
            return pydantic.TypeAdapter(shown).validate_python(value)
        return getattr(data, self.attribute(key))

    def replacement(self, body: Body) -> Body:
        """Return the body of a PUT: without what it could only repeat."""
        repeated = {self.key.name, *self.immutable}
        return {key: body[key] for key in body if key not in repeated}

    def replacing(self, body: Body) -> Any:
        """Return what replaces a row, from the body of a create."""
        if self.replace is None:
            return read(self.create, body)
        return read(self.replace, self.replacement(body))

    def id_of(self, answer: Body) -> Any:
        """Return the id in an answer."""
        return answer[self.key.name]

    @cached_property
    def sort(self) -> Sort:
        """The order of lists, if a request has no other."""
        names = [
            "-" * key.startswith("-") + keys(self.resource)[key.removeprefix("-")]
            for key in self.query.model_fields["sort"].default
        ]
        return sort_of(self.factory.entity, names)

    def in_order(self, rows: Sequence[Any]) -> list[Any]:
        """Return rows in the order of lists."""
        return in_order(rows, self.sort)

    def answer(self, entity: BareEntity | None) -> Body:
        """Return the JSON that shows a row."""
        assert entity is not None
        shown = self.resource.model_validate(entity)
        return shown.model_dump(mode="json", by_alias=True)

    def rows(self, wanted: int) -> int:
        """Return how many rows a test can have, of those it would like."""
        return min(wanted, self.capacity)


def keys(schema: type[Schema | BareResource]) -> Mapping[str, str]:
    """Return the attribute of each JSON key."""
    return {field.alias or name: name for name, field in schema.model_fields.items()}


def read(schema: type[Schema], body: Any) -> Any:
    """Validate a parsed body as the API does."""
    return schema.model_validate(body)
