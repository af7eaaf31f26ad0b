"""What is wrong with a spec: collected, sorted, capped and told in one line each."""

import difflib
import json
import operator
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import compress, count
from typing import NamedTuple

SHOWN = 50
_QUOTED = 60
_CANDIDATES = 100


class Rank(IntEnum):
    """How useful it is to read about a problem first: a cause before what follows."""

    SHAPE = 0
    RULE = 1


@dataclass(frozen=True)
class Problem:
    """One mistake; line 0 means that it is the file's as a whole."""

    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: " if self.line else " "
        path = f"{self.path}: " if self.path else ""
        return place + path + self.message


class SpecError(Exception):
    """The spec cannot be used; `problems` are the first ones of `count`."""

    def __init__(
        self, problems: tuple[Problem, ...], filename: str, count: int
    ) -> None:
        super().__init__(f"{filename}: {count} problems")
        self.problems = problems
        self.filename = filename
        self.count = count


def report(error: SpecError) -> str:
    """Tell every problem on a line of its own, and how many there are."""
    lines = [f"{error.filename}:{problem}" for problem in error.problems]
    noun = "problem" if error.count == 1 else "problems"
    capped = len(error.problems)
    shown = f", the first {capped} are shown" if error.count > capped else ""
    lines.append(
        f"{error.filename}: {error.count} {noun}{shown}; nothing was generated"
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class Meant:
    """A word that is not known, and those that are."""

    word: str
    known: Collection[str]
    otherwise: str = ""

    def __str__(self) -> str:
        found = nearest(self.word, self.known)
        if found is not None:
            return f"; did you mean {quote(found)}?"
        return f"; {self.otherwise}" if self.otherwise else ""


class _Found(NamedTuple):
    """A problem before its suggestion is looked for; they are told in this order."""

    rank: Rank
    at: int
    path: str
    message: str
    meant: Meant | None


class Problems:
    """Collects problems; a suggestion is computed only for those that are shown."""

    def __init__(self) -> None:
        self._found: dict[tuple[Rank, int, str, str], _Found] = {}

    def __len__(self) -> int:
        return len(self._found)

    def shape(
        self, at: int, path: str, message: str, meant: Meant | None = None
    ) -> None:
        """Add a value that is wrong by itself, whatever stands around it."""
        self._add(_Found(Rank.SHAPE, at, path, message, meant))

    def rule(
        self, at: int, path: str, message: str, meant: Meant | None = None
    ) -> None:
        """Add values that do not go together."""
        self._add(_Found(Rank.RULE, at, path, message, meant))

    def _add(self, found: _Found) -> None:
        self._found.setdefault(found[:4], found)

    def error(
        self, filename: str, position: Callable[[int], tuple[int, int]]
    ) -> SpecError:
        """Return them as an error: the most useful first, the first SHOWN of them."""
        shown = [self._found[key] for key in sorted(self._found)[:SHOWN]]
        problems = tuple(
            Problem(
                *position(found.at), found.path, f"{found.message}{found.meant or ''}"
            )
            for found in shown
        )
        return SpecError(problems, filename, len(self._found))


def quote(value: object) -> str:
    """Show a JSON value in a message: on one line, short, nothing invisible."""
    return visible(json.dumps(value, ensure_ascii=False, default=float))


def visible(text: str) -> str:
    """Show text on one line, shortened, with escapes for what cannot be seen."""
    if len(text) > _QUOTED:
        text = text[: _QUOTED - 3] + "..."
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def listing(words: Iterable[str], most: int = 30) -> str:
    """Join words for a message, and stop where nobody reads on."""
    every = list(words)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def nearest(word: str, candidates: Collection[str]) -> str | None:
    """Return what was probably meant; ties are broken by the alphabet."""
    lowered = _lowered(tuple(candidates))
    word = word.lower()[:_QUOTED]
    pool: list[str] = list(lowered)
    if len(pool) > _CANDIDATES:
        pool = _near_in_length_and_start(word, pool)
    found = difflib.get_close_matches(word, pool, n=1)
    return lowered[found[0]] if found else None


@lru_cache(maxsize=16)
def _lowered(candidates: tuple[str, ...]) -> dict[str, str]:
    lowered: dict[str, str] = {}
    for candidate in sorted(candidates):
        lowered.setdefault(candidate.lower(), candidate)
    return lowered


def _near_in_length_and_start(word: str, pool: list[str]) -> list[str]:
    """difflib is slow: of thousands of names it sees those that begin alike."""

    def distance(candidate: str) -> tuple[int, int]:
        different = compress(count(), map(operator.ne, word, candidate))
        common = next(different, min(len(word), len(candidate)))
        return abs(len(word) - len(candidate)), -common

    return sorted(pool, key=distance)[:_CANDIDATES]
