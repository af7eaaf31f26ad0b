"""The types of JSON fields, whether an entity has a field of them or not."""

import base64
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
    "binary": Annotated[bytes, types.BASE64],
    "string": Annotated[str, pydantic.AfterValidator(types.check_text)],
}
ADAPTERS = {
    name: pydantic.TypeAdapter[Any](kind, config=CONFIG) for name, kind in TYPES.items()
}
EVERY_BYTE = base64.b64encode(bytes(range(256))).decode()
ACCEPTED = {
    **values.ACCEPTED,
    "integer": [0, types.BIGINT_MIN, types.BIGINT_MAX],
    "binary": ["", "AA==", "AAE=", "AAEC", "+/+/", EVERY_BYTE],
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


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("2026-01-31t13:30:00.5+05:30", "2026-01-31T08:00:00.500000+00:00"),
        ("2026-01-31T13:30:00.1234567Z", "2026-01-31T13:30:00.123456+00:00"),  # .NET
        ("2026-01-31T13:30:00.123456789z", "2026-01-31T13:30:00.123456+00:00"),  # Go
        ("2026-01-31T13:30+0100", "2026-01-31T12:30:00+00:00"),  # Java
        ("2026-01-31 13:30:00 -0330", "2026-01-31T17:00:00+00:00"),  # Ruby
        ("2026-01-31 13:30:00,5+01", "2026-01-31T12:30:00.500000+00:00"),
    ],
)
def test_datetimes_become_utc(sent: str, taken: str) -> None:
    value = ADAPTERS["datetime"].validate_python(sent)
    assert value.isoformat() == taken
    assert value.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        ("datetime", "2026-01-31T13:30:00", "The datetime has no offset"),
        ("datetime", "2026-01-31T13:30:00.Z", "The fraction of a second has 1 to 9"),
        ("datetime", "2026-01-31T24:00:00Z", "Hours go up to 23"),
        ("datetime", "2026-02-30T13:30:00Z", "The date does not exist"),
        ("datetime", "2026-01-31T13:30:00+1", "Write the offset as Z, \\+01:00"),
        ("datetime", "31.01.2026 13:30", "Write a datetime with its offset"),
        ("time", "13:30:00.1234567890", "The fraction of a second has 1 to 9"),
        ("time", "13:60", "minutes and seconds up to 59"),
        ("time", "13:30Z", "without an offset"),
        ("date", "2026-01-31T00:00:00Z", "without a time"),
    ],
)
def test_what_is_wrong_with_a_date_or_time_is_said(
    name: str, sent: str, message: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        ADAPTERS[name].validate_python(sent)


@pytest.mark.parametrize(("sent", "taken"), [(5.0, 5), (-0.0, 0), (1e3, 1000)])
def test_a_number_without_a_fraction_is_an_integer(sent: float, taken: int) -> None:
    value = ADAPTERS["integer"].validate_python(sent)
    assert (type(value), value) == (int, taken)


def test_an_integer_that_may_have_been_rounded_is_refused() -> None:
    assert ADAPTERS["integer"].validate_python(2.0**53 - 1) == 2**53 - 1
    assert ADAPTERS["integer"].validate_python(2**53 + 1) == 2**53 + 1
    with pytest.raises(pydantic.ValidationError, match="without a fraction"):
        ADAPTERS["integer"].validate_python(2.0**53)


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
