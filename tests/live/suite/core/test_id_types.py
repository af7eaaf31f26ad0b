"""The types of ids in bodies and paths, which not every project has all of."""

import re
from typing import Annotated, Any

import pydantic
import pytest

from src.api import http
from src.models import types

CODE = Annotated[
    str, pydantic.Field(min_length=1, max_length=5, pattern="^[a-z.]+"), types.TEXT_ID
]
TEXT = Annotated[str, pydantic.Field(min_length=1, max_length=5), types.TEXT_ID]


def accepts(annotation: Any, value: Any) -> bool:
    try:
        pydantic.TypeAdapter(annotation).validate_python(value)
    except pydantic.ValidationError:
        return False
    return True


@pytest.mark.parametrize("text", ["a", "...", "Z-1", "~", "a_b", "12345"])
def test_an_id_of_text_is_one_segment_of_a_path(text: str) -> None:
    assert accepts(TEXT, text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "a b", "a%", "é", "a\n", "\uff11", "a\0", "123456"]
)
def test_other_texts_are_refused(text: str) -> None:
    assert not accepts(TEXT, text)


@pytest.mark.parametrize("annotation", [TEXT, CODE])
def test_the_schema_of_a_text_id_accepts_what_the_service_accepts(
    annotation: Any,
) -> None:
    schema = pydantic.TypeAdapter(annotation).json_schema()
    patterns = [schema["pattern"], *(one["pattern"] for one in schema.get("allOf", ()))]
    for text in ("a", ".", "..", "...", "a b", "A", "a/b", "a.b", "1", "abcdef", ""):
        described = (
            all(re.search(pattern, text) for pattern in patterns)
            and text not in schema["not"]["enum"]
            and schema["minLength"] <= len(text) <= schema["maxLength"]
        )
        assert described == accepts(annotation, text), text


@pytest.mark.parametrize(
    ("annotation", "bits"),
    [(http.SmallIntegerId, 16), (http.Integer32Id, 32), (http.IntegerId, 64)],
)
def test_an_integer_in_a_path_has_one_spelling(annotation: Any, bits: int) -> None:
    most = 2 ** (bits - 1)
    for number in (0, 7, -1, most - 1, -most):
        assert accepts(annotation, str(number))
    wrong = [
        "+1",
        "007",
        "00",
        "-0",
        " 1",
        "1 ",
        "1.0",
        "1_0",
        "0x1",
        "",
        "\uff11",
        "1\n",
    ]
    for text in (*wrong, str(most), str(-most - 1), "9" * 10_000):
        assert not accepts(annotation, text), text[:50]


@pytest.mark.parametrize(
    ("annotation", "bits"),
    [(types.SmallInteger, 16), (types.Integer32, 32), (types.Integer, 64)],
)
def test_an_integer_in_a_body_is_within_its_bits(annotation: Any, bits: int) -> None:
    most = 2 ** (bits - 1)
    assert accepts(annotation, most - 1)
    assert accepts(annotation, -most)
    for value in (most, -most - 1, 1.5):
        assert not accepts(annotation, value), value
