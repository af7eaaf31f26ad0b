"""Tests of the test data: samples are valid, boundary values are what they claim."""

import datetime as dt
import decimal
import json
import math
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.patterns import examples, ids, portable
from scaffold.spec.model import Entity, Field, Id, Reference, Spec
from scaffold.spec.vocabulary import field_types
from scaffold.spec.vocabulary.default_values import Refused
from scaffold.testdata import boundaries, samples
from scaffold.testdata.cases import CaseView

ENTITY = Entity("OrderItem", "order_items")
# The names that generated modules import.
NAMES = {"dt": dt, "decimal": decimal, "uuid": uuid}


class Support:
    """The part of tests/support.py that expressions use."""

    @staticmethod
    def pick(n: int, *choices: object) -> object:
        return choices[n % len(choices)]


def value_of(expression: str, n: int = 1) -> Any:
    """Evaluate an expression as in a generated test."""
    names = {**NAMES, "support": Support, "n": n}
    return eval(expression, names)  # noqa: S307 - that is what it is for


def is_valid(field: Field, value: Any) -> bool:
    """Whether a value is valid as a default, which is checked by other code."""
    if isinstance(value, dt.date | dt.time | uuid.UUID):
        value = str(value) if isinstance(value, uuid.UUID) else value.isoformat()
    if isinstance(value, float):
        if field.type == "decimal" and not boundaries.keeps_digits(value):
            return False
        value = decimal.Decimal(repr(value))
    try:
        field_types.TYPES[field.type].default(value, field)
    except Refused:
        return False
    return True


def example_of(*fields: Field, references: tuple[Reference, ...] = ()) -> Any:
    entity = Entity("Item", "items", fields=fields, references=references)
    expression = CaseView(entity, Spec((entity, ENTITY))).example
    return value_of(expression) if expression else None


def test_an_example_has_json_values_and_only_the_references_that_it_needs() -> None:
    example = example_of(
        Field("at", "datetime"),
        Field("price", "decimal", precision=5, scale=2),
        Field("note", "text", min_length=201),  # too long to read
        references=(
            Reference("order", "many_to_one", "OrderItem", required=True),
            Reference("other", "many_to_one", "OrderItem"),
        ),
    )
    assert uuid.UUID(example.pop("order_id"))
    assert example == {"at": "2026-01-01T01:00:00Z", "price": "0.01"}
    assert json.loads(json.dumps(example)) == example


def test_there_is_no_example_without_a_value_for_each_required_field() -> None:
    assert example_of(Field("note", "text", required=True, min_length=201)) is None
    assert example_of() is None


def check(field: Field) -> None:
    """Check the samples and boundary values of a field against its limits."""
    series = samples.series(ENTITY, field)
    assert series is not None
    for number in samples.TRIED:
        value = value_of(series.expression, number)
        assert value == series.at(number)
        assert is_valid(field, value), (series.expression, number)
    edges = boundaries.edges(field)
    for expression in edges.accepted:
        assert is_valid(field, value_of(expression)), expression
    for expression in (*edges.refused, *edges.malformed):
        assert not is_valid(field, value_of(expression)), expression


# Patterns

PATTERNS = [
    ("^[a-z0-9]+(-[a-z0-9]+)*$", 0, 100),
    (r"^\+[1-9][0-9]{6,14}$", 0, 20),
    ("^[A-Z]{2}$", 2, 2),
    ("[a-z]", 10, 255),
    ("^(foo|bar|bazqux)$", 0, 255),
    ("^(?:[01]\\d|2[0-3]):[0-5]\\d$", 0, 5),
    ("\\d{3}-\\d{4}", 0, 255),
    ("^#[0-9a-fA-F]{6}$", 7, 7),
    ("^[^<>&]*$", 1, 50),
    ("^.{5,}$", 0, None),
    ("(?i)^abc$", 0, 255),
    ("^\\w+\\s\\w+$", 20, 30),
    ("^a*$", 0, 3),
    ("^<[a-z]+>$", 0, 30),
    ("^[\\u0400-\\u04ff]+$", 2, 5),
    ("^v?\\d+\\.\\d+\\.\\d+(-[a-z]+(\\.[a-z]+)*)?$", 0, 255),
    ("^([a-z]{2}){5}$", 10, 10),
    ("^(([a-z]+)\\.)+[a-z]{2,}$", 0, 63),
    ("a|b", 3, 3),
    ("^[a-z]+$", 300, 300),
    ("^(a+)+$", 30, 40),
    ("\\bfoo\\b", 0, 255),
]


