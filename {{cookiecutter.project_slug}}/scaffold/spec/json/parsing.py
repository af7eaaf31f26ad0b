"""A JSON parser that keeps the position of every object, array, key and value."""

import math
import re
from bisect import bisect_right
from decimal import Decimal, InvalidOperation

from scaffold.spec.json import syntax_errors
from scaffold.spec.json.syntax_errors import SourceError
from scaffold.spec.problems import quote

MAX_DEPTH = 32
MAX_NUMBER = 1_100


class Object(dict[str, object]):
    """A JSON object that knows where it, its keys and its values begin."""

    __slots__ = ("at", "keys_at", "values_at")

    def __init__(self, at: int) -> None:
        self.at = at
        self.keys_at: dict[str, int] = {}
        self.values_at: dict[str, int] = {}


class Array(list[object]):
    """A JSON array that knows where it and its items begin."""

    __slots__ = ("at", "items_at")

    def __init__(self, at: int) -> None:
        self.at = at
        self.items_at: list[int] = []


class Lines:
    """Converts an offset to a line and a column, both counted from 1."""

    def __init__(self, text: str) -> None:
        ends = re.finditer(r"\r\n|\r|\n", text)
        self._starts = [0, *(end.end() for end in ends)]

    def position(self, at: int) -> tuple[int, int]:
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1


_SPACE = re.compile(r"[ \t\n\r]*")
_KEY = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
# The fast path of most members: a plain key, a plain string, and maybe a comma.
_MEMBER = re.compile(
    r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*'
    r'"([^"\\\x00-\x1f\x7f-\U0010ffff]*)"(?:[ \t\n\r]*(,)[ \t\n\r]*)?'
)
_PLAIN = re.compile(r'"([^"\\\x00-\x1f]*)"')
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_WORD = re.compile(r"(?:true|false|null)\b")
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPED = re.compile(r'"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"')
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u([0-9a-fA-F]{4})|\\(.)"
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


class Parser:
    """Parses a text in one pass; `problems` are those that do not stop it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = Lines(text)
        self.problems: list[tuple[int, str]] = []
        self._open: list[int] = []

    def parse(self) -> object:
        """Return the document; raise SourceError where the text is not valid JSON."""
        value, end = self._value(self._skip(0))
        end = self._skip(end)
        if end < len(self.text):
            raise syntax_errors.after_the_end(self.text, end)
        return value

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def _value(self, at: int) -> tuple[object, int]:
        first = self.text[at : at + 1]
        if first == '"':
            return self._string(at)
        if first == "{":
            return self._object(at)
        if first == "[":
            return self._array(at)
        if first in "tfn" and (word := _WORD.match(self.text, at)):
            return _WORDS[word[0]], word.end()
        return self._number(at)

    def _object(self, at: int) -> tuple[Object, int]:
        self._enter(at)
        result = Object(at)
        end = self._skip(at + 1)
        if self.text[end : end + 1] != "}":
            end = self._members(result, end)
        return result, self._leave(end, "}")

    def _members(self, result: Object, at: int) -> int:
        """Read members until no comma follows."""
        while True:
            value: object
            if plain := _MEMBER.match(self.text, at):
                key, value, comma = plain.groups()
                start, end = plain.start(2) - 1, plain.end()
            else:
                key, start = self._key(at)
                value, end = self._value(start)
                if comma := _COMMA.match(self.text, end):
                    end = comma.end()
            if key in result:
                self._duplicate(result, key, at)
            else:
                result[key] = value
                result.keys_at[key] = at
                result.values_at[key] = start
            if not comma:
                return end
            at = end

    def _duplicate(self, result: Object, key: str, at: int) -> None:
        line = self.lines.position(result.keys_at[key])[0]
        message = f"duplicate key {quote(key)}, already used in line {line}"
        self.problems.append((at, message))

    def _key(self, at: int) -> tuple[str, int]:
        """Return a key and where its value begins."""
        if found := _KEY.match(self.text, at):
            return found[1], found.end()
        if self.text[at : at + 1] != '"':
            raise syntax_errors.no_key(self.text, at, self._open_line())
        key, end = self._string(at)
        end = self._skip(end)
        if self.text[end : end + 1] != ":":
            raise syntax_errors.no_colon(self.text, end, self._open_line())
        return key, self._skip(end + 1)

    def _array(self, at: int) -> tuple[Array, int]:
        self._enter(at)
        result = Array(at)
        end = self._skip(at + 1)
        while self.text[end : end + 1] != "]" or result:
            start = end
            value, end = self._value(end)
            result.append(value)
            result.items_at.append(start)
            comma = _COMMA.match(self.text, end)
            if comma is None:
                break
            end = comma.end()
        return result, self._leave(end, "]")

    def _enter(self, at: int) -> None:
        self._open.append(at)
        if len(self._open) > MAX_DEPTH:
            raise SourceError(at, f"nested deeper than {MAX_DEPTH} levels")

    def _leave(self, at: int, bracket: str) -> int:
        end = self._skip(at)
        if self.text[end : end + 1] != bracket:
            line = self._open_line()
            raise syntax_errors.no_comma(self.text, end, bracket, line)
        self._open.pop()
        return end + 1

    def _open_line(self) -> int:
        """Return the line of the innermost bracket that is still open."""
        return self.lines.position(self._open[-1])[0] if self._open else 0

    def _string(self, at: int) -> tuple[str, int]:
        found = _PLAIN.match(self.text, at)
        if found is not None:
            text = found[1]
        else:
            found = _ESCAPED.match(self.text, at)
            if found is None:
                raise syntax_errors.bad_string(self.text, at)
            text = _ESCAPE.sub(_unescape, found[1])
        if text.isascii() and "\0" not in text:
            return text, found.end()
        return self._storable(at, text), found.end()

    def _storable(self, at: int, text: str) -> str:
        found = _NOT_STORABLE.search(text)
        if found is None:
            return text
        code = ord(found[0])
        name = "a NUL character" if code == 0 else f"a lone surrogate \\u{code:04x}"
        message = f"this string contains {name}, which PostgreSQL cannot store"
        self.problems.append((at, f"{message}; remove it"))
        return _NOT_STORABLE.sub("\ufffd", text)

    def _number(self, at: int) -> tuple[object, int]:
        found = _NUMBER.match(self.text, at)
        if found is None or syntax_errors.continues(self.text, found.end()):
            raise syntax_errors.no_value(self.text, at, self._open_line())
        end = found.end()
        if end - at > MAX_NUMBER:
            raise SourceError(at, f"number with more than {MAX_NUMBER} characters")
        if not found[1]:
            return int(found[0]), end
        if not math.isfinite(float(found[0])):
            self.problems.append((at, f"{found[0]} is out of range for every type"))
            return 0, end
        return self._fraction(at, found[0]), end

    def _fraction(self, at: int, text: str) -> Decimal:
        """Return the exact number: a bound of a decimal field must not be rounded."""
        try:
            return Decimal(text)
        except InvalidOperation:  # an exponent that not even Decimal holds
            if re.search("[1-9].*[eE]", text):
                self.problems.append((at, f"{text} is too close to 0; write 0"))
            return Decimal(0)


def _unescape(escape: re.Match[str]) -> str:
    high, low, unit, short = escape.groups()
    if high:
        return chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00)
    return chr(int(unit, 16)) if unit else _SHORT.get(short, short)
