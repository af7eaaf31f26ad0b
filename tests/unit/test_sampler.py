"""Tests of the sampler with which the smoke client creates request bodies."""

import re
from decimal import Decimal
from random import Random
from typing import Any

import jsonschema
import pydantic
import pytest

from tests.harness.schema_samples import NoSample, Sampler

SCHEMAS: list[dict[str, Any]] = [
    {"type": "boolean"},
    {"type": "integer", "minimum": 3, "maximum": 3},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "integer", "minimum": 5, "multipleOf": 7, "maximum": 20},
    {"type": "integer", "maximum": -(2**62)},
    {"type": "integer", "minimum": 1, "exclusiveMinimum": 3, "maximum": 4},
    {"type": "integer", "minimum": 3, "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "integer", "maximum": 5, "exclusiveMaximum": 90, "minimum": 4},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
    {"type": "number", "minimum": -90, "maximum": -89.5},
    {"type": "string", "minLength": 3, "maxLength": 3},
    {"type": "string", "maxLength": 1},
    {"type": "string", "minLength": 400, "maxLength": 500},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "email", "maxLength": 320},
    {"type": "string", "format": "uri", "maxLength": 12},
    {"not": {"type": "null"}},
    {"enum": ["a", 'say "b"']},
    {"const": 4},
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3},
    {"type": "array", "items": {"enum": ["a"]}, "maxItems": 1},
    {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    {},
]
PATTERNS = [
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^\+[1-9][0-9]{6,14}$",
    r"^(red|green|blue)$",
    r"^[^a-z]{2,4}?$",
    r"(?:ab|c.)*x{2}",
    r"^\d{4}-\w\s\S$",
    r"[A-Z]{3}",
    r"é+",
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_sample_fits_its_schema(schema: dict[str, Any]) -> None:
    sampler = Sampler({}, Random(1))
    for _ in range(20):
        jsonschema.validate(sampler.value(schema), schema)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_sample_matches_its_pattern(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern, "minLength": 3, "maxLength": 30}
    sampler = Sampler({}, Random(2))
    for _ in range(20):
        text = sampler.value(schema)
        assert re.search(pattern, text)
        assert 3 <= len(text) <= 30


@pytest.mark.parametrize(
    ("precision", "scale", "bounds"),
    [
        (18, 2, {}),
        (4, 4, {"gt": 0, "lt": 1}),
        (5, 4, {"ge": Decimal("0.01"), "lt": Decimal("0.02")}),
        (12, 2, {"lt": 0}),
        (40, 0, {"ge": 10**30}),
    ],
)
def test_a_decimal_fits_what_pydantic_says(
    precision: int, scale: int, bounds: dict[str, Any]
) -> None:
    field = pydantic.Field(max_digits=precision + 1, decimal_places=scale, **bounds)
    model = pydantic.create_model("Model", price=(Decimal, field))
    schema = model.model_json_schema()
    for seed in range(20):
        row = Sampler(schema, Random(seed)).row(schema)
        model.model_validate(row)


def test_references_are_followed() -> None:
    document = {"components": {"schemas": {"Kind": {"enum": ["only"]}}}}
    sampler = Sampler(document, Random(3))
    assert sampler.value({"$ref": "#/components/schemas/Kind"}) == "only"


def test_a_string_may_have_a_second_pattern() -> None:
    """As ids that clients send have it."""
    both = {
        "type": "string",
        "pattern": "^[a-z]{2}$",
        "allOf": [{"pattern": "^[a-z.]+$"}],
    }
    assert re.fullmatch("[a-z]{2}", Sampler({}, Random(5)).value(both))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "string", "pattern": "^abc$", "maxLength": 2},
        {"type": "string", "pattern": r"(a)\1"},
        {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
    ],
    ids=str,
)
def test_an_unsupported_schema_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(NoSample):
        Sampler({}, Random(4)).value(schema)