@pytest.mark.parametrize(("pattern", "least", "most"), PATTERNS)
def test_texts_match_their_pattern(pattern: str, least: int, most: int | None) -> None:
    texts = examples.matching(pattern, least, most, 12)
    assert texts
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert re.search(pattern, text)
        assert least <= len(text) <= (most or examples.LONGEST)
        assert text.isprintable()
    assert examples.matching(pattern, least, most, 12) == texts


@pytest.mark.parametrize(("pattern", "least", "most"), PATTERNS)
def test_strings_that_do_not_match(pattern: str, least: int, most: int | None) -> None:
    text = examples.not_matching(pattern, least, most)
    if text is not None:
        assert not re.search(pattern, text)
        assert least <= len(text) <= (most or examples.LONGEST)
    else:
        assert pattern in ("^.{5,}$",)


def test_all_of_a_few_matching_strings_are_found() -> None:
    assert set(examples.matching("^(red|green)$", 0, 9, 12)) == {"red", "green"}
    assert examples.matching("^$", 0, 9, 12) == [""]


@pytest.mark.parametrize("pattern", ["^n", "n$", "\\bfoo\\b", "a|b", "[xy]"])
def test_many_strings_are_found_if_the_length_allows(pattern: str) -> None:
    assert len(examples.matching(pattern, 2, 255, 12)) == 12


@pytest.mark.parametrize(
    ("pattern", "least", "most"), [("^a$", 2, 3), ("^a{5}$", 0, 4), ("^\\n$", 0, 9)]
)
def test_nothing_is_found_if_nothing_matches(
    pattern: str, least: int, most: int
) -> None:
    assert examples.matching(pattern, least, most, 12) == []


def test_markup_is_the_last_choice() -> None:
    for pattern in ("^.{3}$", "^[^a]{4}$", "^[!-~]{2}$", "^\\S+$"):
        for text in examples.matching(pattern, 0, 20, 12):
            assert not set(text) & set("<>&")


@given(
    st.lists(
        st.sampled_from(["a", "[a-f]", "\\d", "(x|yz)", "[^q]", ".", "\\w"]).flatmap(
            lambda atom: st.sampled_from([atom, atom + "?", atom + "{2,3}"])
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 12),
)
def test_any_pattern_of_enough_room_is_matched(parts: list[str], least: int) -> None:
    pattern = "^" + "".join(parts) + ".*$"
    assert portable.problem(pattern) is None
    texts = examples.matching(pattern, least, 60, 3)
    assert texts
    assert all(re.search(pattern, text) and len(text) >= least for text in texts)


# Fields


def text_fields() -> Iterator[Field]:
    """Yield string and text fields of many lengths."""
    for least, most in ((None, 255), (0, 1), (1, 1), (1, 3), (10, 10), (30, 40)):
        yield Field("title", "string", min_length=least, max_length=most)
    yield Field("body", "text")
    yield Field("body", "text", min_length=10)
    yield Field("a_name_" + "x" * 56, "string", min_length=60, max_length=70)
    yield Field("a_name_" + "x" * 56, "string", max_length=20)
    for pattern, least, most in PATTERNS:
        if pattern != "\\bfoo\\b":
            yield Field(
                "code", "text", pattern=pattern, min_length=least, max_length=most
            )


@pytest.mark.parametrize("field", list(text_fields()), ids=repr)
def test_strings_are_valid(field: Field) -> None:
    check(field)


@pytest.mark.parametrize(
    "field",
    [
        Field("site", "url", max_length=2048),
        Field("site", "url", max_length=25),
        Field("site", "url", max_length=12),
        Field("site", "url", max_length=8),
        Field("mail", "email", max_length=320),
        Field("mood", "enum", values=("good", "bad", 'it\'s "so" \\ so')),
        Field("mood", "enum", values=("none of them",)),
        Field("flag", "boolean"),
        Field("day", "date"),
        Field("hour", "time"),
        Field("moment", "datetime"),
        Field("key", "uuid"),
        Field("data", "json"),
    ],
    ids=repr,
)
def test_other_types_are_valid(field: Field) -> None:
    check(field)


@pytest.mark.parametrize(
    ("limits", "expression"),
    [
        ({}, "n"),
        ({"ge": 1}, "n"),
        ({"gt": 17}, "18 + n"),
        ({"ge": 0, "le": 9}, "n % 10"),
        ({"ge": 1, "le": 5}, "1 + n % 5"),
        ({"multiple_of": 10}, "n * 10"),
        ({"ge": 10, "le": 50, "multiple_of": 10}, "(1 + n % 5) * 10"),
        ({"ge": 7, "le": 7}, "7"),
    ],
)
def test_integers_read_well(limits: dict[str, int], expression: str) -> None:
    field = Field("count", "integer", **limits)
    series = samples.series(ENTITY, field)
    assert series is not None
    assert series.expression == expression
    check(field)


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20)


