"""The base classes of all tables and JSON schemas."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

import pydantic
import sqlalchemy as sa
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import CoreSchema
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql

from src.core.database import Base
from src.models.types import UUID, DateTime, StoredInteger, check_text

# UUIDs that sort by time keep an index compact; Python has them from 3.14 on.
new_id: Callable[[], uuid.UUID] = getattr(uuid, "uuid7", uuid.uuid4)

# What an id can be.
Id: TypeAlias = uuid.UUID | int | str


def utc_now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(dt.UTC)


# The words of a search: an INSERT would return them like other values that the database
# makes.
NOT_MAPPED = {"exclude_properties": ["_search"]}


class BareEntity(Base):
    """A row whose class declares the column of its `id` itself."""

    __abstract__ = True
    __resource__: ClassVar[str]
    __plural__: ClassVar[str]  # where it is not the name of the table
    __linked__: ClassVar[tuple[str, ...]] = ()  # the relationships whose ids are shown
    __mapper_args__ = NOT_MAPPED
    if TYPE_CHECKING:
        id: orm.Mapped[Any]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


def plural_of(entity: type[BareEntity]) -> str:
    """Return what the rows are called in metrics."""
    plural: str = getattr(entity, "__plural__", entity.__tablename__)
    return plural


def json_key(entity: type[BareEntity], attribute: str) -> str:
    """Return the key in JSON of a column's attribute."""
    column = sa.inspect(entity).columns[attribute]
    return str(column.table.info.get(column.name, column.name))


def read_only_attributes(entity: type[BareEntity]) -> set[str]:
    """Return what a PUT may repeat, and never changes."""
    if issubclass(entity, TimedEntity):
        return {"id", "created_at", "updated_at"}
    return {"id"}


class TimedEntity(BareEntity):
    """A row with the times of its creation and last change, in UTC."""

    __abstract__ = True

    created_at: orm.Mapped[dt.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now(), sort_order=1_000
    )
    updated_at: orm.Mapped[dt.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True),
        server_default=sa.func.now(),
        onupdate=utc_now,  # from Python: the new value is known without a query
        sort_order=1_001,
    )


class Entity(TimedEntity):
    """A row with a UUID as its id, and the times of its creation and last change."""

    __abstract__ = True

    id: orm.Mapped[uuid.UUID] = orm.mapped_column(
        sa.Uuid,
        primary_key=True,
        default=new_id,
        server_default=sa.text("gen_random_uuid()"),
        sort_order=-1,
    )


def text_id() -> str:
    """Return a new id for a row whose id is a string."""
    return str(new_id())


def camel(name: str) -> str:
    """Return the key in JSON of a field in a service with camelCase: `dueAt`."""
    head, *words = name.removesuffix("_").split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in words)


def check(column: str, rule: str, sql: str) -> sa.CheckConstraint:
    """Return a CHECK constraint for one column.

    `info` has the column's name, so that the error of a violation can name it.
    """
    text = sql.replace(":", "\\:")
    return sa.CheckConstraint(text, name=f"{column}_{rule}", info={"column": column})


# The `info` of a column whose values are the same in upper and lower case.
CASE_INSENSITIVE = {"case_insensitive": True}
SEARCHED_CHARACTERS = 100_000  # with more, a tsvector can be too large for PostgreSQL


def ignore_case(text: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[Any]:
    """Return text in lower case, sorted by code points.

    The database's own collation folds letters; "C", that of columns, folds A to Z only.
    """
    return sa.func.lower(sa.collate(text, "default")).collate("C")


def lowered(column: str) -> sa.ColumnElement[Any]:
    """Return what an index has of a column that is case-insensitive."""
    return ignore_case(sa.column(sa.quoted_name(column, quote=True), sa.String))


def search_column(*columns: str) -> sa.Column[Any]:
    """Return the column of words that lists search, made by the database from others."""
    texts = " || ' ' || ".join(f"coalesce(\"{column}\", '')" for column in columns)
    words = f"to_tsvector('simple', left({texts}, {SEARCHED_CHARACTERS}))"
    return sa.Column(
        "_search",
        postgresql.TSVECTOR,
        sa.Computed(words, persisted=True),
        info={"searched": columns},
    )


class Schema(pydantic.BaseModel):
    """A JSON object in a request: strict types, no unknown keys, no NaN, no NUL."""

    model_config = pydantic.ConfigDict(
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        protected_namespaces=(),
        hide_input_in_errors=True,  # an exception in a log has no values of requests
    )

    @pydantic.field_validator("*")
    @classmethod
    def _storable_text(cls, value: Any) -> Any:
        return check_text(value) if isinstance(value, str) else value


# The default of a key that was not sent; it is never used as a value.
UNSET: Any = None


def unset() -> Any:
    """Return UNSET, as a default that OpenAPI does not show."""
    return UNSET


class Changes(Schema):
    """A partial update: only the fields that were sent change (`model_fields_set`)."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Remove the defaults of optional keys from OpenAPI: null cannot be sent."""
        described = handler(schema)
        for key in handler.resolve_ref_schema(described)["properties"].values():
            key.pop("default", None)
        return described


def read_only(schema: dict[str, Any]) -> None:
    """Say in OpenAPI that a key is answered, and ignored where it is sent."""
    schema["readOnly"] = True
    schema.pop("default", None)


class BareReplacement(Schema):
    """A body of PUT, which may repeat the keys of a GET that cannot be changed.

    Another id is an error. The times are ignored: the service sets them.
    """

    if TYPE_CHECKING:
        id: Any


class Replacement(BareReplacement):
    """A body of PUT for an entity with a UUID as its id, and the service's times."""

    id: UUID = pydantic.Field(default=UNSET, json_schema_extra=read_only)
    created_at: DateTime = pydantic.Field(default=UNSET, json_schema_extra=read_only)
    updated_at: DateTime = pydantic.Field(default=UNSET, json_schema_extra=read_only)


class BareResource(pydantic.BaseModel):
    """A row in a response, without constraints: rows older than one stay readable."""

    # Values are read from attributes by name; aliases are the keys in JSON.
    model_config = pydantic.ConfigDict(
        strict=True,
        from_attributes=True,
        protected_namespaces=(),
        validate_by_name=True,
        validate_by_alias=False,
    )

    if TYPE_CHECKING:
        id: Any


class Resource(BareResource):
    """A row in a response, with a UUID as its id, and the service's times."""

    id: uuid.UUID = pydantic.Field(json_schema_extra=read_only)
    created_at: dt.datetime = pydantic.Field(json_schema_extra=read_only)
    updated_at: dt.datetime = pydantic.Field(json_schema_extra=read_only)


# What a resource embeds unless it was included; null means that there is none.
LEFT_OUT: Any = object()


def embedded(alias: str, description: str = "") -> Any:
    """Return a field of a resource that is there only if `include` names it."""
    return pydantic.Field(
        default_factory=lambda: LEFT_OUT,
        exclude_if=lambda value: value is LEFT_OUT,
        alias=alias,
        description=description or "Only there if `include` names it.",
    )


ResourceT = TypeVar("ResourceT", bound=BareResource)


class Page(pydantic.BaseModel, Generic[ResourceT]):
    """A part of a list; `next` is the cursor of the following page, if there is one."""

    items: list[ResourceT]
    total: StoredInteger | None
    skip: StoredInteger
    limit: StoredInteger
    next: str | None
