"""Finds strings that match a pattern, from its parse tree, and ones that do not."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scaffold.patterns import portable
from scaffold.patterns.matching import Matcher

# The parser of re itself, which has no public name.
_parser: Any = importlib.import_module("re._parser")

ATTEMPTS = 80
LONGEST = 1_000
# Plain characters first. Markup is the last choice: the sanitiser could remove it.
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ALPHABET += "-_. :/@+#,;!?'()[]{}|=*%$^~\"`\\éß语"
_MARKUP = "&<>"
_PADDING = "x0 -."


def matching(
    pattern: str,
    least: int,
    most: int | None,
    count: int,
    *,
    alphabet: str = _ALPHABET,
    is_good: Callable[[str], bool] = str.isprintable,
) -> list[str]:
    """Return up to `count` different strings of a valid length that match a pattern.

    They are good, and of the alphabet as far as the pattern allows. There are fewer, or
    none, if the pattern and the lengths allow no more, or if no attempt finds one. The
    same arguments give the same strings everywhere.
    """
    most = LONGEST if most is None else min(most, LONGEST)
    found: dict[str, None] = {}
    writer = _Writer(pattern, alphabet)
    for attempt in range(ATTEMPTS):
        if len(found) == count or least > most:
            break
        for text in writer.texts(attempt, least, most):
            fits = least <= len(text) <= most
            if not fits or text in found or not is_good(text):
                continue
            if portable.search(pattern, text) is True:
                found[text] = None
                break
    return list(found)


def not_matching(pattern: str, least: int, most: int | None) -> str | None:
    """Return a string of a valid length that does not match, or None."""
    length = max(least, 1)
    for character in (*"!x0A- .<&", "é", "x0", "-!"):
        text = str(character * length)[:length]
        if portable.search(pattern, text) is False and _fits(text, least, most):
            return text
    empty = least == 0 and portable.search(pattern, "") is False
    return "" if empty else None


def _fits(text: str, least: int, most: int | None) -> bool:
    return least <= len(text) and (most is None or len(text) <= most)


class _Writer:
    """Writes strings that match; each attempt makes other choices."""

    def __init__(self, pattern: str, alphabet: str) -> None:
        self.tree = _parser.parse(pattern)
        self.alphabet = alphabet
        self.attempt = self.random = 0
        self._known: dict[tuple[int, int], list[str]] = {}

    def texts(self, attempt: int, least: int, most: int) -> Iterator[str]:
        """Yield a string, then variants with padding or a number around it."""
        self.attempt = self.random = attempt
        low, high = self.tree.getwidth()
        length = max(least, low) + (self.attempt % 7 if self.attempt else 0)
        length = max(low, min(length, most, int(high)))
        text = self._sequence(self.tree, length - low, self.tree.state.flags)
        yield text
        missing = max(least, length) - len(text)
        for character in _PADDING if missing > 0 else "":
            yield text + character * missing
            yield character * missing + text
            half = character * (missing // 2)
            yield half + text + character * (missing - len(half))
        if attempt:
            yield from (f"{text}{attempt}", f"{text} {attempt}", f"{attempt}{text}")

    def _choose(self, options: Sequence[Any]) -> Any:
        """Return the first option in the first attempt, else a pseudo-random one."""
        if self.attempt == 0:
            return options[0]
        self.random = (self.random * 6_364_136_223_846_793_005 + 1_442_695_041) % 2**64
        return options[(self.random >> 33) % len(options)]

    def _sequence(self, items: Any, extra: int, flags: int) -> str:
        """Write the items, with `extra` characters more than the minimum."""
        order = list(range(len(items)))
        if self.attempt % 2:
            order.reverse()
        written = [""] * len(order)
        for index in order:
            low, high = self._width([items[index]])
            given = min(extra, high - low)
            written[index] = self._item(items[index], given, flags)
            extra -= max(0, len(written[index]) - low)
        return "".join(written)

    def _item(self, item: Any, extra: int, flags: int) -> str:
        op, value = str(item[0]), item[1]
        if op == "AT":
            return ""
        if op == "BRANCH":
            return self._branch(value[1], extra, flags)
        if op == "SUBPATTERN":
            _, added, removed, items = value
            return self._sequence(items, extra, (flags | added) & ~removed)
        if op.endswith("_REPEAT"):
            return self._repeat(value, extra, flags)
        key = (id(item), flags)
        if key not in self._known:
            self._known[key] = _characters(item, flags, self.alphabet)
        return str(self._choose(self._known[key]))

    def _branch(self, branches: Any, extra: int, flags: int) -> str:
        wanted = min(self._width(branch)[0] for branch in branches) + extra
        fitting = [b for b in branches if self._width(b)[0] <= wanted]
        branch = self._choose(fitting)
        low, high = self._width(branch)
        return self._sequence(branch, min(wanted, high) - low, flags)

    def _repeat(self, value: Any, extra: int, flags: int) -> str:
        least, most, items = int(value[0]), int(value[1]), value[2]
        low, high = self._width(items)
        more = min(most - least, extra // max(low, 1))
        if high > low and more and least + more > 1:
            more = self._choose([more, max(1 - least, 0), more // 2])
        extra -= more * low
        written = ""
        for _ in range(least + more):
            given = min(extra, high - low)
            text = self._sequence(items, given, flags)
            extra -= max(0, len(text) - low)
            written += text
        return written

    def _width(self, items: Any) -> tuple[int, int]:
        low, high = _parser.SubPattern(self.tree.state, list(items)).getwidth()
        return int(low), int(high)


def _characters(item: Any, flags: int, first: str) -> list[str]:
    """Return the characters to choose from for an item that matches a character."""
    for alphabet in (lambda: first, lambda: _MARKUP, lambda: _named(item)):
        found = [c for c in alphabet() if Matcher(c).search([item], flags)]
        if found:
            return found
    return ["x"]


def _named(item: Any) -> list[str]:
    """Return the characters that an item lists, and a few of each of its ranges."""
    op, value = str(item[0]), item[1]
    parts = value if op == "IN" else [("LITERAL", value)]
    codes: list[int] = []
    for part, what in parts:
        if str(part) == "RANGE":
            codes += range(what[0], min(what[1], what[0] + 15) + 1)
        elif str(part) == "LITERAL":
            codes.append(what)
    return [chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF]
