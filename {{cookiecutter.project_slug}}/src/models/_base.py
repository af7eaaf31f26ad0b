"""What every table and every JSON shape shares."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import pydantic
import sqlalchemy as sa
from sqlalchemy import orm

from src.core.database import Base
from src.models._types import check_text

# Ids that sort by time keep an index compact; Python makes them from 3.14 on.
new_id: Callable[[], uuid.UUID] = getattr(uuid, "uuid7", uuid.uuid4)


class Entity(Base):
    """A row with an id and the times of its creation and last change, in UTC."""

    __abstract__ = True
    __resource__: ClassVar[str]

    id: orm.Mapped[uuid.UUID] = orm.mapped_column(
        sa.Uuid,
        primary_key=True,
        default=new_id,
        server_default=sa.text("gen_random_uuid()"),
        sort_order=-1,
    )
    created_at: orm.Mapped[dt.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now(), sort_order=1_000
    )
    updated_at: orm.Mapped[dt.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True),
        server_default=sa.func.now(),
        onupdate=sa.func.now(),
        sort_order=1_001,
    )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class LinkedIds:
    """The ids on the other side of a many-to-many relation.

    They stand in a table of their own; the repository loads them, in one query for
    all rows of a page.
    """

    name: str

    def __set_name__(self, owner: type[Entity], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, row: None, owner: type[Entity]) -> Self: ...

    @overload
    def __get__(self, row: Entity, owner: type[Entity]) -> list[uuid.UUID]: ...

    def __get__(
        self, row: Entity | None, owner: type[Entity]
    ) -> Self | list[uuid.UUID]:
        if row is None:
            return self
        try:
            return list(row.__dict__[f"_{self.name}"])
        except KeyError:
            raise AttributeError(
                f"{owner.__name__}.{self.name} is not loaded; read the row through "
                "its repository"
            ) from None

    def __set__(self, row: Entity, ids: Iterable[uuid.UUID]) -> None:
        row.__dict__[f"_{self.name}"] = sorted(ids)


def check(column: str, rule: str, sql: str) -> sa.CheckConstraint:
    """A rule that the database holds for one column, whoever writes to it.

    The column's name stays beside it, so that a violation can name the field.
    """
    text = sql.replace(":", "\\:")
    return sa.CheckConstraint(text, name=f"{column}_{rule}", info={"column": column})


class Schema(pydantic.BaseModel):
    """A JSON object: strict types, no unknown keys, no NaN, no NUL."""

    model_config = pydantic.ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )

    @pydantic.field_validator("*")
    @classmethod
    def _storable_text(cls, value: Any) -> Any:
        return check_text(value) if isinstance(value, str) else value


# Stands for "not sent": never null, never a value of a field.
UNSET: Any = None


def _hide_unset(schema: dict[str, Any]) -> None:
    """A key that may be left out has no default that a reader could send."""
    for properties in schema.get("properties", {}).values():
        properties.pop("default", None)


class Changes(Schema):
    """A partial update: only what was sent is changed (`model_fields_set`)."""

    model_config = pydantic.ConfigDict(json_schema_extra=_hide_unset)


_Read = Callable[[Any], Sequence[Any]]


class Resource(Schema):
    """A stored row as the API answers it."""

    # Names lead to attributes of a row; JSON keys (aliases) are for the wire.
    model_config = pydantic.ConfigDict(
        from_attributes=True,
        validate_by_name=True,
        validate_by_alias=False,
        # Every key is there in every answer, those with a default too.
        json_schema_serialization_defaults_required=True,
    )

    id: uuid.UUID
    created_at: dt.datetime
    updated_at: dt.datetime

    @classmethod
    def from_entity(cls, entity: Entity) -> Self:
        """Take a row over as it is.

        The database has judged it already: a rule that came later, such as a new
        pattern, must not make old rows unreadable.
        """
        names, take, read = cls._reader()
        try:
            values = take(entity.__dict__)  # columns, without a descriptor each
        except KeyError:
            values = read(entity)
        resource = cls.__new__(cls)
        # What model_construct does, but for defaults: all is there.
        object.__setattr__(resource, "__dict__", dict(zip(names, values, strict=True)))
        object.__setattr__(resource, "__pydantic_fields_set__", set(names))
        object.__setattr__(resource, "__pydantic_extra__", None)
        object.__setattr__(resource, "__pydantic_private__", None)
        return resource

    @classmethod
    @cache
    def _reader(cls) -> tuple[Sequence[str], _Read, _Read]:
        names = tuple(cls.model_fields)
        return names, itemgetter(*names), attrgetter(*names)


ResourceT = TypeVar("ResourceT", bound=Resource)


class Page(pydantic.BaseModel, Generic[ResourceT]):
    """A part of a list; `next` is the cursor of the page after it, if there is one."""

    items: list[ResourceT]  # no Sequence, which Pydantic writes several times slower
    total: int | None
    skip: int
    limit: int
    next: str | None
