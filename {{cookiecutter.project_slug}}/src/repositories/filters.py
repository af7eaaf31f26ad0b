"""The filters of lists: a name such as `total__gte` and a value become a condition."""

import operator
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql

from src.models.base import ignore_case
from src.models.queries import MAX_TEXT

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
SEARCH = "q"
_AFTER_SURROGATES = "\ue000"
# Nothing in a column that lists are filtered by comes after it.
_LAST = sa.literal_column(f"repeat(chr({sys.maxunicode}), {MAX_TEXT})", sa.String)


def split(name: str) -> tuple[str, str]:
    """Return the attribute and the operator of a filter: `total` and `gte`."""
    attribute, mark, word = name.rpartition("__")
    return (attribute, word) if mark and attribute else (name, "")


def has_search(entity: type) -> bool:
    """Whether lists of an entity can be searched."""
    return "_search" in sa.inspect(entity).local_table.c


def ignores_case(entity: type, attribute: str) -> bool:
    """Whether values of an attribute are the same in upper and lower case."""
    column: sa.Column[Any] | None = sa.inspect(entity).columns.get(attribute)
    return column is not None and bool(column.info.get("case_insensitive"))


def parameters(
    entity: type, where: Filters, own: Collection[str] = ()
) -> dict[str, Any]:
    """Return the parameters of the statement for these filters, which name it, too.

    The names in `own` have no operators.
    """
    values: dict[str, Any] = {}
    for name, value in where.items():
        attribute, word = (name, "") if name in own else split(name)
        if value is None:
            continue
        if word == "null":
            values[name if value else f"{attribute}__not_null"] = value
        elif word == "startswith" and not ignores_case(entity, attribute):
            values[f"{attribute}__gte_text"] = value
            if (end := following(value)) is not None:
                values[f"{attribute}__lt_text"] = end
        elif word == "has":
            values[name] = [value]
        else:
            values[name] = value
    return values


def condition(entity: type, name: str) -> sa.ColumnElement[bool]:
    """Return the condition for a parameter of this name."""
    if name == SEARCH and has_search(entity):
        return _words(entity).bool_op("@@")(_search())
    attribute, word = split(name)
    column: orm.InstrumentedAttribute[Any] = getattr(entity, attribute)
    if word == "null":
        return column.is_(None)
    if word == "not_null":
        return column.is_not(None)
    if word == "has":
        return column.contains(sa.bindparam(name, type_=_type_of_array(column)))
    if ignores_case(entity, attribute):
        return _condition_on_text(column, name, word)
    if word == "in":
        # An array is one parameter: one statement for any number of values.
        values = sa.bindparam(name, type_=sa.ARRAY(_type_of(column)))
        return column == sa.any_(values)
    compare = COMPARISONS[word.removesuffix("_text")]
    return compare(column, sa.bindparam(name, type_=_type_of(column)))


def _type_of(column: orm.InstrumentedAttribute[Any]) -> sa.types.TypeEngine[Any]:
    """Return the type of a value to compare with: a decimal is not rounded to fit."""
    return _not_rounded(column.type)


def _type_of_array(column: orm.InstrumentedAttribute[Any]) -> sa.ARRAY[Any]:
    """Return the type of an array to compare with, which an array contains."""
    return postgresql.ARRAY(_not_rounded(column.type.item_type))


def _not_rounded(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    exact = isinstance(type_, sa.Numeric) and type_.asdecimal
    return sa.Numeric() if exact else type_


def _condition_on_text(
    column: orm.InstrumentedAttribute[Any], name: str, word: str
) -> sa.ColumnElement[bool]:
    """Return a condition without regard to case; the database folds the value, too."""
    text = ignore_case(column)
    if word == "in":
        values = sa.bindparam(name, type_=sa.ARRAY(sa.String))
        each = sa.func.unnest(values).column_valued("value")
        every = sa.select(ignore_case(each)).scalar_subquery()
        return text == sa.any_(sa.func.array(every))
    value = ignore_case(sa.bindparam(name, type_=sa.String))
    if word == "startswith":
        return sa.and_(text >= value, text <= value.concat(_LAST))
    return COMPARISONS[word](text, value)


def rank(entity: type) -> sa.ColumnElement[float]:
    """Return how well a row matches the search, which is the parameter `q`."""
    return sa.func.ts_rank(_words(entity), _search())


def _words(entity: type) -> sa.ColumnElement[Any]:
    words: sa.ColumnElement[Any] = sa.inspect(entity).local_table.c["_search"]
    return words


def _search() -> sa.ColumnElement[Any]:
    simple: sa.ColumnClause[str] = sa.literal_column("'simple'")
    return sa.func.websearch_to_tsquery(simple, sa.bindparam(SEARCH, type_=sa.String))


def following(prefix: str) -> str | None:
    """Return the first text after all that start with a prefix, if there is one.

    Text is sorted by code points, which an index can read from one text to another.
    """
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    end = chr(ord(kept[-1]) + 1)
    return kept[:-1] + (_AFTER_SURROGATES if end == "\ud800" else end)
