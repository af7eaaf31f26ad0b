"""The cursor of keyset pagination: the last row of a page, encoded for a URL.

Pages after a cursor take the same time at any depth, while `skip` reads all rows that it
skips. Rows that are added or deleted meanwhile do not shift the pages.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, TypeAlias

import pydantic
import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy import orm

from src.core.errors import InvalidError, invalid
from src.models.base import BareEntity, TimedEntity
from src.models.types import EARLIEST, INT16, INT32, INT64, LATEST, Bits

CURSOR_PATTERN = "^[A-Za-z0-9_-]{1,1000}$"
Column: TypeAlias = orm.InstrumentedAttribute[Any]
BITS: Mapping[type, Bits] = {
    sa.SmallInteger: INT16,
    sa.Integer: INT32,
    sa.BigInteger: INT64,
}
WRONG_CURSOR = {
    "loc": ("query", "after"),
    "msg": "Send the `next` of a page of this list",
    "type": "cursor",
}


@cache
def order_of(entity: type[BareEntity]) -> Sequence[Column]:
    """Return the columns by which lists are sorted: the time of creation and the id."""
    if issubclass(entity, TimedEntity):
        return [entity.created_at, entity.id]
    return [entity.id]


def encode(row: BareEntity) -> str:
    """Return the position of a row in the order of its list."""
    values = [getattr(row, str(column.key)) for column in order_of(type(row))]
    return base64.urlsafe_b64encode(to_json(values)).decode().rstrip("=")


def decode(text: str, entity: type[BareEntity]) -> Sequence[Any]:
    """Return the values of the columns; raise InvalidError if the text has none."""
    try:
        padded = text + "=" * (-len(text) % 4)
        values = base64.b64decode(padded, altchars=b"-_", validate=True)
        found: Sequence[Any] = _adapter(entity).validate_json(values)
    except (binascii.Error, ValueError):
        raise wrong_cursor() from None
    return found


def wrong_cursor() -> InvalidError:
    """Return the error for a cursor that is not one of this list."""
    return invalid([WRONG_CURSOR])


@cache
def _adapter(entity: type[BareEntity]) -> pydantic.TypeAdapter[Sequence[Any]]:
    types = tuple(map(_type_of, order_of(entity)))
    values: Any = tuple[types]  # type: ignore[valid-type]
    return pydantic.TypeAdapter(values)


def _type_of(column: Column) -> Any:
    """Return the type of a column's values that the database accepts."""
    python: Any = column.type.python_type
    if python is dt.datetime:
        return Annotated[pydantic.AwareDatetime, pydantic.Field(ge=EARLIEST, lt=LATEST)]
    if python is int:
        least, most = BITS[type(column.type)].range
        return Annotated[int, pydantic.Field(strict=True, ge=least, le=most)]
    return python