@given(NUMBERS, NUMBERS, st.integers(1, 50), st.booleans(), st.booleans())
def test_integers_are_valid(
    low: int, high: int, step: int, least_open: bool, most_open: bool
) -> None:
    low, high = sorted((low, high))
    bounds = {"gt" if least_open else "ge": low, "lt" if most_open else "le": high}
    field = Field("count", "integer", multiple_of=step, **bounds)
    first, last, _ = samples.integer_range(field)
    if first <= last:
        check(field)
    else:
        assert samples.series(ENTITY, field) is None


FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-2, 2)


@given(FLOATS, FLOATS, st.booleans(), st.booleans())
def test_floats_are_valid(
    low: float, high: float, least_open: bool, most_open: bool
) -> None:
    low, high = sorted((low, high))
    bounds = {"gt" if least_open else "ge": low, "lt" if most_open else "le": high}
    field = Field("weight", "float", **bounds)
    first, last = samples.float_range(field)
    if first <= last:
        check(field)
    else:
        assert samples.series(ENTITY, field) is None


@st.composite
def decimal_fields(draw: st.DrawFn) -> Field:
    """Return decimal fields; bounds may have more digits than scale allows."""
    precision = draw(st.integers(1, 40) | st.just(1000))
    scale = draw(st.integers(0, min(precision, 12)) | st.just(precision))
    bound = st.none() | st.decimals(-1000, 1000, places=3)
    low, high = draw(bound), draw(bound)
    if low is not None and high is not None:
        low, high = sorted((low, high))
    bounds = {"gt" if draw(st.booleans()) else "ge": low}
    bounds["lt" if draw(st.booleans()) else "le"] = high
    return Field("price", "decimal", precision=precision, scale=scale, **bounds)


@given(decimal_fields())
def test_decimals_are_valid(field: Field) -> None:
    first, last = samples.decimal_range(field)
    if first <= last:
        check(field)
    else:
        assert samples.series(ENTITY, field) is None


def test_decimals_are_tried_as_numbers_too() -> None:
    edges = boundaries.edges(Field("price", "decimal", precision=18, scale=2))
    assert "9999999999999.99" in edges.accepted
    assert "12345678901234.56" in edges.malformed
    edges = boundaries.edges(Field("tiny", "decimal", precision=1000, scale=1000))
    assert not [text for text in edges.accepted if '"' not in text and text != "0"]
    edges = boundaries.edges(Field("price", "decimal", precision=6, scale=2, lt=0))
    assert "-9999.99" in edges.accepted
    assert not [text for text in edges.malformed if not text.startswith('"')]


def test_decimals_read_well() -> None:
    for limits, expression in (
        ({"precision": 12, "scale": 2}, 'decimal.Decimal("0.99") + n'),
        ({"precision": 9, "scale": 0}, "decimal.Decimal(n)"),
        (
            {"precision": 4, "scale": 4, "gt": 0},
            "decimal.Decimal(1 + n % 9999).scaleb(-4)",
        ),
    ):
        series = samples.series(ENTITY, Field("price", "decimal", **limits))
        assert series is not None
        assert series.expression == expression


def test_json_is_written_as_a_formatter_would() -> None:
    value = {"a": [1, 2.5, None, True], 'it\'s "so"': "x" * 30, "d": {}}
    written = boundaries.json_expression(value)
    assert value_of(written) == value
    assert written.startswith('{"a": [1, 2.5, None, True], ')
    assert '"x" * 30' in written
    assert boundaries.json_expression(decimal.Decimal("1.50")) == '"1.50"'
    assert json.loads(json.dumps(value_of(written))) == value


# Ids

SENT = [
    {},
    {"max_length": 1},
    {"max_length": 3},
    {"pattern": "^[A-Z]{2}$", "max_length": 2},
    {"pattern": "^(a|b|c|d|e|f|g|h|i|j|k|l)$"},
    {"pattern": "^[^/]+$"},
    {"pattern": "^.{40}$"},
    {"pattern": "^[a-z]+( [a-z]+)?$"},
    {"pattern": "^\\.{1,20}$"},
    {"pattern": "[0-9]$", "max_length": 4},
]


def sent(**keys: Any) -> Id:
    """Return a string id that clients send, as the specification has it."""
    return Id(type="string", generated=False, **{"max_length": 255, **keys})


