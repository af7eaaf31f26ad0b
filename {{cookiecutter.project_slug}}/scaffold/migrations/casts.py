"""Casts between column types, and the values that cannot be cast."""

import math
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from scaffold.migrations.statements import DIALECT

# The first match counts: in SQLAlchemy a Double is a Float, which is a Numeric.
KINDS: tuple[tuple[type[Any], str], ...] = (
    (sa.ARRAY, "array"),
    (postgresql.JSONB, "json"),
    (sa.Uuid, "uuid"),
    (sa.LargeBinary, "binary"),
    (sa.DateTime, "datetime"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Boolean, "boolean"),
    (sa.Float, "float"),
    (sa.Numeric, "decimal"),
    (sa.Integer, "integer"),
    (sa.Text, "text"),
    (sa.String, "string"),
)
NUMBERS = ("integer", "float", "decimal")
INFINITE = math.inf
TEXTS = ("string", "text")
ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
# (from, to) -> the new value, and the condition of values that would be lost
CASTS = {
    ("integer", "float"): ("{c}::double precision", "abs({c}) > 9007199254740992"),
    ("integer", "decimal"): ("{c}::numeric", "{too_large}"),
    ("integer", "boolean"): ("{c} <> 0", "{c} NOT IN (0, 1)"),
    ("boolean", "integer"): ("{c}::integer", ""),
    ("float", "integer"): ("{c}::{type}", "{c} <> trunc({c}) OR {beyond}"),
    ("float", "decimal"): (
        "round({c}::numeric, {scale})",
        "round({c}::numeric, {scale})::double precision <> {c} OR {too_large}",
    ),
    ("decimal", "integer"): (
        "{c}::{type}",
        "{c} <> trunc({c}) OR {beyond}",
    ),
    ("decimal", "float"): (
        "{c}::double precision",
        "{c}::double precision::numeric <> {c}",
    ),
    ("date", "datetime"): ("{c}::timestamp AT TIME ZONE 'UTC'", ""),
    ("datetime", "date"): (
        "({c} AT TIME ZONE 'UTC')::date",
        "({c} AT TIME ZONE 'UTC')::time <> '00:00'",
    ),
    **{
        (kind, text): ("{c}::text", "")
        for kind in ("integer", "float", "decimal", "boolean", "date", "time", "uuid")
        for text in TEXTS
    },
    **{
        ("datetime", text): (f"to_char({{c}} AT TIME ZONE 'UTC', {ISO})", "")
        for text in TEXTS
    },
    **{(text, "json"): ("to_jsonb({c}::text)", "") for text in TEXTS},
}
# Only in downgrades: the texts were written by a cast from the other type.
REVERSED = {
    **{
        (text, kind): ("{c}::{type}", "")
        for kind in ("integer", "decimal", "float", "boolean", "date", "time", "uuid")
        for text in TEXTS
    },
    **{(text, "datetime"): ("{c}::timestamptz", "") for text in TEXTS},
    **{("json", text): ("{c} #>> '{{}}'", "") for text in TEXTS},
}


# Casts of all items at once: PostgreSQL has no query in a change of a type.
CASTS_OF_ITEMS = {
    ("integer", "float"),
    ("integer", "decimal"),
    ("float", "integer"),
    ("float", "decimal"),
    ("decimal", "integer"),
    ("decimal", "float"),
    *((kind, "text") for kind in ("integer", "float", "decimal", "boolean")),
    *((kind, "text") for kind in ("date", "uuid")),
}


@dataclass(frozen=True)
class Cast:
    """How old values become new ones; `unfit` is the condition of rows that lose data.

    Without `using`, PostgreSQL casts by itself. Without `unfit`, no value is lost.
    """

    using: str = ""
    unfit: str = ""


class Impossible(Exception):
    """There is no cast between the two types."""


def kind(type_: Any) -> str:
    """Return the type in entities.json, or "" if it does not have the type."""
    return next((word for class_, word in KINDS if isinstance(type_, class_)), "")


def words(type_: Any) -> str:
    """Return what a message calls a type."""
    if isinstance(type_, sa.ARRAY):
        return f"an array of {kind(type_.item_type)}"
    return kind(type_)


