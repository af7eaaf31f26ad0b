"""The cursor of keyset pagination: the last row of a page, encoded for a URL.

Pages after a cursor take the same time at any depth, while `skip` reads all rows that it
skips. Rows that are added or deleted meanwhile do not shift the pages.
"""

import base64
import binascii
import datetime as dt
import decimal
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import pydantic
import sqlalchemy as sa
from pydantic_core import to_json

from src.core.errors import InvalidError, invalid
from src.models.base import BareEntity
from src.models.types import EARLIEST, INT16, INT32, INT64, LATEST, Bits, check_text
from src.repositories.sorting import BY_RANK, Sort, column_of

CHECKSUM_BYTES = 8
MAX_EXPONENT = 1_000  # of decimals: larger than that of any column
BITS: Mapping[type, Bits] = {
    sa.SmallInteger: INT16,
    sa.Integer: INT32,
    sa.BigInteger: INT64,
}
WRONG_CURSOR = {
    "loc": ("query", "after"),
    "msg": "Send the `next` of a page of this list, with the same filters and sort",
    "type": "cursor",
}

NO_CURSOR = {
    "loc": ("query", "after"),
    "msg": "The results of a search have no cursor; send `skip`, or `sort` as well",
    "type": "cursor",
}


def encode(row: BareEntity, sort: Sort, where: Mapping[str, Any]) -> str:
    """Return the position of a row in a list that is sorted and filtered like this."""
    values = to_json([getattr(row, key.name) for key in sort])
    signed = _checksum(values, type(row), sort, where) + values
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def decode(
    text: str, entity: type[BareEntity], sort: Sort, where: Mapping[str, Any]
) -> Sequence[Any]:
    """Return the values of the sort keys; raise InvalidError for another list's cursor."""
    if sort == BY_RANK:
        raise invalid([NO_CURSOR])
    try:
        signed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        values = signed[CHECKSUM_BYTES:]
        found: Sequence[Any] = _adapter(entity, sort).validate_json(values)
    except (binascii.Error, ValueError):
        raise wrong_cursor() from None
    expected = _checksum(values, entity, sort, where) + values
    if base64.urlsafe_b64encode(expected).decode().rstrip("=") != text:
        raise wrong_cursor()
    return found


def wrong_cursor() -> InvalidError:
    """Return the error for a cursor that is not one of this list."""
    return invalid([WRONG_CURSOR])


def _checksum(
    values: bytes, entity: type[BareEntity], sort: Sort, where: Mapping[str, Any]
) -> bytes:
    """Return a checksum against mistakes; a cursor gives no rights, so it has no secret."""
    place = to_json([entity.__resource__, sort, sorted(where.items())])
    return hashlib.blake2b(place + values, digest_size=CHECKSUM_BYTES).digest()


@lru_cache(maxsize=1_000)
def _adapter(
    entity: type[BareEntity], sort: Sort
) -> pydantic.TypeAdapter[Sequence[Any]]:
    types = tuple(_type_of(entity, key.name) for key in sort)
    values: Any = tuple[types]  # type: ignore[valid-type]
    return pydantic.TypeAdapter(values)


def _check_decimal(value: decimal.Decimal) -> decimal.Decimal:
    if not value.is_finite() or abs(value.adjusted()) > MAX_EXPONENT:
        raise ValueError("beyond what the database accepts")
    return value


def _check_time(value: dt.time) -> dt.time:
    if value.tzinfo is not None:
        raise ValueError("a time has no offset")
    return value


def _type_of(entity: type[BareEntity], name: str) -> Any:
    """Return the type of a column's values that the database accepts."""
    column = column_of(entity, name)
    python: Any = column.type.python_type
    if python is dt.datetime:
        python = Annotated[
            pydantic.AwareDatetime, pydantic.Field(ge=EARLIEST, lt=LATEST)
        ]
    elif python is int:
        least, most = BITS[type(column.type)].range
        python = Annotated[int, pydantic.Field(strict=True, ge=least, le=most)]
    elif python is float:
        python = Annotated[float, pydantic.Field(strict=True, allow_inf_nan=False)]
    elif python is decimal.Decimal:
        python = Annotated[decimal.Decimal, pydantic.AfterValidator(_check_decimal)]
    elif python is dt.time:
        python = Annotated[dt.time, pydantic.AfterValidator(_check_time)]
    elif python is bool:
        python = pydantic.StrictBool
    elif python is str:
        python = Annotated[str, pydantic.AfterValidator(check_text)]
    return python | None if column.nullable else python
