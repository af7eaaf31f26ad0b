"""What the types of JSON fields cost: no text is slow to refuse, no document large."""

import time
import tracemalloc

import pydantic
import pytest

from src.models.base import Schema
from tests.unit.test_types import ADAPTERS, Priced

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
