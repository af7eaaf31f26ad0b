"""Checks that a pattern means the same to Python's re and to Rust's regex."""

import importlib
import re
from functools import lru_cache
from typing import Any

from scaffold.patterns.matching import Matcher, TooCostly

MAX_PATTERN = 4_096
MAX_REPEAT = 1_000
MAX_NESTING = 50
# Rust's regex compiles to at most 10 MiB; the sizes below are measured in bytes.
MAX_SIZE = 10_000_000
# Each pattern of a file is read several times, with all others in between.
_CACHED = 10_000

# The parser of re itself, which has no public name.
_parser: Any = importlib.import_module("re._parser")

_REPEAT = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_OTHER_FLAGS = ~(re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE).value
_REFUSED = {
    "ASSERT": "look-around, which Rust's regex does not support",
    "ASSERT_NOT": "look-around, which Rust's regex does not support",
    "FAILURE": "look-around, which Rust's regex does not support",
    "GROUPREF": "a back-reference, which Rust's regex does not support",
    "GROUPREF_EXISTS": "a conditional group, which Rust's regex does not support",
    "ATOMIC_GROUP": "an atomic group, which Rust's regex does not support",
    "POSSESSIVE_REPEAT": "a possessive repeat, which Rust's regex does not support",
}
_BACKSLASHES = {
    "<": "\\<, which is the start of a word in Rust; write <",
    ">": "\\>, which is the end of a word in Rust; write >",
    "N": "\\N{...}, which Rust's regex does not support; write the character",
    "Z": "\\Z, which Rust's regex does not support; write $",
    "z": "\\z, which Python's re does not support; write $",
    "p": "\\p{...}, which Python's re does not support; list the characters",
    "P": "\\P{...}, which Python's re does not support; list the characters",
}


class _Refused(Exception):
    """The pattern cannot be used; the text goes on after the pattern in a message."""


@lru_cache(maxsize=_CACHED)
def problem(pattern: str) -> str | None:
    """Return why a pattern cannot be used, in words that follow it, or None."""
    try:
        if len(pattern) > MAX_PATTERN:
            limit = f"the limit is {MAX_PATTERN}"
            raise _Refused(f"has {len(pattern)} characters; {limit}")
        _SyntaxCheck(pattern).run()
        tree = _parse(pattern)
        if _SizeEstimate().sequence(tree, tree.state.flags) > MAX_SIZE:
            raise _Refused(
                "is too large for Rust's regex; reduce the repeats, or write "
                "[A-Za-z0-9_] and [0-9] for \\w and \\d, which are all of Unicode"
            )
    except _Refused as refused:
        return str(refused)
    return None


@lru_cache(maxsize=_CACHED)
def lengths(pattern: str) -> tuple[int, int | None]:
    """Return the minimum and maximum length of a value that matches a checked pattern.

    There is a maximum only if the pattern is anchored at both ends.
    """
    tree = _parse(pattern)
    least, most = tree.getwidth()
    ends = [(str(op), str(what)) for op, what in (tree[0], tree[-1])] if tree else []
    anchored = ends == [("AT", "AT_BEGINNING"), ("AT", "AT_END")]
    limited = anchored and most < _parser.MAXREPEAT and not tree.state.flags & re.M
    return int(least), int(most) if limited else None


@lru_cache(maxsize=_CACHED)
def search(pattern: str, value: str) -> bool | None:
    """Whether a checked pattern matches a value as in the service; None if too costly.

    It does not use re.search, where `$` also matches before a last line break, and
    `(a+)+$` can take years.
    """
    tree = _parse(pattern)
    try:
        return Matcher(value).search(tree, tree.state.flags)
    except TooCostly:
        return None


@lru_cache(maxsize=_CACHED)
def _parse(pattern: str) -> Any:
    try:
        return _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise _Refused(f"is not a valid regular expression: {error}") from None