@pytest.mark.parametrize("keys", SENT, ids=repr)
def test_ids_that_clients_send_are_valid(keys: dict[str, Any]) -> None:
    key = sent(**keys)
    series = samples.key_series(Entity("A", "as", id=key))
    assert series is not None
    for number in samples.TRIED:
        value = value_of(series.expression, number)
        assert value == series.at(number)
        assert ids.is_id(value)
        assert len(value) <= key.length
        assert re.search(key.pattern or "", value)
    for wrong in boundaries.refused_ids(key):
        assert not ids.is_id(wrong) or len(wrong) > key.length


def test_an_id_is_one_segment_of_a_url() -> None:
    for text in ("a", "A-1", "...", ".a", "~", "_", "x" * 255):
        assert ids.is_id(text)
    for text in ("", ".", "..", "a/b", "a b", "a%", "é", "a\n", "\uff11"):
        assert not ids.is_id(text)


def test_no_id_is_found_for_a_pattern_that_none_matches() -> None:
    for pattern in ("^$", " ", "@", "^\\.$", "^é", "/"):
        assert ids.matching(pattern, 255, 1) == []


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_integers_beyond_the_bits_of_an_id_are_refused(bits: int) -> None:
    refused = boundaries.refused_ids(Id(type="integer", bits=bits))
    assert {str(2 ** (bits - 1)), str(-(2 ** (bits - 1)) - 1)} <= {*refused}


def test_only_ids_that_clients_send_have_samples() -> None:
    for kind in ("uuid", "integer", "string"):
        assert samples.key_series(Entity("A", "as", id=Id(type=kind))) is None


# Unique values, and the number of rows that tests can store


def capacity(*entities: Entity) -> int:
    """Return how many rows of the last entity tests can store."""
    return CaseView(entities[-1], Spec(entities)).capacity


def test_capacity_is_the_number_of_distinct_rows() -> None:
    flag = Field("flag", "boolean", required=True, unique=True)
    mood = Field("mood", "enum", values=("a", "b", "c"), unique=True)
    name = Field("name", "string", unique=True, max_length=255)
    assert capacity(Entity("A", "as")) == samples.ENOUGH
    assert capacity(Entity("A", "as", fields=(name,))) == samples.ENOUGH
    assert capacity(Entity("A", "as", fields=(mood, name))) == 3
    assert capacity(Entity("A", "as", fields=(flag, mood))) == 2


def test_capacity_counts_pairs() -> None:
    flag = Field("flag", "boolean")
    mood = Field("mood", "enum", values=("a", "b", "c"))
    pair = Entity("A", "as", fields=(flag, mood), unique=(("flag", "mood"),))
    assert capacity(pair) == 6
    parent = Reference("parent", "many_to_one", "A")
    loose = Entity(
        "A", "as", fields=(flag,), references=(parent,), unique=(("flag", "parent_id"),)
    )
    assert capacity(loose) == samples.ENOUGH


def test_capacity_is_that_of_required_parents() -> None:
    flag = Field("flag", "boolean", unique=True)
    rare = Entity("Rare", "rares", fields=(flag,))
    needs = Reference("rare", "many_to_one", "Rare", required=True)
    also = Reference("other", "many_to_one", "Rare", required=True)
    may = Reference("maybe", "many_to_one", "Rare")
    assert capacity(rare, Entity("A", "as", references=(needs,))) == 2
    assert capacity(rare, Entity("A", "as", references=(needs, also))) == 1
    assert capacity(rare, Entity("A", "as", references=(may,))) == samples.ENOUGH


def chain(length: int, names: tuple[str, ...], *fields: Field) -> list[Entity]:
    """Return entities that each require the one before, by each of these names."""
    return [
        Entity(
            f"E{n}",
            f"e{n}s",
            fields=() if n else fields,
            references=tuple(
                Reference(name, "many_to_one", f"E{n - 1}", required=True)
                for name in names
                if n
            ),
        )
        for n in range(length)
    ]


def test_capacity_is_fast_with_many_paths_to_a_parent() -> None:
    """2^24 rows of the first entity: following each path would take minutes."""
    number = Field("number", "integer", unique=True)
    started = time.process_time()
    assert capacity(*chain(25, ("a", "b"), number)) == 1
    assert time.process_time() - started < 0.3


def test_capacity_of_a_chain_beyond_the_recursion_limit() -> None:
    flag = Field("flag", "boolean", unique=True)
    assert capacity(*chain(1_500, ("before",), flag)) == 2


def test_floats_have_no_plus_in_the_exponent() -> None:
    assert samples.float_expression(1e300) == "1e300"
    assert samples.float_expression(math.ulp(0)) == "5e-324"
