"""The filters of lists: a name such as `total__gte` and a value become a condition."""

import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import orm

# A filter of a team's own: the condition for a parameter with the value that was sent.
OwnFilter: TypeAlias = Callable[[sa.BindParameter[Any]], sa.ColumnElement[bool]]
# The filters of a list, such as {"project_id": …, "total__gte": 5}; None is ignored.
Filters: TypeAlias = Mapping[str, Any]

COMPARISONS: Mapping[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "": operator.eq,
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),  # true for null
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_AFTER_SURROGATES = "\ue000"


def split(name: str) -> tuple[str, str]:
    """Return the attribute and the operator of a filter: `total` and `gte`."""
    attribute, mark, word = name.rpartition("__")
    return (attribute, word) if mark and attribute else (name, "")


def parameters(where: Filters) -> dict[str, Any]:
    """Return the parameters of the statement for these filters, which name it, too."""
    values: dict[str, Any] = {}
    for name, value in where.items():
        attribute, word = split(name)
        if value is None:
            continue
        if word == "null":
            values[name if value else f"{attribute}__not_null"] = value
        elif word == "startswith":
            values[f"{attribute}__gte_text"] = value
            if (end := following(value)) is not None:
                values[f"{attribute}__lt_text"] = end
        else:
            values[name] = value
    return values


def condition(entity: type, name: str) -> sa.ColumnElement[bool]:
    """Return the condition for a parameter of this name."""
    attribute, word = split(name)
    column: orm.InstrumentedAttribute[Any] = getattr(entity, attribute)
    if word == "null":
        return column.is_(None)
    if word == "not_null":
        return column.is_not(None)
    if word == "in":
        # An array is one parameter: one statement for any number of values.
        values = sa.bindparam(name, type_=sa.ARRAY(column.type))
        return column == sa.any_(values)
    compare = COMPARISONS[word.removesuffix("_text")]
    return compare(column, sa.bindparam(name, type_=column.type))


def following(prefix: str) -> str | None:
    """Return the first text after all that start with a prefix, if there is one.

    Text is sorted by code points, which an index can read from one text to another.
    """
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    end = chr(ord(kept[-1]) + 1)
    return kept[:-1] + (_AFTER_SURROGATES if end == "\ud800" else end)
