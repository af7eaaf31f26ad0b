"""What lists can be asked for: the types of query parameters, and what all lists share.

A value has the spelling of JSON, so one from an answer can be sent as it is. The limits of
fields do not apply: a price that no row can have is found in no row.
"""

import decimal
import difflib
import re
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, LiteralString, TypeAlias, TypeVar

import pydantic
from pydantic_core import PydanticCustomError

from src.core.errors import invalid
from src.models import types
from src.models.base import UNSET
from src.models.base import camel as camel_key

MAX_CONDITIONS = 10
MAX_VALUES = 100  # of one `__in`
MAX_SORT_KEYS = 3
MAX_INCLUDED = 20
MAX_NAME = 100  # characters of an unknown parameter that are compared with known ones
MAX_NOT = 30  # of a search; PostgreSQL accepts no more in a row
MAX_TEXT = 1_000  # characters: more than any column that lists are filtered by
# Three texts of the longest that can be sorted by, of characters that JSON escapes.
CURSOR_PATTERN = "^[A-Za-z0-9_-]{1,10000}$"
_INTEGER = "-?(0|[1-9][0-9]*)"
# As JSON has them, in the range of PostgreSQL's numeric.
_NUMBER = r"-?(0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?([eE][+-]?[0-9]{1,3})?"
_UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NOT = re.compile(r"(?<!\w)-")
_VALUE = re.compile(r"(?:^|,)((?:[^,\\]|\\.|\\$)*)", re.DOTALL)


