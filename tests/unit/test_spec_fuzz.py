"""Tests with random input: the result is a valid spec or a report, not a traceback."""

import json
import re
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scaffold.rendering.app import generate_modular_app
from scaffold.spec import loading
from scaffold.spec.vocabulary.field_types import TYPES

GOOD = sorted((Path(__file__).parents[1] / "specs" / "good").glob("*.json"))
SMALL = [path.read_bytes() for path in GOOD if path.stat().st_size < 5_000]
LINE = re.compile(r"entities\.json:[1-9][0-9]*:[1-9][0-9]*: \S[^\n\r]*")
LAST = re.compile(r"entities\.json: [1-9][0-9]* problems?(, the .*)?; nothing was .*")


def words(text: str) -> list[str]:
    return text.split()


def ends_well(data: bytes) -> None:
    """Check a spec: every line of a report has its form, and a valid spec renders."""
    started = time.process_time()
    try:
        parsed = loading.parse(data)
    except loading.SpecError as error:
        report = loading.report(error)
        report.encode("utf-8")
        *lines, last = report.split("\n")
        assert lines
        assert LAST.fullmatch(last), last
        for line in lines:
            assert LINE.fullmatch(line), line
            assert line.isprintable(), line
        assert loading.report(again(data)) == report
        assert time.process_time() - started < 2
    else:
        assert time.process_time() - started < 2
        for path, text in generate_modular_app(parsed).files.items():
            if path.endswith(".py"):
                compile(text, path, "exec", dont_inherit=True)


def again(data: bytes) -> loading.SpecError:
    try:
        loading.parse(data)
    except loading.SpecError as error:
        return error
    raise AssertionError("the first run refused it")


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    ends_well(data)


@given(st.text("{}[]\",: \n\\utrefalsn0123456789.-+eE/#'é“", max_size=80))
def test_text_that_looks_like_json(text: str) -> None:
    ends_well(text.encode())


@given(st.sampled_from(SMALL), st.data())
def test_damaged_bytes(data: bytes, draw: st.DataObject) -> None:
    """Remove, overwrite or repeat a part of a good file."""
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, min(len(data), start + 40)))
    piece = draw.draw(st.binary(max_size=8) | st.just(data[start:end] * 2))
    ends_well(data[:start] + piece + data[end:])


