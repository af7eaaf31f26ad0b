"""The types of JSON fields: what they cost, and that what is answered can be sent again."""

import time
import tracemalloc
from typing import Any

import pydantic
import pytest

from src.models.base import Schema
from tests import values
from tests.unit.test_types import ACCEPTED, ADAPTERS, Priced

LONG = 100_000
NASTY = [
    *(LONG * one for one in ("1", "a", " ", "%", "-", "a.", "xn--")),
    *(f"http://{LONG * one}<" for one in ("a", "a.", "[", "@", ":1")),
    *(f"{LONG * one}@example.com " for one in ("a", "a.", '"')),
    f"a@{LONG * 'a.'}!",
    f"2026-01-31T13:30:00.{LONG * '0'}Z",
    f"13:30:00.{LONG * '0'}",
]


class Patterned(Schema):
    """A field of a pattern on which other engines try every way to part a text."""

    text: str = pydantic.Field(pattern="^(a+)+$")


@pytest.mark.parametrize("length", [28, 500_000])
def test_a_pattern_takes_time_as_long_as_the_text(length: int) -> None:
    body = {"text": length * "a" + "!"}
    began = time.process_time()
    with pytest.raises(pydantic.ValidationError, match="pattern"):
        Patterned.model_validate(body)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("name", ["date", "time", "datetime", "email", "url"])
def test_a_long_text_is_refused_at_once(name: str) -> None:
    for text in NASTY:
        began = time.process_time()
        with pytest.raises(pydantic.ValidationError):
            ADAPTERS[name].validate_python(text)
        assert time.process_time() - began < 0.5, text[:40]


@pytest.mark.parametrize("end", ["", "x", ".", "e", "e1", "e999999999", ".x"])
def test_a_long_decimal_is_refused_at_once(end: str) -> None:
    for digits in (LONG * "1", f"1.{LONG * '1'}", f".{LONG * '0'}1"):
        began = time.process_time()
        with pytest.raises(pydantic.ValidationError):
            Priced.model_validate({"price": digits + end})
        assert time.process_time() - began < 0.5


@pytest.mark.usefixtures("untraced")
def test_a_large_document_is_checked_in_little_memory() -> None:
    document = [[0] * 100_000, {"items": [True] * 100_000}]
    tracemalloc.start()
    try:
        ADAPTERS["json"].validate_python(document)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two lists of references; a note on each item would take several times as much.
    assert most < 40 * 100_000


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n in ADAPTERS for v in ACCEPTED[n]]
)
def test_what_is_answered_can_be_sent_again(name: str, value: Any) -> None:
    """A client may read a row, and replace it by what it has read."""
    taken = ADAPTERS[name].validate_python(value)
    answered = ADAPTERS[name].dump_json(taken)
    assert ADAPTERS[name].validate_json(answered) == taken


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_value_that_is_refused_has_a_message(name: str) -> None:
    for value in values.REFUSED[name]:
        with pytest.raises(pydantic.ValidationError) as refused:
            ADAPTERS[name].validate_python(value)
        assert all(problem["msg"] for problem in refused.value.errors())


@pytest.mark.parametrize("name", ["date", "time", "datetime"])
@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-02-30T25:00:00Z", "24:00", "13:30:00."]
)
def test_impossible_times_are_refused(name: str, text: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        ADAPTERS[name].validate_python(text)


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_schema_of_a_type_can_be_written(name: str) -> None:
    for mode in ("validation", "serialization"):
        schema = ADAPTERS[name].json_schema(mode=mode)
        assert schema if name != "json" else isinstance(schema, dict)


def test_numbers_that_a_parser_of_json_may_have_rounded_are_refused() -> None:
    assert ADAPTERS["integer"].validate_json("5.0") == 5
    assert ADAPTERS["integer"].validate_json("5e0") == 5
    for text in ("9007199254740993.0", "1e16", "5.5"):
        with pytest.raises(pydantic.ValidationError):
            ADAPTERS["integer"].validate_json(text)
    assert str(Priced.model_validate_json('{"price": 0.5}').price) == "0.50"
    for text in ("true", '"1_000"', "0.12345678901234567", '""', "[]"):
        with pytest.raises(pydantic.ValidationError):
            Priced.model_validate_json(f'{{"price": {text}}}')
