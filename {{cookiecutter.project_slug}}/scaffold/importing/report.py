"""The report of an import: each thing that entities.json cannot say, with its place."""

from collections.abc import Iterable, Iterator

from scaffold.importing.found import Loss

HEAD = "What entities.json does not say, and what it became:"


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
        yield from (f"      {place}" for place in dict.fromkeys(listed))


def _shown(text: str) -> str:
    """Text of the source on one line, without characters that a terminal obeys."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
