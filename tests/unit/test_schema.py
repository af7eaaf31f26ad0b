"""Tests of entities.schema.json: valid, complete, and in agreement with the checker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scaffold.spec import json_schema
from scaffold.spec.vocabulary import keys
from scaffold.spec.vocabulary.field_types import TYPES

SPECS = Path(__file__).parents[1] / "specs"
TREE = SPECS.parents[1] / "{{cookiecutter.project_slug}}"
EXAMPLES = TREE / "scaffold" / "examples"
GOOD = [*sorted((SPECS / "good").glob("*.json")), *sorted(EXAMPLES.glob("*.json"))]
VALIDATOR = Draft202012Validator(json_schema.build())


def refuse(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def parsed() -> dict[str, Any]:
    """Return the bad examples that are valid JSON."""
    documents = {}
    for path in sorted((SPECS / "bad").glob("*.json")):
        try:
            text = path.read_bytes().decode()
            documents[path.stem] = json.loads(text, parse_constant=refuse)
        except (ValueError, RecursionError):
            continue
    return documents


BAD = parsed()
# What a schema cannot check: other parts of the file, arithmetic, regex engines.
BEYOND = set((SPECS / "beyond_schema.txt").read_text(encoding="utf-8").split())


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(json_schema.build())
    assert json.loads(json_schema.render()) == json.loads(
        json.dumps(json_schema.build())
    )


@pytest.mark.parametrize("path", GOOD, ids=[path.stem for path in GOOD])
def test_accepts_every_good_example(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize("name", BAD)
def test_rejects_every_bad_example_that_a_schema_can(name: str) -> None:
    assert VALIDATOR.is_valid(BAD[name]) == (name in BEYOND)


def test_the_list_of_the_others_is_exact() -> None:
    assert set(BAD) >= BEYOND


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for item in node.values():
            yield from objects(item)
    elif isinstance(node, list):
        for item in node:
            yield from objects(item)


def test_every_key_has_a_description() -> None:
    definitions = json_schema.build()["$defs"]
    assert isinstance(definitions, dict)
    for definition in (json_schema.build(), *definitions.values()):
        for name, described in definition.get("properties", {}).items():
            assert described["description"], name
    for field_type in TYPES.values():
        assert all(key.description for key in field_type.keys.values())


def test_every_key_of_the_tables_is_in_the_schema() -> None:
    built: Any = json_schema.build()
    assert set(built["properties"]) == set(keys.TOP)
    assert set(built["$defs"]["entity"]["properties"]) == set(keys.ENTITY)
    assert set(built["$defs"]["id"]["properties"]) == set(keys.ID)
    assert set(built["$defs"]["timestamps"]["properties"]) == set(keys.TIMESTAMPS)
    assert set(built["$defs"]["relation"]["properties"]) == set(keys.RELATION)
    own = {name for one in TYPES.values() for name in one.keys}
    assert set(built["$defs"]["field"]["properties"]) == set(keys.FIELD) | own


@pytest.mark.parametrize("name", TYPES)
def test_each_type_accepts_its_own_keys_only(name: str) -> None:
    other = "values" if name != "enum" else "ge"
    field = {"name": "a", "type": name, other: ["x"]}
    document = {"entities": [{"name": "Task", "fields": [field]}]}
    assert not VALIDATOR.is_valid(document)
