"""Tests of the JSON parser: the values of json.loads, positions as editors count."""

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.spec.json.decoding import MAX_BYTES, EncodingError, decode
from scaffold.spec.json.parsing import (
    MAX_DEPTH,
    MAX_NUMBER,
    Array,
    Lines,
    Object,
    Parser,
)
from scaffold.spec.json.syntax_errors import SourceError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
SPACE = st.text("\t\n\r ", max_size=3)


def plain(value: object) -> object:
    """Return the value as json.loads returns it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


@given(JSON, st.booleans(), st.none() | st.integers(0, 3))
def test_values_are_those_of_json(value: Any, ascii_only: bool, indent: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    parser = Parser(text)
    assert plain(parser.parse()) == json.loads(text)
    assert not parser.problems


@given(st.text('{}[]",:\\ \n0123456789.eE+-truefalsn/u\x00é', max_size=30))
def test_accepts_what_json_accepts(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=lambda name: math.nan)
    except ValueError:
        with pytest.raises(SourceError):
            Parser(text).parse()
        return
    parser = Parser(text)
    assert plain(parser.parse()) == expected or parser.problems


@given(SPACE, SPACE, SPACE, SPACE)
def test_positions_are_those_in_the_text(a: str, b: str, c: str, d: str) -> None:
    text = f'{a}{{{b}"key"{c}:{d}[{a}true{b},{c}"x"{d}]{a},"é\\n":{b}-1.5{c}}}{d}'
    node = Parser(text).parse()
    assert isinstance(node, Object)
    items = node["key"]
    assert isinstance(items, Array)
    assert text[node.at] == "{"
    assert text.startswith('"key"', node.keys_at["key"])
    assert text.startswith("[", node.values_at["key"])
    assert [text[at] for at in items.items_at] == ["t", '"']
    assert text.startswith('"é', node.keys_at["é\n"])
    assert text.startswith("-1.5", node.values_at["é\n"])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_and_columns_count_from_one(newline: str) -> None:
    lines = Lines(f"a{newline}{newline}äbc")
    start = 1 + 2 * len(newline)
    assert lines.position(0) == (1, 1)
    assert lines.position(start) == (3, 1)
    assert lines.position(start + 2) == (3, 3)


def test_fractions_stay_exact() -> None:
    assert Parser("0.1000000000000000055511151231257827").parse() == Decimal(
        "0.1000000000000000055511151231257827"
    )
    assert Parser("1e2").parse() == Decimal(100)
    assert Parser("1e-99999999999999999999").parse() == 0


def test_escapes_and_surrogate_pairs() -> None:
    text = r'"\ud83d\ude00 A\"\\\/\b\f\n\r\t 😀"'
    assert Parser(text).parse() == json.loads(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r'"\ud800"', r"a lone surrogate \ud800"),
        (r'"\ude00\ud83d"', r"a lone surrogate \ude00"),
        (r'"a\u0000"', "a NUL character"),
        ("[1e999]", "1e999 is out of range"),
        ('{"a": 1, "a": 2}', 'duplicate key "a"'),
    ],
)
def test_parsing_continues_after_problems_of_values(text: str, message: str) -> None:
    parser = Parser(text)
    parser.parse()
    assert [problem for _, problem in parser.problems if message in problem]


def test_limits() -> None:
    Parser("[" * MAX_DEPTH + "]" * MAX_DEPTH).parse()
    with pytest.raises(SourceError, match=f"deeper than {MAX_DEPTH}"):
        Parser("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).parse()
    Parser("1" * MAX_NUMBER).parse()
    with pytest.raises(SourceError, match=f"more than {MAX_NUMBER}"):
        Parser("1" * (MAX_NUMBER + 1)).parse()
    with pytest.raises(SourceError):
        Parser("[" * 100_000).parse()


def test_accepts_a_byte_order_mark() -> None:
    assert decode(b"\xef\xbb\xbf{}") == "{}"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ['{"entities": []}', ' \n{"a": 1}', '\t"x"'])
def test_names_wide_encodings(encoding: str, text: str) -> None:
    with pytest.raises(EncodingError, match=encoding[:6].upper()):
        decode(text.encode(encoding))


def test_names_the_byte_that_is_not_utf8() -> None:
    with pytest.raises(EncodingError, match=r"byte 0xE9 at offset 7 .*'é'") as caught:
        decode(b'\xef\xbb\xbf{\n"a\xe9"}')
    assert caught.value.readable == '{\n"a'


def test_refuses_a_file_beyond_the_limit() -> None:
    assert decode(b"1".ljust(MAX_BYTES))
    with pytest.raises(EncodingError, match="larger than 2 MiB"):
        decode(b"1".ljust(MAX_BYTES + 1))