class _SyntaxCheck:
    """Checks what only the text shows: the tree has no comments, braces or escapes."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.nesting = 0

    def run(self) -> None:
        at = 0
        while at < len(self.pattern):
            character = self.pattern[at]
            if character == "\\":
                at = self._escape(at)
            elif character == "[":
                at = self._class(at)
            elif character == "{":
                at = self._brace(at)
            else:
                self._group(at)
                at += 1

    def _escape(self, at: int, inside: bool = False) -> int:
        character = self.pattern[at + 1 : at + 2]
        if character.isdigit():
            octal = "a back-reference or an octal escape"
            raise _Refused(
                f"has \\{character}, {octal}, which Rust's regex does not support"
            )
        if character in _BACKSLASHES and character:
            raise _Refused(f"has {_BACKSLASHES[character]}")
        if not character.isascii():
            raise _Refused(f"has \\{character}; write {character}")
        if inside and character == "b":
            raise _Refused("has \\b in a class, which Rust's regex does not support")
        return at + 2

    def _group(self, at: int) -> None:
        if self.pattern[at] == ")":
            self.nesting -= 1
        if self.pattern[at] != "(":
            return
        if self.pattern.startswith("(?#", at):
            raise _Refused("has a comment, which Rust's regex does not support")
        if re.match(r"\(\?P<[^>]*[^\x00-\x7f]", self.pattern[at:]):
            raise _Refused("has a group whose name is not ASCII; rename it")
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise _Refused(f"has groups nested deeper than {MAX_NESTING} levels")

    def _brace(self, at: int) -> int:
        found = _REPEAT.match(self.pattern, at)
        if found is None:
            raise _Refused(
                "has a { that does not begin a repeat such as {2,5}; write \\{"
            )
        if any(int(times) > MAX_REPEAT for times in found.groups() if times):
            raise _Refused(f"repeats more than {MAX_REPEAT} times")
        return found.end()

    def _class(self, at: int) -> int:
        """Check a [class] up to its end; re itself refuses one without an end."""
        at += 1
        if self.pattern.startswith("^", at):
            at += 1
        first = at
        while at < len(self.pattern):
            character = self.pattern[at]
            if character == "]" and at > first:
                return at + 1
            if character == "[":
                raise _Refused("has a [ in a class, a nested class in Rust; write \\[")
            if self.pattern[at : at + 2] in ("&&", "--", "~~", "||"):
                operator = self.pattern[at : at + 2]
                raise _Refused(
                    f"has {operator} in a class, a set operator in Rust; "
                    f"write \\{character}"
                )
            at = self._escape(at, inside=True) if character == "\\" else at + 1
        return at


class _SizeEstimate:
    """Refuses unsupported items, and estimates the size of what Rust compiles."""

    def sequence(self, items: Any, flags: int) -> int:
        return sum(self._item(str(op), value, flags) for op, value in items)

    def _item(self, op: str, value: Any, flags: int) -> int:
        if op in _REFUSED:
            raise _Refused(f"has {_REFUSED[op]}")
        if flags & _OTHER_FLAGS:
            raise _Refused("has an inline flag other than i, m and s")
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return 60 + _character(op, value, bool(flags & re.I))
        if op == "AT":
            if str(value) == "AT_END_STRING":
                raise _Refused(f"has {_BACKSLASHES['Z']}")
            return 70
        if op == "BRANCH":
            return sum(self.sequence(branch, flags) + 60 for branch in value[1])
        if op == "SUBPATTERN":
            _, added, removed, items = value
            return 60 + self.sequence(items, (flags | added) & ~removed)
        least, most, items = value
        times = max(least, 1) if most is _parser.MAXREPEAT else most
        return 100 + int(times) * (60 + self.sequence(items, flags))


# The bytes that Rust compiles a Unicode class to, and those for its complement.
_CATEGORIES = {
    "DIGIT": (5_500, 13_500),
    "SPACE": (750, 2_000),
    "WORD": (52_000, 52_000),
}
_ONE_RANGE = 1_100


def _character(op: str, value: Any, ignore_case: bool) -> int:
    if op == "ANY":
        return _ONE_RANGE
    items = value if op == "IN" else [("LITERAL", value)]
    negated = op == "NOT_LITERAL" or str(items[0][0]) == "NEGATE"
    total = _ONE_RANGE if negated else 0
    for item, part in items:
        total += _part(str(item), part, negated, ignore_case)
    return total


def _part(item: str, value: Any, negated: bool, ignore_case: bool) -> int:
    if item == "NEGATE":
        return 0
    if item == "CATEGORY":
        name = str(value).removeprefix("CATEGORY_")
        plain, complement = _CATEGORIES[name.removeprefix("NOT_")]
        return complement if negated != name.startswith("NOT_") else plain
    first, last = value if item == "RANGE" else (value, value)
    if any(0xD800 <= end <= 0xDFFF for end in (first, last)):
        raise _Refused("has a surrogate, which is not a character")
    if last < 0x80:
        size = 250 if ignore_case else 40
    elif first == last:
        size = 400 if ignore_case else 100
    else:
        size = 55_000 if ignore_case else _ONE_RANGE
    return 3 * size if negated else size
