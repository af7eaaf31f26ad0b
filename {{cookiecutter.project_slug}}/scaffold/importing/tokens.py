"""Splits the text of a schema language into tokens, each with its place."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from scaffold.importing.found import SourceError

END = "end"  # the kind of the token after the last one
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `text` is what is written, `at` its offset."""

    kind: str
    text: str
    at: int


class Text:
    """The text of a file, which knows the line of each offset."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts = [0, *(one.end() for one in re.finditer("\n", text))]

    def place(self, at: int) -> str:
        """Return file:line:column, which editors can go to."""
        line = bisect_right(self._starts, at)
        return f"{self.name}:{line}:{at - self._starts[line - 1] + 1}"

    def error(self, at: int, message: str) -> SourceError:
        return SourceError(f"{self.place(at)}: {message}")

    def tokens(self, pattern: re.Pattern[str], skipped: str = "") -> Iterator[Token]:
        """Yield tokens by the groups of a pattern; a group `bad_…` is an error."""
        at = 0
        while at < len(self.text):
            found = pattern.match(self.text, at)
            if found is None or found.lastgroup is None:
                raise self.error(at, f"unexpected character {self.text[at]!r}")
            if found.lastgroup.startswith("bad_"):
                raise self.error(
                    at, found.lastgroup[4:].replace("__", "; ").replace("_", " ")
                )
            if found.lastgroup != skipped:
                yield Token(found.lastgroup, found[0], at)
            at = found.end()
        yield Token(END, "", at)


class Reader:
    """Reads tokens one after another, and says what it expected instead."""

    def __init__(self, text: Text, tokens: Iterator[Token]) -> None:
        self.text = text
        self._tokens = list(tokens)
        self._next = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    def take(self) -> Token:
        token = self.token
        if token.kind != END:
            self._next += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next token is one of these punctuation marks or words."""
        token = self.token
        return token.text in texts and token.kind not in (END, "string")

    def accept(self, *texts: str) -> bool:
        """Take the next token if it is one of these; return whether it was."""
        found = self.sees(*texts)
        if found:
            self.take()
        return found

    def expect(self, text: str, of: str) -> Token:
        if not self.sees(text):
            raise self.unexpected(f'"{text}"', of)
        return self.take()

    def name(self, what: str) -> Token:
        if self.token.kind != "name":
            raise self.unexpected(what, "")
        return self.take()

    def place(self) -> str:
        return self.text.place(self.token.at)

    def unexpected(self, wanted: str, of: str) -> SourceError:
        """Return the error for a token that cannot be here."""
        token = self.token
        where = f" {of}" if of else ""
        if token.kind == END:
            message = f"the file ends here, but {wanted} is expected{where}"
            return self.text.error(token.at, f"{message}; add what is missing")
        shown = token.text.replace("\n", " ").strip() or "the end of the line"
        if len(shown) > _SHOWN:
            shown = shown[: _SHOWN - 3] + "..."
        return self.text.error(
            token.at, f"{wanted} is expected{where}, not {shown}; correct the line"
        )
