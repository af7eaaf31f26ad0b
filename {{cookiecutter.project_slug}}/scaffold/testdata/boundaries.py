"""Boundary values of fields: the limits, and values beyond them, as Python code."""

import base64
import datetime as dt
import decimal
import math
import sys
import uuid
from dataclasses import dataclass, field

from scaffold.patterns import examples
from scaffold.python_code.field_code import BOUNDS
from scaffold.python_code.formatting import literal
from scaffold.spec.model import Entity, Field, Id
from scaffold.testdata.samples import (
    decimal_range,
    float_expression,
    float_range,
    integer_range,
    series,
    text_expression,
)
from scaffold.testdata.series import from_units

# Longer strings are not tested, as request bodies are limited to a megabyte.
LONGEST = 20_000
LONGEST_BINARY = 70_000
# Types whose values are not the same in Python and in JSON.
_OTHER_IN_JSON = ("decimal", "date", "datetime", "uuid")
_ENTITY = Entity("Item", "items")
# A string that a faulty sanitiser or driver would change.
DELICATE = '"AT&T" isn\'t x < y; 50 % \\ 🙂'


@dataclass
class Edges:
    """Expressions of JSON values; the database accepts those that are `malformed`."""

    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)


def edges(field: Field) -> Edges:
    """Return the boundary values of a field's own limits, not those of its type."""
    if field.array:
        return _array(field)
    found = Edges()
    if field.type in ("string", "text"):
        _text(field, found)
    elif field.type == "url":
        _url(field, found)
    elif field.type == "binary":
        _binary(field, found)
    elif field.type == "enum":
        _enum(field, found)
    elif field.type == "integer":
        _integer(field, found)
    elif field.type == "float":
        _float(field, found)
    elif field.type == "decimal":
        _decimal(field, found)
    for name in ("accepted", "refused", "malformed"):
        setattr(found, name, list(dict.fromkeys(getattr(found, name))))
    return found


def refused_ids(key: Id) -> list[str]:
    """Return texts that are no id in a path."""
    if key.type == "integer":
        beyond = 2 ** (key.bits - 1)
        return ["x", "+1", "007", " 1", "1.0", "1_0", str(beyond), str(-beyond - 1)]
    return ["a b", "a%", "é", "x" * (key.length + 1)]


def json_value(value: object) -> object:
    """Return a Python value as it is in JSON; a decimal stays one."""
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, uuid.UUID) else value


def json_expression(value: object) -> str:
    """Return a JSON value as a Python expression, formatted."""
    if isinstance(value, dict):
        items = (f"{literal(key)}: {json_expression(value[key])}" for key in value)
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_expression, value)) + "]"
    if isinstance(value, decimal.Decimal):
        return text_expression(f"{value:f}")
    if isinstance(value, float):
        return float_expression(value)
    if isinstance(value, str):
        return text_expression(value)
    return repr(value).replace("e+", "e")


def example_expression(field: Field) -> str:
    """Return the example of a field as a Python expression of its JSON value."""
    value = field.example
    if field.type == "datetime":
        items = value if isinstance(value, list) else [value]
        written = [str(item).replace("+00:00", "Z") for item in items]
        value = written if field.array else written[0]
    return json_expression(value)


# Arrays


def shortest(field: Field) -> int:
    """Return the length of the shortest array that has an item."""
    return field.min_items or 1


def _array(field: Field) -> Edges:
    """Return arrays with an item at its limits, with null, with too few and too many."""
    of_items = field.of_items
    inner, least, most = edges(of_items), shortest(field), field.max_items
    values = series(_ENTITY, of_items)
    item = "None" if values is None else json_expression(json_value(values.at(1)))

    def repeated(count: int) -> str:
        return f"[{item}] * {count}" if count > 1 else f"[{item}]" * count or "[]"

    def arrays(expressions: list[str]) -> list[str]:
        others = f", *{repeated(least - 1)}" if least > 2 else f", {item}" * (least - 1)
        return [f"[{one}{others}]" for one in expressions]

    found = Edges(*map(arrays, (inner.accepted, inner.refused, inner.malformed)))
    found.refused += arrays(["None"])
    if not field.min_items:
        found.accepted.append("[]")
    if values is None:
        return found
    wrong = arrays([f"[{item}]"])
    if field.min_items:
        wrong.append(repeated(least - 1))
    if most is not None and most * len(item) <= LONGEST:
        found.accepted.append(repeated(most))
        wrong.append(repeated(most + 1))
    if field.type in _OTHER_IN_JSON:
        found.malformed += wrong
    else:
        found.refused += wrong
    return found


# Text


