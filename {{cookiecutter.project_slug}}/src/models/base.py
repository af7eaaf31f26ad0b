"""The base classes of all tables and JSON schemas."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import pydantic
import sqlalchemy as sa
from sqlalchemy import orm

from src.core.database import Base
from src.models.types import check_text

# UUIDs that sort by time keep an index compact; Python has them from 3.14 on.
new_id: Callable[[], uuid.UUID] = getattr(uuid, "uuid7", uuid.uuid4)


def utc_now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(dt.UTC)


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
        onupdate=utc_now,  # from Python: the new value is known without a query
        sort_order=1_001,
    )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


def check(column: str, rule: str, sql: str) -> sa.CheckConstraint:
    """Return a CHECK constraint for one column.

    `info` has the column's name, so that the error of a violation can name it.
    """
    text = sql.replace(":", "\\:")
    return sa.CheckConstraint(text, name=f"{column}_{rule}", info={"column": column})


class Schema(pydantic.BaseModel):
    """A JSON object in a request: strict types, no unknown keys, no NaN, no NUL."""

    model_config = pydantic.ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )

    @pydantic.field_validator("*")
    @classmethod
    def _storable_text(cls, value: Any) -> Any:
        return check_text(value) if isinstance(value, str) else value


# The default of a key that was not sent; it is never used as a value.
UNSET: Any = None


def _hide_unset(schema: dict[str, Any]) -> None:
    """Remove the defaults of optional keys from OpenAPI: null cannot be sent."""
    for properties in schema.get("properties", {}).values():
        properties.pop("default", None)


class Changes(Schema):
    """A partial update: only the fields that were sent change (`model_fields_set`)."""

    model_config = pydantic.ConfigDict(json_schema_extra=_hide_unset)


class Resource(pydantic.BaseModel):
    """A row in a response, without constraints: rows older than one stay readable."""

    # Values are read from attributes by name; aliases are the keys in JSON.
    model_config = pydantic.ConfigDict(
        strict=True,
        from_attributes=True,
        protected_namespaces=(),
        validate_by_name=True,
        validate_by_alias=False,
    )

    id: uuid.UUID
    created_at: dt.datetime
    updated_at: dt.datetime


ResourceT = TypeVar("ResourceT", bound=Resource)


class Page(pydantic.BaseModel, Generic[ResourceT]):
    """A part of a list; `next` is the cursor of the following page, if there is one."""

    items: list[ResourceT]
    total: int | None
    skip: int
    limit: int
    next: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return the name that OpenAPI shows, such as TaskPage."""
        return f"{params[0].__name__}Page"