WORDS = [
    *TYPES,
    *words("entities name plural description fields relations unique indexes type"),
    *words("required default index renamed_from target on_delete back_populates"),
    *words("min_length max_length pattern gt ge lt le multiple_of precision scale"),
    *words("table schema url id timestamps column json json_case bits generated camel"),
    *words("values many_to_one one_to_one one_to_many many_to_many cascade set_null"),
    *words("Task Project id created_at class metadata xmin health None"),
    *["", "é", "\u202e", "a" * 70, "^(a+)+$", "\\1", "2026-01-01", "x@y.org", "\x07"],
]
ODD = st.sampled_from(
    [f"1{'0' * 400}", *words("null true false 0 1 -1 1.5 1e308 [] {} [[]] [null]")]
).map(json.loads)
VALUES = st.sampled_from(WORDS) | ODD | st.text(max_size=5) | st.integers()


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container and key of a document."""
    found: list[tuple[Any, Any]] = []
    keys = node if isinstance(node, dict) else range(len(node))
    for key in list(keys):
        found.append((node, key))
        if isinstance(node[key], dict | list):
            found.extend(places(node[key]))
    return found


@given(st.sampled_from(SMALL), st.data())
def test_mutated_specs(data: bytes, draw: st.DataObject) -> None:
    """Replace, remove, add or move nodes of a good document."""
    document = json.loads(data.decode("utf-8-sig"))
    for _ in range(draw.draw(st.integers(1, 4))):
        found = places(document)
        if not found:
            break
        node, key = draw.draw(st.sampled_from(found))
        other, other_key = draw.draw(st.sampled_from(found))
        kind = draw.draw(st.sampled_from(["replace", "remove", "add", "copy"]))
        if kind == "replace":
            node[key] = draw.draw(VALUES)
        elif kind == "remove":
            del node[key]
        elif kind == "add" and isinstance(node, dict):
            node[draw.draw(st.sampled_from(WORDS))] = draw.draw(VALUES)
        elif kind == "copy":
            node[key] = json.loads(json.dumps(other[other_key]))
    ends_well(json.dumps(document).encode())


FIELDS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "class"]), "type": st.sampled_from([*TYPES])},
    optional={
        "default": VALUES,
        "required": st.booleans(),
        "unique": st.booleans(),
        "index": st.booleans(),
        "max_length": st.integers(-1, 700) | ODD,
        "min_length": st.integers(-1, 700),
        "pattern": st.text("ab[]()*+?{}1,\\dwx^$|", max_size=10),
        "ge": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "lt": st.integers() | st.text("0123456789.-e", max_size=6),
        "multiple_of": st.integers(-1, 100),
        "precision": st.integers(0, 1001),
        "scale": st.integers(-1, 1001),
        "values": st.lists(st.text(max_size=3), max_size=3),
        "column": st.sampled_from(["a", "b", "id", "A b", "xmin", "", "a" * 64]),
        "json": st.sampled_from(["a", "b", "id", "a-b", "b__in", "é", "createdAt"]),
    },
)


@given(st.lists(FIELDS, max_size=3))
def test_fields_with_any_keys(fields: list[dict[str, Any]]) -> None:
    ends_well(json.dumps({"entities": [{"name": "Task", "fields": fields}]}).encode())


NAMES = st.sampled_from(["a", "b", "c"])
CLASSES = st.sampled_from(["A", "B", "C"])
RELATIONS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "target": CLASSES,
        "type": st.sampled_from(
            ["many_to_one", "one_to_one", "one_to_many", "many_to_many"]
        ),
    },
    optional={
        "back_populates": NAMES,
        "required": st.booleans(),
        "on_delete": st.sampled_from(["cascade", "set_null", "restrict"]),
        "renamed_from": NAMES,
        "index": st.booleans(),
        "column": st.sampled_from(["a_id", "id", "x"]),
        "json": st.sampled_from(["a_id", "id", "aId", "x"]),
    },
)


KEYS = st.sampled_from(["uuid", "integer", "string", "serial"]) | st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["id", "key", "created_at", "a_id", "xmin", "Key"]),
        "type": st.sampled_from(["uuid", "integer", "string"]),
        "generated": st.booleans(),
        "bits": st.sampled_from([16, 32, 64, 8, True]),
        "max_length": st.integers(-1, 300),
        "pattern": st.text("ab[]()*+?{}1,\\dwx^$|./ ", max_size=10),
    },
)
NAMED = st.fixed_dictionaries(
    {"name": CLASSES},
    optional={
        "id": KEYS | ODD,
        "table": st.sampled_from(["a", "as", "pk_a", "pg_a", "A b", "alembic_version"]),
        "schema": st.sampled_from(["public", "x", "pg_x", "information_schema"]),
        "url": st.sampled_from(["a", "as", "batch", "a-b", "/a"]),
        "plural": NAMES,
        "timestamps": st.booleans()
        | st.fixed_dictionaries(
            {},
            optional={
                "created_at": st.sampled_from(["id", "key", "updated_at", "made"]),
                "updated_at": st.sampled_from(["made", "Made", "a"]),
            },
        ),
        "fields": st.lists(FIELDS, max_size=2),
        "relations": st.lists(RELATIONS, max_size=2),
    },
)


@given(st.lists(NAMED, max_size=3), st.sampled_from(["camel", "snake", "Camel"]))
def test_any_ids_and_names(entities: list[dict[str, Any]], case: str) -> None:
    ends_well(json.dumps({"json_case": case, "entities": entities}).encode())


@given(st.lists(st.lists(RELATIONS, max_size=3), min_size=3, max_size=3))
def test_any_relations(relations: list[list[dict[str, Any]]]) -> None:
    entities = [
        {"name": name, "relations": some}
        for name, some in zip("ABC", relations, strict=True)
    ]
    ends_well(json.dumps({"entities": entities}).encode())
