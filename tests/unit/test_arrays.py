"""Arrays: their types, rules, default values, and the values of their tests."""

import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from scaffold.migrations import casts
from scaffold.python_code import field_code
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import parse
from scaffold.spec.model import Entity, Field
from scaffold.testdata.boundaries import edges
from scaffold.testdata.samples import series

Document = dict[str, Any]
TEXTS, INTEGERS = postgresql.ARRAY(sa.Text), postgresql.ARRAY(sa.BigInteger)


def field_of(type_name: str, **keys: Any) -> Field:
    field = {"name": "tags", "type": type_name, "array": True, **keys}
    document = {"entities": [{"name": "Item", "fields": [field]}]}
    return parse(json.dumps(document).encode()).entities[0].fields[0]


def rendered(*fields: Document) -> dict[str, str]:
    document = {"entities": [{"name": "Item", "fields": fields}]}
    files = generate_modular_app(parse(json.dumps(document).encode())).files
    return {path: re.sub(r"\s+", " ", text) for path, text in files.items()}


def test_items_and_their_number_have_limits() -> None:
    files = rendered(
        {"name": "a", "type": "string", "array": True, "pattern": "^x", "max_items": 3},
        {"name": "b", "type": "integer", "array": True, "required": True},
        {"name": "c", "type": "decimal", "array": True, "default": ["1.5"]},
    )
    schemas = files["src/models/schemas.py"]
    item = 'str, pydantic.Field(max_length=255, pattern="^x")'
    assert f"ItemAItem = typing.Annotated[{item}]" in schemas
    assert (
        "ItemA = typing.Annotated[list[ItemAItem] | None, pydantic.Field(max" in schemas
    )
    assert " a: ItemA = None b: list[types.Integer] c: list[ItemCItem]" in schemas
    assert 'pydantic.Field(default=[decimal.Decimal("1.50")])' in schemas
    assert " a: list[str] | None b: list[types.StoredInteger] c: list[" in schemas


@pytest.mark.parametrize(
    ("type_name", "keys", "rules"),
    [
        ("string", {"min_length": 1}, {"'' <> ALL (tags)", "255 >= ALL (item_le"}),
        ("text", {"min_length": 2}, {"2 <= ALL (item_lengths(tags))"}),
        ("integer", {"gt": -5, "le": 9}, {"(-5) < ALL (tags)", "9 >= ALL (tags)"}),
        ("integer", {"multiple_of": 5}, {"0 = ALL (item_remainders(tags, 5))"}),
        ("float", {}, {"NOT tags && '{NaN,Infinity,-Infinity}'"}),
        ("decimal", {}, {"'NaN' <> ALL (tags)"}),
        ("enum", {"values": ["a", "it's"]}, {"tags <@ ARRAY['a', 'it''s']"}),
        ("email", {}, {"320 >= ALL (item_lengths(tags))"}),
        ("date", {"min_items": 2, "max_items": 3}, {"cardinality(tags) >= 2", "card"}),
        ("uuid", {}, set()),
    ],
)
def test_the_database_judges_each_item(
    type_name: str, keys: Document, rules: set[str]
) -> None:
    (first, shape), *others = field_code.checks(field_of(type_name, **keys))
    assert (first, "array_ndims(tags) = 1" in shape) == ("array", True)
    assert len(others) == len(rules)
    assert all(any(sql.startswith(rule) for _, sql in others) for rule in rules)


@pytest.mark.parametrize(
    ("type_name", "default", "text"),
    [
        ("integer", [], '"{}"'),
        ("integer", [1, -2], '"{1,-2}"'),
        ("boolean", [True, False], '"{true,false}"'),
        ("decimal", ["1.5", 2], '"{1.50,2.00}"'),
        ("string", ["a", "", "NULL", "x y"], """'{a,"","NULL","x y"}'"""),
        ("string", ['a"b', "c\\", "d,e", "{f}"], None),
    ],
)
def test_defaults_are_arrays_of_postgresql(
    type_name: str, default: list[Any], text: str | None
) -> None:
    field = field_of(type_name, default=default)
    if text is None:
        text = repr('{"a\\"b","c\\\\","d,e","{f}"}')
    assert field_code.server_default(field) == text


def test_tests_send_too_few_too_many_and_wrong_items() -> None:
    found = edges(field_of("integer", bits=16, ge=5, min_items=2, max_items=3))
    assert found.accepted == ["[5, 6]", "[32767, 6]", "[6] * 3"]
    assert found.refused[-5:] == ["[4, 6]", "[None, 6]", "[[6], 6]", "[6]", "[6] * 4"]
    dates = edges(field_of("date"))
    assert (dates.accepted, dates.refused) == (["[]"], ["[None]"])
    assert dates.malformed == ['[["2026-01-02"]]']


@pytest.mark.parametrize(
    ("keys", "expression"),
    [
        ({"type_name": "integer"}, "list(range(n, n + 2))"),
        ({"type_name": "string"}, '[f"Tags {n}" for n in range(n, n + 2)]'),
        ({"type_name": "string", "max_items": 1}, '[f"Tags {n}"]'),
        ({"type_name": "enum", "values": ["a"], "min_items": 3}, '["a"] * 3'),
        ({"type_name": "integer", "ge": 5, "le": 5}, "[5]"),
    ],
)
def test_factories_make_arrays(keys: Document, expression: str) -> None:
    field = field_of(**keys)
    made = series(Entity("Item", "items"), field)
    assert made is not None
    assert made.expression == expression
    assert eval(expression, {"n": 4}) == made.at(4)  # noqa: S307 - our own


@pytest.mark.parametrize(
    ("old", "new", "using", "unfit"),
    [
        (
            sa.String(9),
            TEXTS,
            "CASE WHEN tags IS NOT NULL THEN ARRAY[tags]::TEXT[] END",
            "",
        ),
        (
            TEXTS,
            sa.String(9),
            "tags[1]",
            "tags <> ARRAY[tags[1]] OR char_length(tags[1]) > 9",
        ),
        (INTEGERS, TEXTS, "tags::TEXT[]", ""),
        (
            INTEGERS,
            postgresql.ARRAY(sa.SmallInteger),
            "",
            "EXISTS (SELECT FROM unnest(tags) AS item "
            "WHERE item NOT BETWEEN -32768 AND 32767)",
        ),
        (
            INTEGERS,
            postgresql.ARRAY(sa.Double),
            "tags::DOUBLE PRECISION[]",
            "EXISTS (SELECT FROM unnest(tags) AS item "
            "WHERE abs(item) > 9007199254740992)",
        ),
    ],
)
def test_casts_lose_no_item(old: Any, new: Any, using: str, unfit: str) -> None:
    assert casts.find_cast("tags", old, new) == casts.Cast(using, unfit)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (postgresql.ARRAY(sa.Date), postgresql.ARRAY(sa.DateTime)),
        (TEXTS, INTEGERS),
        (INTEGERS, sa.Boolean()),
        (postgresql.JSONB(), INTEGERS),
    ],
)
def test_other_casts_are_refused(old: Any, new: Any) -> None:
    if isinstance(new, sa.Boolean):
        assert "NOT IN (0, 1)" in casts.find_cast("tags", old, new).unfit
        return
    with pytest.raises(casts.Impossible):
        casts.find_cast("tags", old, new)
