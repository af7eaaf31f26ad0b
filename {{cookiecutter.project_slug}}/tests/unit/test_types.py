"""The types of JSON fields, whether an entity has a field of them or not."""

import datetime as dt
import decimal
import math
from typing import Annotated, Any

import pydantic
import pytest

from src.models import types
from src.models.base import Schema
from tests import values

CONFIG = pydantic.ConfigDict(strict=True, allow_inf_nan=False)
TYPES: dict[str, Any] = {
    "integer": types.Integer,
    "date": types.Date,
    "time": types.Time,
    "datetime": types.DateTime,
    "email": types.Email,
    "url": types.URL,
    "json": types.JSON,
    "ids": types.Ids,
    "string": Annotated[str, pydantic.AfterValidator(types.check_text)],
}
ADAPTERS = {
    name: pydantic.TypeAdapter[Any](kind, config=CONFIG) for name, kind in TYPES.items()
}
ACCEPTED = {
    **values.ACCEPTED,
    "integer": [0, types.BIGINT_MIN, types.BIGINT_MAX],
    "url": ["http://a", "HTTPS://EXAMPLE.com/ä?b=c#d", "http://127.0.0.1:8000"],
    "string": ["", "AT&T", "a < b", "é", "🙂", "\u2028", "\x85"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, v) for name in TYPES for v in ACCEPTED[name]]
)
def test_value_is_accepted(name: str, value: Any) -> None:
    taken = ADAPTERS[name].validate_python(value)
    assert ADAPTERS[name].validate_python(taken) == taken
    if name not in ("time", "datetime"):
        assert ADAPTERS[name].dump_python(taken, mode="json") == value


@pytest.mark.parametrize(
    ("name", "value"), [(name, v) for name in TYPES for v in values.REFUSED[name]]
)
def test_value_is_refused(name: str, value: Any) -> None:
    with pytest.raises(pydantic.ValidationError):
        ADAPTERS[name].validate_python(value)


def test_datetimes_become_utc() -> None:
    taken = ADAPTERS["datetime"].validate_python("2026-01-31t13:30:00.5+05:30")
    assert taken.isoformat() == "2026-01-31T08:00:00.500000+00:00"
    assert taken.tzinfo is dt.UTC


def test_a_datetime_without_an_offset_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="offset"):
        ADAPTERS["datetime"].validate_python(dt.datetime(2026, 1, 31))


def test_lone_surrogates_are_refused() -> None:
    for name, value in (("string", "\ud800"), ("json", {"a": ["\udfff"]})):
        with pytest.raises(pydantic.ValidationError):
            ADAPTERS[name].validate_python(value)


class Priced(Schema):
    """A decimal as a schema declares it."""

    price: Annotated[
        decimal.Decimal | None,
        pydantic.Field(max_digits=18, decimal_places=2),
        types.Digits(18, 2),
    ]


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("1234567890123456.78", "1234567890123456.78"),
        (1234567890123456, "1234567890123456.00"),
        (1234567890123.45, "1234567890123.45"),
        (1.50, "1.50"),
        (1e3, "1000.00"),
        ("0e-20000", "0.00"),
        ("-0e999999999", "0.00"),
        (f"0.1{20_000 * '0'}", "0.10"),
    ],
)
def test_decimals_keep_their_value_and_have_all_digits(sent: Any, taken: str) -> None:
    assert str(Priced(price=sent).price) == taken


def test_a_decimal_may_be_null() -> None:
    assert Priced(price=None).price is None


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (1234567890123456.78, "decimal_number"),
        (12345678901234.56, "decimal_number"),
        (0.125, "decimal_max_places"),
        (math.nan, "finite_number"),
        (True, "decimal_type"),
        ("ten", "decimal_parsing"),
    ],
)
def test_decimals_that_cannot_be_kept_are_refused(sent: Any, kind: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Priced(price=sent)
    assert [error["type"] for error in caught.value.errors()] == [kind]
