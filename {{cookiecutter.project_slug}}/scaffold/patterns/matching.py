"""Searches with a parse tree of re, in bounded time and as Rust's regex does."""

import re
import unicodedata
from typing import Any

MAX_WORK = 10_000

_WHITE_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)


# Word characters by Unicode's definition that have another category: joiners, and
# letters in circles.
_OTHER_WORD = frozenset("\u200c\u200d" + "".join(map(chr, range(0x24B6, 0x24EA))))


class TooCostly(Exception):
    """The search was stopped, because it takes too long."""


class Matcher:
    """Searches a value from all positions at once: bit i of a number is position i."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.end = 1 << len(value)
        self.every = 2 * self.end - 1
        self.work = 0
        self._masks: dict[tuple[int, int], int] = {}

    def search(self, tree: Any, flags: int) -> bool:
        """Whether the pattern matches somewhere in the value."""
        return self._sequence(tree, self.every, flags) != 0

    def _sequence(self, items: Any, starts: int, flags: int) -> int:
        for item in items:
            if not starts:
                return 0
            starts = self._item(item, starts, flags)
        return starts

    def _item(self, item: Any, starts: int, flags: int) -> int:
        self.work += 1 + len(self.value) // 512
        if self.work > MAX_WORK:
            raise TooCostly
        op, value = str(item[0]), item[1]
        if op == "AT":
            return starts & self._anchor(str(value), flags)
        if op == "BRANCH":
            ends = 0
            for branch in value[1]:
                ends |= self._sequence(branch, starts, flags)
            return ends
        if op == "SUBPATTERN":
            _, added, removed, items = value
            return self._sequence(items, starts, (flags | added) & ~removed)
        if op.endswith("_REPEAT"):
            return self._repeat(value, starts, flags)
        return (starts & self._matching(item, flags)) << 1

    def _repeat(self, value: Any, starts: int, flags: int) -> int:
        least, most, items = value
        for _ in range(int(least)):
            starts = self._sequence(items, starts, flags)
        ends = fresh = starts
        times = int(least)
        while fresh and times < int(most):
            fresh = self._sequence(items, fresh, flags) & ~ends
            ends |= fresh
            times += 1
        return ends

    def _matching(self, item: Any, flags: int) -> int:
        """Return the positions of the characters that the item matches."""
        key = (id(item), flags)
        if key not in self._masks:
            found = {c for c in set(self.value) if _matches(item, c, flags)}
            self._masks[key] = self._mask([c in found for c in self.value])
        return self._masks[key]

    def _mask(self, bits: list[bool]) -> int:
        digits = "".join("1" if bit else "0" for bit in reversed(bits))
        return int(digits, 2) if digits else 0

    def _anchor(self, name: str, flags: int) -> int:
        if name in ("AT_BEGINNING", "AT_BEGINNING_STRING", "AT_END"):
            end = name == "AT_END"
            mask = self.end if end else 1
            if flags & re.M and name != "AT_BEGINNING_STRING":
                breaks = self._mask([c == "\n" for c in self.value])
                mask |= breaks if end else breaks << 1
            return mask
        words = self._mask([_is_word(c) for c in self.value])
        boundaries = words ^ (words << 1)
        return boundaries if name == "AT_BOUNDARY" else self.every & ~boundaries


def _matches(item: Any, character: str, flags: int) -> bool:
    op, value = str(item[0]), item[1]
    if op == "ANY":
        return bool(flags & re.S) or character != "\n"
    same = _same(character) if flags & re.I else {ord(character)}
    if op == "IN":
        negated = str(value[0][0]) == "NEGATE"
        found = any(_in(str(part), what, character, same) for part, what in value)
        return found != negated
    return (value in same) == (op == "LITERAL")


def _in(part: str, value: Any, character: str, same: set[int]) -> bool:
    if part == "RANGE":
        return any(value[0] <= code <= value[1] for code in same)
    if part == "CATEGORY":
        name = str(value).removeprefix("CATEGORY_")
        test = _TESTS[name.removeprefix("NOT_")]
        return test(character) != name.startswith("NOT_")
    return part == "LITERAL" and value in same


def _same(character: str) -> set[int]:
    """Return the code points that are equal to the character if case is ignored."""
    forms = {character.lower(), character.upper(), character.casefold()}
    forms |= {form.upper() for form in forms} | {form.lower() for form in forms}
    return {ord(form) for form in forms | {character} if len(form) == 1}


def _is_word(character: str) -> bool:
    """Whether it is a word character by UTS 18, which has more than Python's \\w."""
    category = unicodedata.category(character)
    wide = category[0] in "LM" or category in ("Nd", "Nl", "Pc")
    return wide or character in _OTHER_WORD


_TESTS = {
    "DIGIT": lambda character: unicodedata.category(character) == "Nd",
    "SPACE": _WHITE_SPACE.__contains__,
    "WORD": _is_word,
}
