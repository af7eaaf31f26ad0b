"""The types of JSON fields, where Python's own types say too little.

FastAPI parses a body before it validates it, so a date, a UUID or a decimal arrives
here as the string that JSON has for it.
"""

import datetime as dt
import decimal
import math
import re
import sys
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema

BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1
MAX_JSON_DEPTH = 64

DATE = r"\d{4}-\d{2}-\d{2}"
TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
LOCAL_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
OFFSET = r"([Zz]|[+-]\d{2}:?\d{2})"
# PostgreSQL's timestamptz is wider, but a client in any offset must be able to
# write the instant down: the first and the last year are left out.
EARLIEST = dt.datetime(2, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)

_DATE = re.compile(DATE, re.ASCII)
_TIME = re.compile(TIME, re.ASCII)
_DATETIME = re.compile(f"{DATE}[Tt ]{TIME}{OFFSET}", re.ASCII)
# What is beyond it, once its zeros are gone, no column holds; no driver takes it either.
MAX_EXPONENT = 1_000
_EXACT = decimal.Context(
    prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX
)
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ABSOLUTE_URL = re.compile(r"""(?i:https?)://[^\s/?#<>"\\^`{|}][^\s<>"\\^`{|}]*""")
# Not HttpUrl, whose length is bounded: a field's own `max_length` is the limit.
_HTTP_URL: pydantic.TypeAdapter[pydantic.AnyUrl] = pydantic.TypeAdapter(
    Annotated[
        pydantic.AnyUrl,
        pydantic.UrlConstraints(allowed_schemes=["http", "https"], host_required=True),
    ]
)


