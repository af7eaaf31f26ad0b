"""The types of JSON fields for which Python's own types are not strict enough.

FastAPI parses a body before it validates it, so a date, a UUID or a decimal is still the
string of the JSON document here.
"""

import base64
import datetime as dt
import decimal
import math
import re
import sys
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, LiteralString, TypeAlias, TypeVar

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema

BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1
MAX_JSON_DEPTH = 64
# The last character before the padding has no bits that would be lost.
_PADDED = "[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]="
BASE64_PATTERN = f"([A-Za-z0-9+/]{{4}})*({_PADDED})?"
TEXT_ID_PATTERN = "^[A-Za-z0-9._~-]+$"

MAX_LINKS = 1_000  # ids in one list, and rows that one row is linked to
MAX_EXACT = 2**53 - 1  # a larger integer may have been rounded to a double (RFC 8259)

# ISO 8601, also as .NET, Java and Go write it; [0-9] because these are in OpenAPI, too.
_DAY = "-[0-9]{2}-[0-9]{2}"
DATE = f"[0-9]{{4}}{_DAY}"
TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
OFFSET = "([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
FRACTION = "A second has up to nine decimal places, of which six are kept."
_CLOCKED = f"[Tt ]{TIME} ?{OFFSET}"
DATETIME = f"{DATE}{_CLOCKED}"
# The years of EARLIEST to LATEST, for OpenAPI.
_YEAR = "(000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|"
_YEAR += "9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
# PostgreSQL's timestamptz has a wider range. But any instant must have a valid year in
# every offset, so the first and the last year of Python's datetime are left out.
EARLIEST = dt.datetime(2, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)

_DATE = re.compile(DATE)
_TIME = re.compile(TIME)
_DATETIME = re.compile(DATETIME)
# The parts of a text that is not a valid time: to say what is wrong.
_CLOCK = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]*))?)? ?(.*)"
_TIME_PARTS = re.compile(_CLOCK)
_DATETIME_PARTS = re.compile(f"{DATE}[Tt ]{_CLOCK}")
# No column can store a larger exponent, and no driver accepts one.
MAX_EXPONENT = 1_000
_EXACT = decimal.Context(
    prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX
)
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ABSOLUTE_URL = re.compile(r"""(?i:https?)://[^\s/?#<>"\\^`{|}][^\s<>"\\^`{|}]*""")
# Not HttpUrl, which limits the length: a field's own `max_length` is the limit.
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
        only = ", without a time" if _DATE.match(value) else ""
        raise PydanticCustomError("date_parsing", f"Write a date as 2026-01-31{only}")
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("date_parsing", "The date does not exist") from error


def _read_time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _TIME.fullmatch(value):
        parts = _TIME_PARTS.fullmatch(value)
        problem = parts and _wrong_clock(parts)
        raise PydanticCustomError(
            "time_parsing", problem or "Write a time as 13:30:00, without an offset"
        )
    return dt.time.fromisoformat(value)  # it cuts the digits after microseconds


