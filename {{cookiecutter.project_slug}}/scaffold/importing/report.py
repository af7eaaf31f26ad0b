"""The report of an import: each thing that entities.json cannot say, with its place."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from scaffold.importing.found import Loss

HEAD = "What entities.json does not say, and what it became:"
_WIDTH = 88


def lines(losses: Iterable[Loss]) -> Iterator[str]:
    """Yield the lines of the report; what is the same in several places is one item."""
    places: dict[tuple[str, str], list[str]] = {}
    for loss in losses:
        places.setdefault((_shown(loss.what), _shown(loss.became)), []).append(
            _shown(loss.place)
        )
    if places:
        yield HEAD
    for (what, became), listed in places.items():
        yield f"  {what} -> {became}"
        found = ", ".join(dict.fromkeys(listed))
        yield from wrap(
            found,
            _WIDTH,
            initial_indent="      ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _shown(text: str) -> str:
    """Text of the source on one line, without characters that a terminal obeys."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
