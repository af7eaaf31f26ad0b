"""The field types: their keys, their JSON Schema, and how a default is checked."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scaffold.spec.model import Field
from scaffold.spec.vocabulary import default_values, keys
from scaffold.spec.vocabulary.keys import Json, Key

STRING_LENGTH = 255
EMAIL_LENGTH = 320
URL_LENGTH = 2048
SHORTEST_URL = len("http://a")
MAX_STRING = 10_485_760
MAX_TEXT = 268_435_455
MAX_PRECISION = 1000
BINARY_LENGTH = 65_536
# Three quarters of the size limit of requests: base64 has four characters for three bytes.
MAX_BINARY = 786_432
INT64 = 2**63
# An index entry of PostgreSQL holds 2,704 bytes; this leaves room for its header, and for
# the UUID that most indexes end with.
INDEX_BYTES = 2_600
INDEXED_LENGTH = 600
# A cursor has the values that a list is sorted by, and is part of a URL: 2 KB in base64.
SORTED_BYTES = 1_500


@dataclass(frozen=True)
class FieldType:
    """A field type; `index_bytes` is the most bytes that a value takes in an index.

    With `null_filter`, lists can be filtered by whether it is null, without an index.
    """

    description: str
    default: Callable[[object, Field], object]
    default_schema: Json
    keys: Mapping[str, Key] = field(default_factory=dict)
    length: int | None = None
    max_length: int = 0
    indexable: bool = True
    null_filter: bool = False
    index_bytes: Callable[[Field], int] = lambda field: 8
    markup: str | None = None


def _count(least: int, most: int) -> Json:
    return {"type": "integer", "minimum": least, "maximum": most}


def _text_keys(most: int, markup: str) -> dict[str, Key]:
    kinds = "; ".join(f"{kind}: {what}" for kind, what in keys.MARKUP.items())
    return {
        "min_length": Key(
            "count", "The minimum number of characters.", _count(0, most)
        ),
        "max_length": Key(
            "count", "The maximum number of characters.", _count(1, most)
        ),
        "pattern": Key(
            "pattern",
            "A regular expression that must match a part of the value; anchor it with "
            "^ and $ to match whole values. Python's re and Rust's regex must both "
            "support it.",
            {"type": "string", "maxLength": 4096},
        ),
        "markup": Key(
            "markup",
            f"What happens to HTML in the text. {kinds} By default {markup}.",
            {"enum": [*keys.MARKUP]},
        ),
    }


def _bounds(kind: str, schema: Json) -> dict[str, Key]:
    meanings = {
        "gt": "greater than",
        "ge": "greater than or equal to",
        "lt": "less than",
        "le": "less than or equal to",
    }
    return {
        key: Key(kind, f"The value must be {meaning} this.", schema)
        for key, meaning in meanings.items()
    }


def _characters(width: int) -> Callable[[Field], int]:
    return lambda field: width * (field.max_length or 0)


_INTEGER: Json = {"type": "integer", "minimum": -INT64, "maximum": INT64 - 1}
_DECIMAL: Json = {
    "type": ["number", "string"],
    "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
}
_NUMBER: Json = {
    "type": "number",
    "minimum": -sys.float_info.max,
    "maximum": sys.float_info.max,
}
_TEXT: Json = {"type": "string"}


def _like(pattern: str, form: str = "") -> Json:
    """Return the schema of a string that matches; `form` is its format."""
    named = {"format": form} if form else {}
    return {"type": "string", **named, "pattern": f"^{pattern}$"}


TYPES: dict[str, FieldType] = {
    "string": FieldType(
        "A string of limited length: varchar(n).",
        default_values.text,
        _TEXT,
        _text_keys(MAX_STRING, "strip")
        | {"case_insensitive": keys.CASE_INSENSITIVE}
        | keys.ARRAY,
        markup="strip",
        length=STRING_LENGTH,
        max_length=MAX_STRING,
        index_bytes=_characters(4),
    ),
    "text": FieldType(
        "A string of any length; it cannot be unique or indexed.",
        default_values.text,
        _TEXT,
        _text_keys(MAX_TEXT, "basic") | keys.ARRAY,
        markup="basic",
        max_length=MAX_TEXT,
        indexable=False,
    ),
    "integer": FieldType(
        "An integer of 64 bits (bigint), or of 32 or 16.",
        default_values.integer,
        _INTEGER,
        _bounds("integer", _INTEGER)
        | {
            "multiple_of": Key(
                "count", "The value must be a multiple of this.", _count(1, INT64 - 1)
            ),
            "bits": Key(
                "bits",
                "16 (smallint), 32 (integer) or 64 (bigint, the default).",
                {"enum": list(keys.BITS)},
            ),
        }
        | keys.ARRAY,
        index_bytes=lambda field: field.bits // 8,
    ),
    "float": FieldType(
        "A floating-point number: double precision.",
        default_values.floating,
        _NUMBER,
        _bounds("number", _NUMBER) | keys.ARRAY,
    ),
    "decimal": FieldType(
        "An exact decimal, a string in JSON responses: numeric(precision, scale).",
        default_values.exact,
        _DECIMAL,
        {
            "precision": Key(
                "count",
                "The number of digits before and after the point; 18 by default.",
                _count(1, MAX_PRECISION),
            ),
            "scale": Key(
                "count",
                "The number of digits after the point; 2 by default.",
                _count(0, MAX_PRECISION),
            ),
        }
        | _bounds("decimal", _DECIMAL)
        | keys.ARRAY,
        index_bytes=lambda field: field.precision // 2 + 12,
    ),
    "boolean": FieldType(
        "true or false.", default_values.boolean, {"type": "boolean"}, keys.ARRAY
    ),
    "date": FieldType(
        "A date: YYYY-MM-DD.",
        default_values.date,
        _like(default_values.DATE, "date"),
        keys.ARRAY,
    ),
    "time": FieldType(
        "A time of day without a time zone: HH:MM:SS.",
        default_values.time,
        _like(default_values.TIME),
    ),
    "datetime": FieldType(
        "A date and time with an offset, stored in UTC: timestamptz.",
        default_values.datetime,
        _like(default_values.DATETIME),
        keys.ARRAY,
    ),
    "uuid": FieldType(
        "A UUID.",
        default_values.uuid,
        _like(default_values.UUID, "uuid"),
        keys.ARRAY,
        index_bytes=lambda field: 16,
    ),
    "enum": FieldType(
        "One of the strings in values: varchar with a CHECK constraint.",
        default_values.choice,
        _TEXT,
        {
            "values": Key(
                "values",
                "The allowed values: unique strings that are not empty.",
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1000,
                    "uniqueItems": True,
                    "items": {"type": "string", "minLength": 1, "maxLength": 255},
                },
            )
        }
        | keys.ARRAY,
        index_bytes=lambda field: max(len(value.encode()) for value in field.values),
    ),
    "email": FieldType(
        "An email address: varchar(320).",
        default_values.email,
        _like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "email"),
        {"case_insensitive": keys.CASE_INSENSITIVE, **keys.ARRAY},
        length=EMAIL_LENGTH,
        max_length=EMAIL_LENGTH,
        index_bytes=_characters(1),
    ),
    "url": FieldType(
        "An absolute http or https URL, returned as it was sent: varchar(n).",
        default_values.url,
        _like(default_values.URL, "uri"),
        {
            "max_length": Key(
                "count",
                "The maximum number of characters; 2048 by default.",
                _count(SHORTEST_URL, 65_536),
            ),
            **keys.ARRAY,
        },
        length=URL_LENGTH,
        max_length=65_536,
        index_bytes=_characters(1),
    ),
    "json": FieldType(
        "Any JSON value: jsonb; it cannot be unique or indexed.",
        default_values.anything,
        {},
        indexable=False,
    ),
    "binary": FieldType(
        "Bytes, base64 with padding in JSON: bytea; lists leave it out.",
        default_values.binary,
        _like(default_values.BASE64),
        {
            "max_length": Key(
                "count",
                "The maximum number of bytes; 65536 by default.",
                _count(1, MAX_BINARY),
            )
        },
        length=BINARY_LENGTH,
        max_length=MAX_BINARY,
        indexable=False,
        null_filter=True,
    ),
}
