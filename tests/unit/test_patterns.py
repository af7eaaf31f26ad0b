"""Tests of patterns: the checker and its search against Pydantic's own engine."""

import re
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaError, SchemaValidator, core_schema

from scaffold.patterns import portable


def compiled(pattern: str) -> SchemaValidator | None:
    """Return Pydantic's validator, or None if it refuses the pattern."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return None


def found(validator: SchemaValidator, value: str) -> bool:
    try:
        validator.validate_python(value)
    except ValidationError:
        return False
    return True


GOOD = r"""
^[a-z]+$
\d{3}-\d{4}
^(?:a|b)*?c+?$
(?i)^yes|no$
\bword\b|\Bx
^\S.*\S$
[\]\-\^\\]
^.{0,100}$
(?P<year>[0-9]{4})
^\u00e9?\x41$
^$|^[A-Z]
(?s)a.b
^[\w.-]{1,64}$
\$\{
^[à-öø-ÿ]+$
(?m)^line$
(?i:abc)def
^((a|b)|(c|d)){1,3}$
[^\W\d_]
[]a]
[^]a]
\w{190}
[a-z]{1000}
a{2,}
()
a|
}
]
\/\-\ \"\'\%\~\!\@\&\=\:\;\,\`\#\_
\a\f\v\t\n\r
(?i)ß
(?-i:a)
[\s\S]
""".strip().splitlines()


@pytest.mark.parametrize("pattern", GOOD)
def test_accepts_what_both_engines_support(pattern: str) -> None:
    assert portable.problem(pattern) is None
    assert compiled(pattern)
    assert re.compile(pattern)


BAD = r"""
a(?=b)
a(?!b)
(?<=a)b
(?<!a)b
(a)\1
(?P<x>a)(?P=x)
(a)?(?(1)b|c)
(?>a)
a*+
a++
a?+
a{2}+
a\Z
\z
\p{L}
\P{L}
\N{BULLET}
(a
a)
[a
*a
[z-a]
\y
\e
a{1001}
a{0,1001}
a{3,2}
a{,3}
{name}
a{x}
a{ 2}
\w{500}
((a{1000}){1000})
a(?#b)
(?x) a b
(?a)\w
(?x:a b)
[a-z&&[b]]
[[:alpha:]]
[a--b]
[a~~b]
[[]
\07
\ud800
[\ud800-\udfff]
\<a
a\>
(?P<a>x)(?P<a>y)
(?P<é>x)
[\b]
(?<a>x)
\x{41}
\é
(?R)
\
""".strip().splitlines()


@pytest.mark.parametrize("pattern", BAD)
def test_refuses_what_one_engine_does_not_support(pattern: str) -> None:
    assert portable.problem(pattern)


@pytest.mark.parametrize("pattern", ["(" * 60 + "a" + ")" * 60, "(" * 9999, "a" * 9999])
def test_refuses_what_is_too_large(pattern: str) -> None:
    assert portable.problem(pattern)


def words(text: str) -> list[str]:
    return text.split()


ATOMS = st.sampled_from(
    [" ", *words(r"a b z 0 9 _ . - \d \w \s \D \W \S \. \\ \b \B \A ^ $ \n é ß")]
)
CLASSES = st.builds(
    lambda negated, items: "[" + "^" * negated + "".join(items) + "]",
    st.booleans(),
    st.lists(
        st.sampled_from(words(r"a z 0 9 _ . é a-z 0-9 \d \w \s \S \W à-ÿ \] \- &")),
        min_size=1,
        max_size=3,
    ),
)
REPEATS = st.sampled_from(["", *words("* + ? *? {2} {0,3} {1,} {70} {300} {,2} *+")])
GROUPS = st.sampled_from(["({})", "(?:{})", "(?i:{})", "({}|a)", "(?s:{})", "(?={})"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    grouped = st.builds(str.format, GROUPS, inner)
    repeated = st.builds(str.__add__, grouped | CLASSES | ATOMS, REPEATS)
    return st.lists(repeated, min_size=1, max_size=3).map("".join)


PATTERNS = st.recursive(ATOMS | CLASSES, combined, max_leaves=8)
RAW = st.text(r"ab\dwspx{}[]()?*+|^$.,-&~!=<>:Pi123é", max_size=12)
VALUES = st.lists(st.text("ab z09_.-é\n", max_size=8), min_size=1, max_size=5)


@given(PATTERNS | RAW, VALUES)
@example(r"^a$", ["a\n"])
@example(r"(?m)^$", ["a\n", "\n", ""])
def test_what_is_accepted_means_the_same_to_both(
    pattern: str, values: list[str]
) -> None:
    assume(portable.problem(pattern) is None)
    validator = compiled(pattern)
    assert validator is not None
    python = re.compile(pattern)
    for value in values:
        expected = found(validator, value)
        assert portable.search(pattern, value) is expected
        # Python alone lets $ match before a last line break, and \B not in "".
        if value and not value.endswith("\n"):
            assert (python.search(value) is not None) is expected


# Characters that are too new for one of the two are not compared.
KNOWN = st.characters(max_codepoint=0x2FFF, exclude_categories=["Cn", "Cs"])


@given(st.sampled_from(GOOD), st.text(KNOWN, max_size=8))
def test_search_agrees_with_pydantic_on_any_text(pattern: str, value: str) -> None:
    validator = compiled(pattern)
    assert validator is not None
    assert portable.search(pattern, value) is found(validator, value)


@given(st.text(max_size=30))
def test_any_text_can_be_checked(pattern: str) -> None:
    if portable.problem(pattern) is None:
        assert compiled(pattern) is not None


def test_search_takes_bounded_time() -> None:
    started = time.process_time()
    assert portable.search("^(a+)+$", "a" * 1_000 + "b") is False
    assert portable.search("((a*)*)*b$", "a" * 2_000) in (False, None)
    assert portable.search("^(a|a)*$", "a" * 500 + "b") is False
    assert time.process_time() - started < 2


def test_search_stops_if_it_is_too_costly() -> None:
    assert portable.search("^(a+)+$", "a" * 100_000 + "b") is None


def test_pydantic_searches_too() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(str)
    assert adapter.validate_python("x") == "x"
    validator = compiled("b")
    assert validator
    assert found(validator, "abc")


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("^a{2,5}$", 2, 5),
        ("^(ab|c)?$", 0, 2),
        ("^$", 0, 0),
        ("", 0, None),
        ("^a+$", 1, None),
        ("a{5}", 5, None),
        ("^a{5}", 5, None),
        ("^a$|^bb$", 1, None),
        ("(?m)^a$", 1, None),
    ],
)
def test_lengths_of_what_matches(pattern: str, least: int, most: int | None) -> None:
    assert portable.lengths(pattern) == (least, most)
