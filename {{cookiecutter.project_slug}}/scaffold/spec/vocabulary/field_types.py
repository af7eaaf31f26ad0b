"""THE table of field types: what each is called, takes, defaults to and means."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scaffold.spec.model import Field
from scaffold.spec.vocabulary import default_values
from scaffold.spec.vocabulary.keys import Json, Key

STRING_LENGTH = 255
EMAIL_LENGTH = 320
URL_LENGTH = 2048
SHORTEST_URL = len("http://a")
MAX_STRING = 10_485_760
MAX_TEXT = 268_435_455
MAX_PRECISION = 1000
INT64 = 2**63
# What an index entry of PostgreSQL can hold, with room for its own header.
INDEX_BYTES = 2_600
INDEXED_LENGTH = 600


@dataclass(frozen=True)
class FieldType:
    """One type: its keys, the JSON of its default, and the size of an index entry."""

    description: str
    default: Callable[[object, Field], object]
    default_schema: Json
    keys: Mapping[str, Key] = field(default_factory=dict)
    length: int | None = None
    max_length: int = 0
    indexable: bool = True
    # The most bytes that a value takes in an index.
    index_bytes: Callable[[Field], int] = lambda field: 8


def _count(least: int, most: int) -> Json:
    return {"type": "integer", "minimum": least, "maximum": most}


def _lengths(most: int) -> dict[str, Key]:
    return {
        "min_length": Key("count", "The fewest characters.", _count(0, most)),
        "max_length": Key("count", "The most characters.", _count(1, most)),
        "pattern": Key(
            "pattern",
            "A regular expression that is found somewhere in the value; anchor it with "
            "^ and $ to match whole values. Python's re and Rust's regex must agree "
            "on it.",
            {"type": "string", "maxLength": 4096},
        ),
    }


def _bounds(kind: str, schema: Json) -> dict[str, Key]:
    meanings = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    return {
        key: Key(kind, f"The value is {meaning} this.", schema)
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
    """Text of a form; JSON Schema's own formats only where they take as much."""
    named = {"format": form} if form else {}
    return {"type": "string", **named, "pattern": f"^{pattern}$"}


TYPES: dict[str, FieldType] = {
    "string": FieldType(
        "Text of limited length: varchar(n).",
        default_values.text,
        _TEXT,
        _lengths(MAX_STRING),
        length=STRING_LENGTH,
        max_length=MAX_STRING,
        index_bytes=_characters(4),
    ),
    "text": FieldType(
        "Text of any length; it cannot be unique or indexed.",
        default_values.text,
        _TEXT,
        _lengths(MAX_TEXT),
        max_length=MAX_TEXT,
        indexable=False,
    ),
    "integer": FieldType(
        "A whole number of 64 bits: bigint.",
        default_values.integer,
        _INTEGER,
        _bounds("integer", _INTEGER)
        | {
            "multiple_of": Key(
                "count", "The value is a multiple of this.", _count(1, INT64 - 1)
            )
        },
    ),
    "float": FieldType(
        "A finite binary fraction: double precision.",
        default_values.floating,
        _NUMBER,
        _bounds("number", _NUMBER),
    ),
    "decimal": FieldType(
        "An exact decimal fraction, a string in JSON answers: numeric(p, s).",
        default_values.exact,
        _DECIMAL,
        {
            "precision": Key(
                "count",
                "All digits, before and after the point; 18 where left out.",
                _count(1, MAX_PRECISION),
            ),
            "scale": Key(
                "count",
                "The digits after the point; 2 where left out.",
                _count(0, MAX_PRECISION),
            ),
        }
        | _bounds("decimal", _DECIMAL),
        index_bytes=lambda field: field.precision // 2 + 12,
    ),
    "boolean": FieldType("true or false.", default_values.boolean, {"type": "boolean"}),
    "date": FieldType(
        "A day: YYYY-MM-DD.", default_values.date, _like(default_values.DATE, "date")
    ),
    "time": FieldType(
        "A time of day without offset: HH:MM:SS.",
        default_values.time,
        _like(default_values.TIME),
    ),
    "datetime": FieldType(
        "A moment with its offset, stored and answered in UTC: timestamptz.",
        default_values.datetime,
        _like(default_values.MOMENT),
    ),
    "uuid": FieldType(
        "A UUID.",
        default_values.uuid,
        _like(default_values.UUID, "uuid"),
        index_bytes=lambda field: 16,
    ),
    "enum": FieldType(
        "One of the texts in values: varchar with a CHECK.",
        default_values.choice,
        _TEXT,
        {
            "values": Key(
                "values",
                "What is allowed: different texts that are not empty.",
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1000,
                    "uniqueItems": True,
                    "items": {"type": "string", "minLength": 1, "maxLength": 255},
                },
            )
        },
        index_bytes=lambda field: max(len(value.encode()) for value in field.values),
    ),
    "email": FieldType(
        "An e-mail address, checked: varchar(320).",
        default_values.email,
        _like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "email"),
        length=EMAIL_LENGTH,
        max_length=EMAIL_LENGTH,
        index_bytes=_characters(1),
    ),
    "url": FieldType(
        "An absolute http or https URL, answered as it was sent.",
        default_values.url,
        _like(default_values.URL, "uri"),
        {
            "max_length": Key(
                "count",
                "The most characters; 2048 where left out.",
                _count(SHORTEST_URL, 65_536),
            )
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
}