def _read_datetime(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _DATETIME.fullmatch(value):
        raise PydanticCustomError("datetime_parsing", _wrong_datetime(value))
    text = f"{value[:10]}T{value[11:].replace(' ', '')}"
    try:
        return dt.datetime.fromisoformat(text.upper())
    except ValueError as error:  # for example the 30th of February
        raise PydanticCustomError(
            "datetime_parsing", "The date does not exist"
        ) from error


def _wrong_datetime(text: str) -> LiteralString:
    """Return what is wrong with a datetime that does not match its pattern."""
    parts = _DATETIME_PARTS.fullmatch(text)
    if parts is None:
        return "Write a datetime with its offset, as 2026-01-31T13:30:00Z"
    if problem := _wrong_clock(parts):
        return problem
    if not parts[5]:
        return "The datetime has no offset; append Z for UTC, or one such as +01:00"
    return "Write the offset as Z, +01:00, +0100 or +01, and nothing after it"


def _wrong_clock(parts: re.Match[str]) -> LiteralString | None:
    hour, minute, second, fraction, _ = parts.groups(default="0")
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        return "Hours go up to 23, minutes and seconds up to 59"
    if not 1 <= len(fraction) <= 9:
        return "The fraction of a second has 1 to 9 digits"
    return None


def _to_utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("timezone_aware", "The datetime needs an offset")
    try:
        value = value.astimezone(dt.UTC)
    except OverflowError:
        value = LATEST
    if not EARLIEST <= value < LATEST:
        raise PydanticCustomError(
            "datetime_range", "The datetime must be between the years 2 and 9998"
        )
    return value


def _check_url(value: str) -> str:
    """Return the value unchanged if it is an absolute http(s) URL.

    Pydantic's own types correct URLs as browsers do: spaces, line ends, slashes.
    """
    if not _ABSOLUTE_URL.fullmatch(value):
        raise PydanticCustomError(
            "url_parsing", "Write an absolute URL, as https://example.com/page"
        )
    _HTTP_URL.validate_python(value)
    return value


def _check_email(value: str) -> str:
    """Return the value if it is an email address.

    EmailStr does the same, but looks for its library again for each field.
    """
    try:
        _, address = pydantic.validate_email(value)
    except PydanticCustomError:
        address = ""
    # Pydantic's message has the value in it. It also accepts "Name <a@b.com>".
    if not address or "<" in value or value != value.strip():
        raise PydanticCustomError(
            "value_error", "Write an email address, as name@example.com"
        )
    return address


def _check_json(value: Any) -> Any:
    """Reject null, and values that JSON or PostgreSQL's jsonb cannot store.

    A field that may be null has `| None` next to this type.
    """
    if value is None:
        raise PydanticCustomError("json_null", "The value may not be null")
    level, depth = [value], 0
    while level:  # level by level: a document may have half a million items
        depth += 1
        if depth > MAX_JSON_DEPTH:
            raise PydanticCustomError(
                "json_depth",
                f"JSON may have at most {MAX_JSON_DEPTH} levels of nesting",
            )
        level = _check_json_level(level)
    return value


def _check_json_level(items: list[Any]) -> list[Any]:
    """Check the values of one level; return those of the next level."""
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
            raise PydanticCustomError("finite_number", "JSON has no NaN or Infinity")
    return below


def check_text(value: str) -> str:
    """Reject characters that PostgreSQL cannot store: NUL and lone surrogates."""
    if "\x00" in value or (not value.isascii() and _SURROGATE.search(value)):
        raise PydanticCustomError(
            "text_characters", "Text must not contain NUL or lone surrogates"
        )
    return value


def _check_ids(value: list[Any]) -> list[Any]:
    if len(set(value)) < len(value):
        raise PydanticCustomError("unique_items", "The list has a duplicate id")
    return value


def _read_decimal(value: Any) -> Any:
    """Read a JSON string or number; reject a number that may have lost digits.

    JSON numbers with a fraction are parsed as doubles, which keep 15 digits and not
    always a 16th.
    """
    if value is None or isinstance(value, decimal.Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticKnownError("decimal_type")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise PydanticKnownError("decimal_parsing")  # Python also accepts 1_000 and ٥
    try:
        # JSON's 1e3 is parsed as 1000.0, but no .0 was sent.
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
            "A number has at most 15 digits; send more digits as a string",
        )
    return number


def _read_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        data = None
    if data is None or _write_base64(data) != value:
        raise PydanticCustomError(
            "base64_parsing", "Write bytes as base64 with padding, such as AAEC/w=="
        )
    return data


def _write_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _read_integer(value: Any) -> Any:
    """Read 5.0 and 5e0 as 5, which JSON's parser returns as a float."""
    if not isinstance(value, float) or not value.is_integer():
        return value
    if abs(value) > MAX_EXACT:
        raise PydanticCustomError(
            "integer_number",
            f"Write an integer beyond {MAX_EXACT} without a fraction or exponent",
        )
    return int(value)


@dataclass(frozen=True)
class Bits:
    """An integer of 16, 32 or 64 bits, as PostgreSQL's smallint, integer and bigint.

    Write it after the field's limits. As in JSON Schema, 5.0 is an integer. It does not
    use `ge` and `le`: FastAPI writes these into OpenAPI as floats, and 2**63 - 1 would
    become 2**63.
    """

    bits: int

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        read = core_schema.no_info_before_validator_function(
            _read_integer, handler(source)
        )
        return core_schema.no_info_after_validator_function(self._check, read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        for way in (described, *described.get("anyOf", ())):
            if way.get("type") == "integer":
                way["format"] = "int64" if self.bits == 64 else "int32"
                if self.bits < 64:  # a field's own limits can be wider
                    least, most = self.range
                    way["minimum"] = max(least, way.get("minimum", least))
                    way["maximum"] = min(most, way.get("maximum", most))
        return described

    def _check(self, value: int | None) -> int | None:
        least, most = self.range
        if value is not None and not least <= value <= most:
            raise PydanticCustomError(
                "integer_range", f"The integer must be between {least} and {most}"
            )
        return value


class TextId:
    """An id that is a string: one segment of a URL path for every client and proxy.

    Write it after the limits: otherwise OpenAPI would have one pattern of the two.
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
        if "pattern" in described:
            described["allOf"] = [{"pattern": TEXT_ID_PATTERN}]
        else:
            described["pattern"] = TEXT_ID_PATTERN
        described["not"] = {"enum": [".", ".."]}
        return described

    @staticmethod
    def _check(value: str) -> str:
        if not re.fullmatch(TEXT_ID_PATTERN[1:-1], value) or value in (".", ".."):
            raise PydanticCustomError(
                "id_characters", "An id consists of A-Z, a-z, 0-9 and ._~-"
            )
        return value


class Base64:
    """Bytes that are base64 with padding in JSON, as RFC 4648 has it in section 4.

    Write it after the limits: these count bytes, and OpenAPI gets those of the text.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(
            _read_base64,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _write_base64, when_used="json-unless-none"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        for way in (described, *described.get("anyOf", ())):
            if way.get("type") == "string":
                for key in ("format", "contentMediaType"):  # Pydantic's, and FastAPI's
                    way.pop(key, None)
                way |= {"contentEncoding": "base64", "pattern": f"^{BASE64_PATTERN}$"}
                if "maxLength" in way:
                    way["maxLength"] = -(-way["maxLength"] // 3) * 4
        return described


@dataclass(frozen=True)
class Digits:
    """A decimal with `precision` digits, `scale` of them after the decimal point.

    The value gets the form in which the database stores it: 0.5 becomes 0.50. Write it
    after the field's limits: `Annotated[Decimal, Field(max_digits=12, …), Digits(12, 2)]`.
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
        """Add bounds to OpenAPI, because JSON Schema has no limits of digits."""
        described = handler(schema)
        ways = {way["type"]: way for way in described.get("anyOf", ())}
        if not ways.keys() >= {"number", "string"}:
            return described
        number, text = ways["number"], ways["string"]
        most = float(10 ** min(self.precision - self.scale, 308))
        if not {"minimum", "exclusiveMinimum"} & number.keys():
            number["exclusiveMinimum"] = -most
        if not {"maximum", "exclusiveMaximum"} & number.keys():
            number["exclusiveMaximum"] = most
        text["pattern"] = GenerateJsonSchema().build_decimal_pattern(
            core_schema.decimal_schema(
                max_digits=self.precision + (self.precision == self.scale),
                decimal_places=self.scale,
            )
        )
        if number.get("minimum", number.get("exclusiveMinimum")) >= 0:
            text["pattern"] = text["pattern"].replace("^[+-]?", r"^\+?")
        return described

    def _quantize(self, value: decimal.Decimal | None) -> decimal.Decimal | None:
        if value is None:
            return None
        number = value.quantize(decimal.Decimal(1).scaleb(-self.scale), context=_EXACT)
        return number or abs(number)  # PostgreSQL has no -0


_SURROGATE = re.compile("[\ud800-\udfff]")

TEXT_ID, BASE64 = TextId(), Base64()
INT16, INT32, INT64 = Bits(16), Bits(32), Bits(64)
SmallInteger: TypeAlias = Annotated[int, INT16]
Integer32: TypeAlias = Annotated[int, INT32]
Integer: TypeAlias = Annotated[int, INT64]
UUID: TypeAlias = Annotated[uuid.UUID, pydantic.Strict(False)]
Date: TypeAlias = Annotated[dt.date, pydantic.BeforeValidator(_read_date)]
# JSON Schema's own format "time" requires an offset, which these times do not have.
Time: TypeAlias = Annotated[
    dt.time,
    pydantic.BeforeValidator(_read_time),
    pydantic.WithJsonSchema(
        {
            "type": "string",
            "format": "time-local",
            "pattern": f"^{TIME}$",
            "description": f"Without an offset. {FRACTION}",
        }
    ),
]
DateTime: TypeAlias = Annotated[
    dt.datetime,
    pydantic.BeforeValidator(_read_datetime),
    pydantic.AfterValidator(_to_utc),
    pydantic.WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": f"^{_YEAR}{_DAY}{_CLOCKED}$",
            "description": f"With an offset, stored in UTC. {FRACTION}",
        }
    ),
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
ItemT = TypeVar("ItemT")
IdsOf: TypeAlias = Annotated[
    list[ItemT],
    pydantic.AfterValidator(_check_ids),
    pydantic.Field(max_length=MAX_LINKS, json_schema_extra={"uniqueItems": True}),
]
Ids: TypeAlias = IdsOf[UUID]
JSON: TypeAlias = Annotated[
    Any,
    pydantic.AfterValidator(_check_json),
    pydantic.WithJsonSchema({"not": {"type": "null"}}),
]
# In responses, stored values are not checked again.
StoredInteger: TypeAlias = Annotated[
    int, pydantic.WithJsonSchema({"type": "integer", "format": "int64"})
]
StoredInteger32: TypeAlias = Annotated[
    int, pydantic.WithJsonSchema({"type": "integer", "format": "int32"})
]
StoredBinary: TypeAlias = Annotated[
    bytes,
    pydantic.PlainSerializer(_write_base64, when_used="json"),
    pydantic.WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
