"""Problems of entities.json: collecting them, sorting them, and printing the report."""

import difflib
import json
import operator
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import compress, count
from typing import NamedTuple

# How many problems a report lists; it counts all of them.
SHOWN = 50
_QUOTED = 60
_CANDIDATES = 100
# difflib's own 0.6 takes "image" for "time", and "serial" for "decimal".
_SIMILARITY = 0.72


class Rank(IntEnum):
    """What a report of too many problems shows first: values that may cause others."""

    SHAPE = 0
    RULE = 1


@dataclass(frozen=True)
class Problem:
    """One problem; line 0 means the whole file."""

    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: " if self.line else " "
        path = f"{self.path}: " if self.path else ""
        return place + path + self.message


class SpecError(Exception):
    """The spec cannot be used; `problems` holds at most SHOWN of `count`."""

    def __init__(
        self, problems: tuple[Problem, ...], filename: str, count: int
    ) -> None:
        super().__init__(f"{filename}: {count} problems")
        self.problems = problems
        self.filename = filename
        self.count = count


def report(error: SpecError) -> str:
    """Return the text of a report: one line for each problem, then their number."""
    lines = [f"{error.filename}:{problem}" for problem in error.problems]
    noun = "problem" if error.count == 1 else "problems"
    capped = len(error.problems)
    shown = f", {capped} are shown" if error.count > capped else ""
    lines.append(
        f"{error.filename}: {error.count} {noun}{shown}; nothing was generated"
    )
    return "\n".join(lines)


def _nothing() -> Collection[object]:
    return ()


@dataclass(frozen=True)
class Suggestion:
    """What to write instead of an unknown word, looked for only when it is shown.

    A word that is already `taken` is not suggested, as following the suggestion would
    only make a duplicate. `otherwise` is shown where no candidate is similar.
    """

    word: str
    candidates: Collection[str]
    otherwise: str = ""
    taken: Callable[[], Collection[object]] = _nothing

    def __str__(self) -> str:
        taken = self.taken()
        free = tuple(word for word in self.candidates if word not in taken)
        found = nearest(self.word, free)
        if found is not None:
            return f"; did you mean {quote(found)}?"
        return f"; {self.otherwise}" if self.otherwise else ""


class _Found(NamedTuple):
    """A problem whose suggestion is not yet computed; problems sort by these fields."""

    rank: Rank
    at: int
    path: str
    message: str
    suggestion: Suggestion | None


class Problems:
    """Collects problems; a suggestion is computed only for those that are shown."""

    def __init__(self) -> None:
        self._found: dict[tuple[Rank, int, str, str], _Found] = {}

    def __len__(self) -> int:
        return len(self._found)

    def shape(
        self, at: int, path: str, message: str, suggestion: Suggestion | None = None
    ) -> None:
        """Add a problem of a single value."""
        self._add(_Found(Rank.SHAPE, at, path, message, suggestion))

    def rule(
        self, at: int, path: str, message: str, suggestion: Suggestion | None = None
    ) -> None:
        """Add a problem of values that contradict each other."""
        self._add(_Found(Rank.RULE, at, path, message, suggestion))

    def _add(self, found: _Found) -> None:
        self._found.setdefault(found[:4], found)

    def error(
        self, filename: str, position: Callable[[int], tuple[int, int]]
    ) -> SpecError:
        """Return an error with SHOWN problems at most, in the order of the file."""
        chosen = [self._found[key] for key in sorted(self._found)[:SHOWN]]
        shown = sorted(chosen, key=lambda found: (found.at, found.rank))
        problems = tuple(
            Problem(
                *position(found.at),
                found.path,
                f"{found.message}{found.suggestion or ''}",
            )
            for found in shown
        )
        return SpecError(problems, filename, len(self._found))


def quote(value: object) -> str:
    """Return a JSON value for a message: one line, shortened, all of it visible."""
    return visible(json.dumps(value, ensure_ascii=False, default=float))


def visible(text: str) -> str:
    """Return text on one line, shortened, with escapes for unprintable characters."""
    if len(text) > _QUOTED:
        text = text[: _QUOTED - 3] + "..."
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def listing(words: Iterable[str], most: int = 30) -> str:
    """Join words for a message; more than `most` are only counted."""
    every = list(words)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def nearest(word: str, candidates: Collection[str]) -> str | None:
    """Return the most similar candidate, if any is; ties go to the alphabet."""
    lowered = _lowered(tuple(candidates))
    word = word.lower()[:_QUOTED]
    pool: list[str] = list(lowered)
    if len(pool) > _CANDIDATES:
        pool = _similar_in_length_and_start(word, pool)
    found = difflib.get_close_matches(word, pool, n=1, cutoff=_SIMILARITY)
    return lowered[found[0]] if found else None


@lru_cache(maxsize=16)
def _lowered(candidates: tuple[str, ...]) -> dict[str, str]:
    lowered: dict[str, str] = {}
    for candidate in sorted(candidates):
        lowered.setdefault(candidate.lower(), candidate)
    return lowered


def _similar_in_length_and_start(word: str, pool: list[str]) -> list[str]:
    """Return the candidates worth comparing: difflib is slow with thousands of them."""

    def distance(candidate: str) -> tuple[int, int]:
        different = compress(count(), map(operator.ne, word, candidate))
        common = next(different, min(len(word), len(candidate)))
        return abs(len(word) - len(candidate)), -common

    return sorted(pool, key=distance)[:_CANDIDATES]