def _read_date(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _DATE.fullmatch(value):
        raise PydanticCustomError("date_parsing", "Write a date as 2026-01-31")
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("date_parsing", "There is no such date") from error


def _read_time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _TIME.fullmatch(value):
        raise PydanticCustomError(
            "time_parsing", "Write a time as 13:30:00, with no offset"
        )
    try:
        return dt.time.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("time_parsing", "There is no such time") from error


def _read_datetime(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _DATETIME.fullmatch(value):
        raise PydanticCustomError(
            "datetime_parsing",
            "Write a datetime with its offset, as 2026-01-31T13:30:00Z",
        )
    try:
        return dt.datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise PydanticCustomError(
            "datetime_parsing", "There is no such date and time"
        ) from error


def _to_utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("timezone_aware", "The datetime needs an offset")
    try:
        value = value.astimezone(dt.UTC)
    except OverflowError:
        value = LATEST
    if not EARLIEST <= value < LATEST:
        raise PydanticCustomError(
            "datetime_range", "The datetime must lie between the years 2 and 9998"
        )
    return value


def _check_url(value: str) -> str:
    """Refuse what is no absolute http(s) URL; what is one stays as it was sent.

    Pydantic mends, as browsers do: a space, a line end, a missing slash.
    """
    if not _ABSOLUTE_URL.fullmatch(value):
        raise PydanticCustomError(
            "url_parsing", "Write an absolute URL, as https://example.com/page"
        )
    _HTTP_URL.validate_python(value)
    return value


def _check_email(value: str) -> str:
    """Refuse what is no address.

    Not EmailStr, which looks for its library in each field of each schema anew.
    """
    try:
        _, address = pydantic.validate_email(value)
    except PydanticCustomError:
        address = ""
    # Its message repeats what was sent; "Name <a@b.com>" has a name, and is no address.
    if not address or "<" in value or value != value.strip():
        raise PydanticCustomError(
            "value_error", "Write an e-mail address, as name@example.com"
        )
    return address


def _check_json(value: Any) -> Any:
    """Refuse what PostgreSQL's jsonb or a JSON document cannot hold.

    And null itself: a field that may be null says so beside this type.
    """
    if value is None:
        raise PydanticCustomError("json_null", "The value may not be null")
    level, depth = [value], 0
    while level:  # level by level: a document may have half a million items
        depth += 1
        if depth > MAX_JSON_DEPTH:
            raise PydanticCustomError(
                "json_depth", f"JSON may be nested at most {MAX_JSON_DEPTH} deep"
            )
        level = _check_json_level(level)
    return value


def _check_json_level(items: list[Any]) -> list[Any]:
    """Judge what is no list and no object; return what those hold."""
    below: list[Any] = []
    for item in items:
        if isinstance(item, str):
            check_text(item)
        elif isinstance(item, list):
            below += item
        elif isinstance(item, dict):
            below += item.values()
            for key in item:
                check_text(key)
        elif isinstance(item, float) and not math.isfinite(item):
            raise PydanticCustomError("finite_number", "JSON knows no NaN or Infinity")
    return below


def check_text(value: str) -> str:
    """Refuse what PostgreSQL cannot store: NUL, and halves of surrogate pairs."""
    if "\x00" in value or (not value.isascii() and _SURROGATE.search(value)):
        raise PydanticCustomError(
            "text_characters", "Text may hold no NUL and no lone surrogate"
        )
    return value


def _check_ids(value: list[uuid.UUID]) -> list[uuid.UUID]:
    if len(set(value)) < len(value):
        raise PydanticCustomError("unique_items", "Name each id once")
    return value


def _read_decimal(value: Any) -> Any:
    """Read a JSON string or number; refuse a number that may have lost digits before.

    Fractions of JSON numbers arrive as doubles, which keep 15 digits and not always a
    16th.
    """
    if value is None or isinstance(value, decimal.Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticKnownError("decimal_type")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise PydanticKnownError("decimal_parsing")  # Python reads 1_000 and ٥ too
    try:
        # JSON's 1e3 arrives as 1000.0, whose .0 nobody has sent.
        text = repr(value).removesuffix(".0") if isinstance(value, float) else value
        number = decimal.Decimal(text)
    except (decimal.DecimalException, ValueError) as error:
        raise PydanticKnownError("decimal_parsing") from error
    if number.is_finite() and abs(int(number.as_tuple().exponent)) > MAX_EXPONENT:
        number = number.normalize(_EXACT)  # 0e-20000 is 0, and 0.1000… is 0.1
    digits = number.normalize().as_tuple().digits if isinstance(value, float) else ()
    if len(digits) > sys.float_info.dig:
        raise PydanticCustomError(
            "decimal_number",
            "A number keeps 15 digits; send one of more digits as a string",
        )
    return number


class Int64:
    """An integer that PostgreSQL's bigint can hold; write it behind the field's limits.

    Not by `ge` and `le`: FastAPI writes these into OpenAPI as floats, and 2**63 - 1 would
    read as 2**63.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._check, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        for way in (described, *described.get("anyOf", ())):
            if way.get("type") == "integer":
                way["format"] = "int64"
        return described

    @staticmethod
    def _check(value: int | None) -> int | None:
        if value is not None and not BIGINT_MIN <= value <= BIGINT_MAX:
            raise PydanticCustomError(
                "integer_range",
                f"The integer must lie between {BIGINT_MIN} and {BIGINT_MAX}",
            )
        return value


@dataclass(frozen=True)
class Digits:
    """A decimal of so many digits, of which `scale` stand after the point.

    Its value is the number as the database stores it: 0.5 becomes 0.50. Write it behind
    the field's limits: `Annotated[Decimal, Field(max_digits=12, …), Digits(12, 2)]`.
    """

    precision: int
    scale: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        limited = handler(source)
        read = core_schema.no_info_before_validator_function(_read_decimal, limited)
        return core_schema.no_info_after_validator_function(self._quantize, read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell OpenAPI how large the number may be, as JSON Schema counts no digits."""
        described = handler(schema)
        most = float(10 ** min(self.precision - self.scale, 308))
        for way in described.get("anyOf", ()):
            if way["type"] == "number":
                if not {"minimum", "exclusiveMinimum"} & way.keys():
                    way["exclusiveMinimum"] = -most
                if not {"maximum", "exclusiveMaximum"} & way.keys():
                    way["exclusiveMaximum"] = most
            elif way["type"] == "string":
                way["pattern"] = GenerateJsonSchema().build_decimal_pattern(
                    core_schema.decimal_schema(
                        max_digits=self.precision + (self.precision == self.scale),
                        decimal_places=self.scale,
                    )
                )
        return described

    def _quantize(self, value: decimal.Decimal | None) -> decimal.Decimal | None:
        if value is None:
            return None
        number = value.quantize(decimal.Decimal(1).scaleb(-self.scale), context=_EXACT)
        return number or abs(number)  # there is no -0 in PostgreSQL


_SURROGATE = re.compile("[\ud800-\udfff]")

INT64 = Int64()
Integer: TypeAlias = Annotated[int, INT64]
UUID: TypeAlias = Annotated[uuid.UUID, pydantic.Strict(False)]
Date: TypeAlias = Annotated[dt.date, pydantic.BeforeValidator(_read_date)]
# JSON Schema's own format "time" requires an offset, which these times do not have.
Time: TypeAlias = Annotated[
    dt.time,
    pydantic.BeforeValidator(_read_time),
    pydantic.WithJsonSchema(
        {"type": "string", "format": "time-local", "pattern": LOCAL_TIME}
    ),
]
DateTime: TypeAlias = Annotated[
    dt.datetime,
    pydantic.BeforeValidator(_read_datetime),
    pydantic.AfterValidator(_to_utc),
]
Email: TypeAlias = Annotated[
    str,
    pydantic.AfterValidator(_check_email),
    pydantic.Field(max_length=320, json_schema_extra={"format": "email"}),
]
URL: TypeAlias = Annotated[
    str,
    pydantic.AfterValidator(_check_url),
    pydantic.Field(json_schema_extra={"format": "uri"}),
]
Ids: TypeAlias = Annotated[
    list[UUID],
    pydantic.AfterValidator(_check_ids),
    pydantic.Field(max_length=1000, json_schema_extra={"uniqueItems": True}),
]
JSON: TypeAlias = Annotated[
    Any,
    pydantic.AfterValidator(_check_json),
    pydantic.WithJsonSchema({"not": {"type": "null"}}),
]
# In answers: what is stored is not checked again.
StoredInteger: TypeAlias = Annotated[
    int, pydantic.WithJsonSchema({"type": "integer", "format": "int64"})
]