def written_as(pattern: str, advice: LiteralString) -> pydantic.BeforeValidator:
    """Refuse other notations that Pydantic accepts, such as 5.0, +5, 1_0 and yes."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise PydanticCustomError("query_value", advice)
        return value

    return pydantic.BeforeValidator(check)


def _split(value: Any) -> Any:
    """Split `a,b` at its commas; one within a value is written `\\,`."""
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise PydanticCustomError("query_value", "Separate values by commas")
    if not value[0]:
        raise PydanticCustomError("no_value", "Write at least one value")
    return [re.sub(r"\\(.)", r"\1", part) for part in _VALUE.findall(value[0])]


def _check_search(value: str) -> str:
    if len(_NOT.findall(value)) > MAX_NOT:
        raise PydanticCustomError("query_value", "Write fewer words after a -")
    return value


def _check_keys(names: list[str]) -> list[str]:
    if len({name.removeprefix("-") for name in names}) < len(names):
        raise PydanticCustomError("sort_keys", "Sort by a field only once")
    return names


def _with_plus(value: Any) -> Any:
    """Return a time with the plus of its offset, which is a space in a URL."""
    if isinstance(value, str):
        return re.sub(r" (?=\d\d(:?\d\d)?$)", "+", value)
    return value


ValueT = TypeVar("ValueT")
Flag: TypeAlias = Annotated[bool, written_as("true|false", "Write true or false")]
# The notation is checked first, so it is written last.
Integer: TypeAlias = Annotated[
    int, types.INT64, written_as(_INTEGER, "Write an integer")
]
Integer32: TypeAlias = Annotated[
    int, types.INT32, written_as(_INTEGER, "Write an integer")
]
SmallInteger: TypeAlias = Annotated[
    int, types.INT16, written_as(_INTEGER, "Write an integer")
]
Float: TypeAlias = Annotated[
    float, pydantic.AllowInfNan(False), written_as(_NUMBER, "Write a number")
]
Decimal: TypeAlias = Annotated[
    decimal.Decimal,
    written_as(_NUMBER, "Write a number"),
    pydantic.WithJsonSchema({"type": "string", "pattern": f"^{_NUMBER}$"}),
]
Text: TypeAlias = Annotated[
    str, pydantic.Field(max_length=MAX_TEXT), pydantic.AfterValidator(types.check_text)
]
UUID: TypeAlias = Annotated[
    uuid.UUID,
    written_as(_UUID, "Write a UUID as 0190d1e2-3f4a-7b5c-8d6e-7f8091a2b3c4"),
]
DateTime: TypeAlias = Annotated[types.DateTime, pydantic.BeforeValidator(_with_plus)]
Search: TypeAlias = Annotated[
    str,
    pydantic.Field(
        min_length=1,
        max_length=MAX_TEXT,
        description="Words that a row has, in any order and case. Quotes keep words "
        "together, `or` makes them alternatives, and `-` excludes one. The best results "
        "come first, unless `sort` is sent.",
    ),
    pydantic.AfterValidator(_check_search),
    pydantic.AfterValidator(types.check_text),
]
# Values that are separated by commas, in one parameter.
ListOf: TypeAlias = Annotated[
    list[ValueT],
    pydantic.Field(min_length=1, max_length=MAX_VALUES),
    pydantic.BeforeValidator(_split),
]
SortBy: TypeAlias = Annotated[
    list[ValueT],
    pydantic.Field(
        min_length=1,
        max_length=MAX_SORT_KEYS,
        json_schema_extra={"uniqueItems": True},
        description="The fields to sort by, the first one first; `-` before a field "
        "reverses its order. Null comes last.",
    ),
    pydantic.AfterValidator(_check_keys),
    pydantic.BeforeValidator(_split),
]
Include: TypeAlias = Annotated[
    list[ValueT],
    pydantic.Field(
        min_length=1,
        max_length=MAX_INCLUDED,
        description="The relations whose resources are embedded.",
    ),
    pydantic.BeforeValidator(_split),
]


class ListQuery(pydantic.BaseModel):
    """The query parameters of a list; a list's own model adds filters, `sort` and more.

    A filter is called like the attribute that it compares, with an operator after two
    underscores, such as `total__gte`.
    """

    model_config = pydantic.ConfigDict(extra="forbid", protected_namespaces=())

    skip: Annotated[
        int,
        pydantic.Field(
            ge=0, le=types.BIGINT_MAX, json_schema_extra={"format": "int64"}
        ),
        written_as(_INTEGER, "Write an integer"),
    ] = pydantic.Field(default=0, description="The number of rows to skip.")
    limit: Annotated[
        int,
        pydantic.Field(ge=1, json_schema_extra={"format": "int32"}),
        written_as(_INTEGER, "Write an integer"),
    ] = pydantic.Field(default=20, description="The maximum number of rows.")
    after: str = pydantic.Field(
        default=UNSET,
        pattern=CURSOR_PATTERN,
        description="The `next` of the previous page, with the same filters and `sort`. "
        "Unlike `skip`, it is fast at any depth. With both, `skip` counts from there.",
    )
    total: Flag = pydantic.Field(default=True, description="Whether to count all rows.")
    sort: Sequence[str] = ()

    @pydantic.model_validator(mode="before")
    @classmethod
    def _only_declared(cls, values: Any) -> Any:
        """Name the parameters that do not exist, and the nearest ones that do."""
        names = {name: field.alias or name for name, field in cls.model_fields.items()}
        known = names.values()
        problems = []
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name)[:MAX_NAME], known, 1)
                near = [names[name]] if name in names else near
                hint = f"; did you mean {near[0]}?" if near else ""
                message = f"There is no parameter of this name{hint}"
                problems.append({"loc": ("query", name), "msg": message})
        if problems:
            raise invalid([one | {"type": "extra_forbidden"} for one in problems])
        return values

    @pydantic.model_validator(mode="after")
    def _few_conditions(self) -> "ListQuery":
        if len(conditions_of(self)) > MAX_CONDITIONS:
            message = f"A list has at most {MAX_CONDITIONS} filters"
            problem = {"loc": ("query",), "msg": message}
            raise invalid([problem | {"type": "too_many_filters"}])
        return self


# They are no methods: a filter may be called like one.


def included_in(query: ListQuery) -> Sequence[str]:
    """Return the relations to embed; a list without relations has no parameter."""
    return getattr(query, "include", ())


def conditions_of(query: ListQuery) -> dict[str, Any]:
    """Return the filters that were sent, by name."""
    shared = {*ListQuery.model_fields, "include"}
    return {
        name: getattr(query, name)
        for name in type(query).model_fields
        if name in query.model_fields_set and name not in shared
    }


def camel(name: str) -> str:
    """Return the key of a filter in a service with camelCase: `dueAt__gte`."""
    attribute, mark, operator = name.partition("__")
    return f"{camel_key(attribute)}{mark}{operator}"