def _text(field: Field, found: Edges) -> None:
    least, most = field.min_length or 0, field.max_length
    for length in (least, most):
        if length is not None and length <= LONGEST:
            found.accepted += [text_expression(t) for t in _of_length(field, length)]
    delicate = DELICATE[: most or len(DELICATE)]
    if field.pattern is None and least <= len(delicate):
        found.accepted.append(literal(delicate))
    if least:
        found.refused.append(text_expression("x" * (least - 1)))
    if most is not None and most < LONGEST:
        found.refused.append(text_expression("x" * (most + 1)))
    if field.pattern is not None:
        wrong = examples.not_matching(field.pattern, least, most)
        if wrong is not None:
            found.malformed.append(text_expression(wrong))


def _of_length(field: Field, length: int) -> list[str]:
    if field.pattern is None:
        return ["x" * length]
    if length > examples.LONGEST:
        return []
    return examples.matching(field.pattern, length, length, 1)


def _url(field: Field, found: Edges) -> None:
    most = field.max_length or 0
    start = "https://example.com/"
    if len(start) <= most <= LONGEST:
        found.accepted.append(text_expression(start + "x" * (most - len(start))))
    if most < LONGEST:
        found.refused.append(text_expression(start + "x" * (most + 1)))


def _binary(field: Field, found: Edges) -> None:
    most = field.max_length or 0
    if most > 1:
        found.accepted.append('"+/8="')
    if most <= LONGEST_BINARY:
        found.accepted.append(_zeros(most))
        found.refused.append(_zeros(most + 1))


def _zeros(count: int) -> str:
    """Return the base64 of zero bytes."""
    padding = "=" * (-count % 3)
    digits = -(-count // 3) * 4 - len(padding)
    text = text_expression("A" * digits)
    return f"{text} + {literal(padding)}" if padding else text


def _enum(field: Field, found: Edges) -> None:
    found.accepted += [literal(field.values[0]), literal(field.values[-1])]
    wrong = "none of them"
    while wrong in field.values:
        wrong += "!"
    found.refused += ['""', literal(wrong)]


# Numbers


def _integer(field: Field, found: Edges) -> None:
    low, high, step = integer_range(field)
    if low <= high:
        found.accepted += [str(low), str(high)]
    if step > 1 and low < high:
        found.refused.append(str(low + 1))
    if field.bits < 64:
        beyond = 2 ** (field.bits - 1)
        found.refused += [str(-beyond - 1), str(beyond)]
    for key, _ in BOUNDS:
        bound = getattr(field, key)
        if isinstance(bound, int):
            found.refused.append(str(bound + {"ge": -1, "le": 1}.get(key, 0)))


def _float(field: Field, found: Edges) -> None:
    low, high = float_range(field)
    if low <= high:
        found.accepted += [float_expression(low), float_expression(high)]
    if low <= 0 <= high:
        found.accepted.append("0")
    for key, _ in BOUNDS:
        bound = getattr(field, key)
        if bound is not None:
            away = {"ge": -math.inf, "le": math.inf}.get(key)
            value = float(bound) if away is None else math.nextafter(bound, away)
            if math.isfinite(value):  # infinity is not valid JSON
                found.refused.append(float_expression(value))


def _decimal(field: Field, found: Edges) -> None:
    low, high = decimal_range(field)
    bounded = {key for key, _ in BOUNDS if getattr(field, key) is not None}
    if low <= high:
        found.accepted += [_quoted(low, field.scale), _quoted(high, field.scale)]
        found.malformed.append(_quoted(low * 10 + 1, field.scale + 1))
    if low <= 0 <= high:
        found.accepted.append("0")
    if bounded & {"gt", "ge"}:
        found.refused.append(_quoted(low - 1, field.scale))
    if bounded & {"lt", "le"}:
        found.refused.append(_quoted(high + 1, field.scale))
    _unquoted(low, high, field.scale, found)
    too_large = "1" + "0" * (field.precision - field.scale)
    found.refused += [text_expression(too_large), text_expression(f"-{too_large}")]


def _unquoted(low: int, high: int, scale: int, found: Edges) -> None:
    """Add decimals as JSON numbers: those with more than 15 digits are refused."""
    most = 10**sys.float_info.dig - 1
    kept = min(high, most) if high >= 0 else max(low, -most)
    exact = from_units(kept, scale)
    number = float(exact)  # 0.0 for the last of a thousand decimals
    if low <= kept <= high and decimal.Decimal(repr(number)) == exact:
        found.accepted.append(float_expression(number))
    longer = (int("12345678901234567"[:digits]) for digits in (16, 17))
    for units in (high, low, *longer):
        number = float(from_units(units, scale))
        if low <= units <= high and not keeps_digits(number):
            found.malformed.append(float_expression(number))
            break


def keeps_digits(number: float) -> bool:
    """Whether a float has so few digits that a double represents all of them."""
    digits = decimal.Decimal(repr(number)).normalize().as_tuple().digits
    return len(digits) <= sys.float_info.dig


def _quoted(units: int, scale: int) -> str:
    return text_expression(f"{from_units(units, scale):f}")
