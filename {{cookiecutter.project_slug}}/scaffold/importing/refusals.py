"""The last step: what the checker of entities.json refuses is left out, and reported."""

from collections.abc import Iterator

from scaffold.importing import layout
from scaffold.importing.found import Found, SourceError
from scaffold.spec import loading

Path = tuple[str | int, ...]
# Keys without which their object is still complete.
_OPTIONAL = frozenset(
    [
        "array",
        "back_populates",
        "bits",
        "case_insensitive",
        "column",
        "default",
        "description",
        "ge",
        "gt",
        "id",
        "index",
        "json",
        "le",
        "lt",
        "max_items",
        "max_length",
        "min_items",
        "min_length",
        "multiple_of",
        "nullable",
        "on_delete",
        "pattern",
        "plural",
        "precision",
        "required",
        "scale",
        "schema",
        "table",
        "timestamps",
        "unique",
        "url",
    ]
)
_ROUNDS = 200


def remove(document: dict[str, object], found: Found) -> loading.Spec:
    """Leave out what cannot be generated, until the checker has no problem."""
    for _ in range(_ROUNDS):
        listed = list(_lines(document, ()))
        text = "\n".join(line for line, _ in listed)
        try:
            return loading.parse(text.encode("utf-8", "replace"))
        except loading.SpecError as error:
            problems = error.problems
        if not document["entities"]:
            raise SourceError(found.losses[-1].what)
        doomed = {}
        for problem in problems:
            path = _removable(listed[max(problem.line, 1) - 1][1])
            if not path:
                raise SourceError(f"entities.json cannot say this: {problem}")
            doomed[path] = problem
        # From the end of each list, so that the places of the others stay right.
        done: set[Path] = set()
        for path in sorted(doomed, key=_from_the_end):
            if not any(path[:length] in done for length in range(len(path))):
                _delete(document, path)
                done.add(path)
                place = doomed[path].path or layout.FILE
                found.lose(place, doomed[path].message)
    raise SourceError("entities.json cannot be written: too much of it is refused")


def _lines(value: object, path: Path, end: str = "") -> Iterator[tuple[str, Path]]:
    """Yield the lines of a document, one for each value, and the path of each."""
    items: list[tuple[str, object, Path]]
    if isinstance(value, dict):
        brackets = "{}"
        items = [(f"{layout.dump(k)}: ", v, (*path, k)) for k, v in value.items()]
    elif isinstance(value, list):
        brackets = "[]"
        items = [("", one, (*path, n)) for n, one in enumerate(value)]
    else:
        yield layout.dump(value) + end, path
        return
    yield brackets[0], path
    for number, (start, one, inner) in enumerate(items, 1):
        lines = _lines(one, inner, "," if number < len(items) else "")
        first, _ = next(lines)
        yield start + first, inner
        yield from lines
    yield brackets[1] + end, path


def _removable(path: Path) -> Path:
    """Return the part of the document to leave out for a problem in a place."""
    if path and path[-1] in _OPTIONAL:
        return path
    for length in range(len(path), 0, -1):
        if isinstance(path[length - 1], int):
            inside = path[length - 2] if length > 1 else ""
            if inside in ("fields", "relations", "unique", "indexes", "checks"):
                return path[:length]
            if inside == "entities":
                return path[:length]
    return ()


def _from_the_end(path: Path) -> list[tuple[int, str]]:
    return [(-part, "") if isinstance(part, int) else (0, part) for part in path]


def _delete(document: object, path: Path) -> None:
    *parents, last = path
    inner = document
    for part in parents:
        inner = inner[part]  # type: ignore[index]
    del inner[last]  # type: ignore[attr-defined]
    if inner == [] and parents[-1] in ("unique", "indexes", "checks"):
        _delete(document, tuple(parents))
