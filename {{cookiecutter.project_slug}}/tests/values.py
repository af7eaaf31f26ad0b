"""JSON values that each type accepts and refuses, whatever the limits of a field."""

import decimal
import math
from collections.abc import Mapping, Sequence
from typing import Any

from src.models.types import BIGINT_MAX, BIGINT_MIN, MAX_JSON_DEPTH

ID = "00000000-0000-0000-0000-000000000000"
NUL = "a\x00b"


def nested(depth: int) -> Any:
    """Return lists within lists, this deep."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


ACCEPTED: Mapping[str, Sequence[Any]] = {
    "boolean": [True, False],
    "date": ["0001-01-01", "2024-02-29", "9999-12-31"],
    "time": ["00:00", "13:30:15", "23:59:59.999999", "13:30:15.123456789"],
    "datetime": [
        "2026-01-31T13:30:00Z",
        "2026-01-31T13:30:00.123456+05:30",
        "2026-01-31t13:30:00.1234567z",
        "2026-01-31T13:30:00.123456789-0330",
        "2026-01-31 13:30+01",
        "0002-01-01T00:00:00Z",
        "9998-12-31T23:59:59.999999Z",
    ],
    "uuid": [
        ID,
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
    "email": ["someone@example.com", "first.last+tag@mail.example.org"],
    "binary": ["", "AA=="],
    "ids": [[], [ID]],
    "integer_ids": [[], [1]],
    "string_ids": [[]],
    "json": [
        {},
        [],
        "text",
        0,
        -1.5,
        True,
        {"a": [{"b": None}], "ключ": "🙂"},
        nested(MAX_JSON_DEPTH),
    ],
}

_NO_TEXT: tuple[Any, ...] = (5, 1.5, True, [], {}, NUL)
_NO_NUMBER: tuple[Any, ...] = (True, [], {}, math.nan, math.inf, -math.inf)
REFUSED: Mapping[str, Sequence[Any]] = {
    "string": _NO_TEXT,
    "text": _NO_TEXT,
    "enum": _NO_TEXT,
    "integer": [*_NO_NUMBER, "5", 1.5, BIGINT_MIN - 1, BIGINT_MAX + 1, 10**400],
    "float": [*_NO_NUMBER, "1.5", 10**400],
    "decimal": [
        *_NO_NUMBER,
        "",
        "abc",
        "NaN",
        "Infinity",
        "1e999999",
        "1_000",
        "٥",
        " 5",
    ],
    "boolean": ["yes", "true", 1, 0, 1.0, "", []],
    "date": [
        20260131,
        "31.01.2026",
        "2026-02-30",
        "2026-01-31T00:00:00Z",
        "0000-01-01",
    ],
    "time": [43200, "24:00:00", "12:60:00", "12:00:00Z", "noon", "12:00:00."],
    "datetime": [
        1_769_866_200,
        "2026-01-31",
        "2026-01-31T13:30:00",
        "2026-02-30T13:30:00Z",
        "2026-01-31T13:30:00.1234567890Z",
        "2026-01-31T13:30:00+01:00[Europe/Paris]",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
    "uuid": [5, "", "not-a-uuid"],
    "email": [
        *_NO_TEXT,
        "someone",
        "@example.com",
        "a b@example.com",
        "a@example",
        " a@example.com",
        "A <a@example.com>",
    ],
    "url": [
        *_NO_TEXT,
        "example.com",
        "/path",
        "ftp://example.com",
        "https://",
        "http:a.b",
        "http:///a.b",
        " http://a.b",
        "http://a.b\n",
        "http://a.b/ c",
        "http://a.b/<b>",
        "http:\\\\a.b",
    ],
    "binary": [
        *_NO_TEXT,
        "A",
        "AA",
        "AA=",
        "AA===",
        "AB==",
        "AA==\n",
        "A A==",
        "AA==AA==",
        "_w==",
        "é",
    ],
    "integer_id": [*_NO_NUMBER, "5", 1.5, BIGINT_MIN - 1, BIGINT_MAX + 1, 10**400],
    "string_id": [*_NO_TEXT, "", "a b", "a/b", ".", "..", "é", "x" * 256],
    "ids": [5, "", {}, [5], ["not-a-uuid"], [ID, ID]],
    "integer_ids": [5, "", {}, ["5"], [1.5], [1, 1], [BIGINT_MAX + 1]],
    "string_ids": [5, "", {}, [5], ["a b"], [".."], [""]],
    "json": [math.nan, math.inf, NUL, {NUL: 1}, nested(MAX_JSON_DEPTH + 1)],
}

# No arrays, whatever their items are.
NO_ARRAY: Sequence[Any] = (5, True, "", "{}", {})

# Of these, what a column of the type cannot hold either, as Python has it.
UNSTORABLE: Mapping[str, Sequence[Any]] = {
    "string": [NUL],
    "text": [NUL],
    "integer": [BIGINT_MIN - 1, BIGINT_MAX + 1],
    "float": [math.nan, math.inf, -math.inf],
    "decimal": [decimal.Decimal("NaN"), decimal.Decimal("Infinity")],
}