def sql_type(type_: Any) -> str:
    """Return the name of the type in PostgreSQL."""
    return str(type_.compile(dialect=DIALECT))


def _bits(type_: Any) -> int:
    """Return the size of an integer; 64 for another type."""
    if isinstance(type_, sa.SmallInteger):
        return 16
    is_other = isinstance(type_, sa.BigInteger) or not isinstance(type_, sa.Integer)
    return 64 if is_other else 32


def find_cast(column: str, old: Any, new: Any, *, back: bool = False) -> Cast:
    """Return the cast of a column's values; `column` is its name in SQL."""
    if isinstance(old, sa.ARRAY) and isinstance(new, sa.ARRAY):
        return _of_items(column, old, new, back=back)
    if isinstance(old, sa.ARRAY):
        # Not the first item of several, and not null instead of an empty array.
        first = find_cast(f"{column}[1]", old.item_type, new, back=back)
        unfit = f"{column} <> ARRAY[{column}[1]]"
        unfit += f" OR {first.unfit}" if first.unfit else ""
        return Cast(first.using or f"{column}[1]", unfit)
    if isinstance(new, sa.ARRAY):
        one = find_cast(column, old, new.item_type, back=back)
        array = f"ARRAY[{one.using or column}]::{_uncollated(new)}"
        using = f"CASE WHEN {column} IS NOT NULL THEN {array} END"
        return Cast(using, one.unfit)
    pair = (kind(old), kind(new))
    if "" in pair:
        return Cast()  # a type of the team's own: Alembic's plain change
    if pair[0] == pair[1] or {*pair} <= {*TEXTS}:
        return Cast(unfit=_narrowed(column, old, new))
    found = CASTS.get(pair) or (REVERSED.get(pair) if back else None)
    if found is None:
        raise Impossible
    size = (getattr(new, "precision", None) or 0) - (getattr(new, "scale", None) or 0)
    bits = _bits(new) - 1
    words = {
        "c": column,
        "scale": getattr(new, "scale", None) or 0,
        "too_large": f"abs({column}) >= 1e{size}",
        "type": sql_type(new),
        "beyond": f"{column} < -(2^{bits}) OR {column} >= 2^{bits}",
    }
    using, unfit = (template.format(**words) for template in found)
    if pair[1] == "string" and new.length:
        unfit = f"char_length({using}) > {new.length}"
    return Cast(using, unfit)


def _uncollated(array: sa.ARRAY[Any]) -> str:
    return sql_type(array).partition(" COLLATE ")[0]


def _of_items(
    column: str, old: sa.ARRAY[Any], new: sa.ARRAY[Any], *, back: bool
) -> Cast:
    """Return the cast of arrays; their items are cast at once, or not at all."""
    pair = (kind(old.item_type), kind(new.item_type))
    if "" in pair:
        return Cast()
    known = pair in CASTS_OF_ITEMS or (back and pair[::-1] in CASTS_OF_ITEMS)
    if pair[0] != pair[1] and not known:
        raise Impossible
    one = find_cast("item", old.item_type, new.item_type, back=back)
    unfit = f"EXISTS (SELECT FROM unnest({column}) AS item WHERE {one.unfit})"
    using = f"{column}::{_uncollated(new)}" if one.using else ""
    return Cast(using, unfit if one.unfit else "")


def _narrowed(column: str, old: Any, new: Any) -> str:
    """Return the condition of rows that do not fit in a smaller type of the same kind."""
    if kind(new) == "decimal":
        if (
            new.scale < old.scale
            or new.precision - new.scale < old.precision - old.scale
        ):
            size = new.precision - new.scale
            digits = f"{column} <> round({column}, {new.scale})"
            return f"{digits} OR abs({column}) >= 1e{size}"
    elif kind(new) == "integer" and _bits(new) < _bits(old):
        most = 2 ** (_bits(new) - 1) - 1
        return f"{column} NOT BETWEEN {-most - 1} AND {most}"
    elif kind(new) == "string" and (new.length or INFINITE) < (old.length or INFINITE):
        return f"char_length({column}) > {new.length}"
    return ""
