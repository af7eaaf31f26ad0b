"""Splits a .sql file into statements, as psql does, but obeys none of its commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A run of characters that mean nothing here, or one that may begin something.
_NEXT = re.compile(
    r"""
    (?P<plain>[^'"\-/$;\\]++|[-/](?![-*]))
    |(?P<quoted>"[^"]*+")
    |(?P<comment>--[^\n]*+)
    |(?P<block>/\*)
    |(?P<tag>\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*+)?\$)
    |(?P<end>;++)
    |(?P<meta>\\[^\n]*+)
    |(?P<string>')
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING = re.compile(r"'[^']*+(?:''[^']*+)*+'")
_ESCAPED = re.compile(r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'", re.DOTALL)
_BLOCK = re.compile(r"/\*|\*/")
_COPY = re.compile(r"COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_ROUTINE = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE
)
_ATOMIC = re.compile(r"\bBEGIN\s+ATOMIC\b", re.IGNORECASE)
_BLOCK_WORD = re.compile(r"\b(BEGIN|CASE|END)\b", re.IGNORECASE)
_MAX_PARTS = 5_000  # of a body that begins with BEGIN ATOMIC
_END_OF_DATA = "\n\\."


@dataclass(frozen=True)
class Statement:
    """A statement without comments; in `bare`, strings are empty.

    A command of psql has the kind `meta`, text whose end is missing `open`.
    """

    line: int
    text: str
    bare: str
    kind: str = "sql"


def split(text: str) -> Iterator[Statement]:
    """Yield the statements of a file, with the lines on which they begin."""
    return _Splitter(text).statements()


class _Splitter:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line, self.counted = 1, 0
        self._copies = False  # whether data follow
        self._clear()

    def _clear(self) -> None:
        self.parts: list[str] = []
        self.bare: list[str] = []
        self.start = -1

    def statements(self) -> Iterator[Statement]:
        while self.at < len(self.text):
            found = _NEXT.match(self.text, self.at)
            if found is None:  # every character matches
                return
            kind = str(found.lastgroup)
            if kind == "end":
                if not self._is_in_routine():
                    yield from self._finished()
                    self.at = self._after_data(found.end())
                    self._clear()
                    continue
                self._add(found[0])
            elif kind == "meta":
                line = self._line(found.start())
                if found[0].startswith("\\g"):
                    self._clear()  # psql would send what is before it
                yield Statement(line, found[0], "", "meta")
            elif kind in ("comment", "block"):
                self._add(" ")
            else:
                end = self._quoted_end(kind, found)
                if end < 0:
                    yield Statement(self._line(self.at), found[0], "", "open")
                    return
                self._add(self.text[self.at : end], kind)
                self.at = end
                continue
            self.at = self._comment_end(found) if kind == "block" else found.end()
        yield from self._finished()

    def _add(self, text: str, kind: str = "plain") -> None:
        if self.start < 0 and not text.isspace():
            self.start = self.at + len(text) - len(text.lstrip())
        self.parts.append(text)
        is_value = kind in ("string", "tag")
        self.bare.append("''" if is_value else text)

    def _finished(self) -> Iterator[Statement]:
        text = "".join(self.parts).strip()
        if text:
            bare = "".join(self.bare).strip()
            self._copies = bool(_COPY.match(bare))
            yield Statement(self._line(self.start), text, bare)
        else:
            self._copies = False

    def _after_data(self, at: int) -> int:
        """Return where the data of a COPY end, and what follows begins."""
        if not self._copies:
            return at
        end = self.text.find(_END_OF_DATA, at)
        return len(self.text) if end < 0 else end + len(_END_OF_DATA)

    def _is_in_routine(self) -> bool:
        """Whether a semicolon is in a body that begins with BEGIN ATOMIC."""
        if len(self.bare) > _MAX_PARTS:
            return False
        bare = "".join(self.bare).strip()
        body = _ATOMIC.search(bare) if _ROUTINE.match(bare) else None
        if body is None:
            return False
        words = _BLOCK_WORD.findall(bare, body.start())
        ends = [word for word in words if word.upper() == "END"]
        return len(words) > 2 * len(ends)

    def _quoted_end(self, kind: str, found: re.Match[str]) -> int:
        """Return the end of what is quoted, -1 if it has none."""
        if kind == "string":
            before = self.text[max(self.at - 2, 0) : self.at]
            is_escaped = bool(re.search(r"(?:^|[^\w$])[eE]$", before))
            match = (_ESCAPED if is_escaped else _STRING).match(self.text, self.at)
            return match.end() if match else -1
        if kind == "tag":
            before = self.text[self.at - 1 : self.at]
            if before.isalnum() or before in ("_", "$"):
                return found.start() + 1  # a name may contain a $
            end = self.text.find(found[0], found.end())
            return end + len(found[0]) if end >= 0 else -1
        return -1 if kind == "other" and found[0] == '"' else found.end()

    def _comment_end(self, found: re.Match[str]) -> int:
        """Return the end of a comment; comments can contain comments."""
        depth = 1
        for mark in _BLOCK.finditer(self.text, found.end()):
            depth += 1 if mark[0] == "/*" else -1
            if not depth:
                return mark.end()
        return len(self.text)

    def _line(self, at: int) -> int:
        """Return the number of a line; places are asked for in their order."""
        self.line += self.text.count("\n", self.counted, at)
        self.counted = max(at, self.counted)
        return self.line
