"""The performance goals, and which of them the results reach."""

from collections.abc import Sequence
from typing import Any

WORKS = ("get", "list", "create", "mixed")
OURS, PLAIN = "generated", "generated, plain"
PEERS = ("FastCRUD", "SQLModel", "Litestar", "fastapi_template")
# The minimum ratio for each kind of request, by the services that are compared.
LEAST = {
    (OURS, "L1"): (0.37, 0.38, 0.28, 0.30),
    (PLAIN, "L2"): (0.9, 0.9, 0.9, 0.9),
    (PLAIN, "L3"): (2, 2, 2, 2),
    **{(OURS, peer): (1, 1, 1, 1) for peer in PEERS},
}
# The minimum ratio for a filtered, sorted list, by the services that are compared.
FILTERED, FILTERING = 1.5, ("FastCRUD", "fastapi-filter")
MOST_P99, MOST_MEMORY, MOST_START = 1.3, 1.85, 2.2  # to L1

Row = tuple[str, ...]


def rows(found: dict[str, Any]) -> list[Row]:
    """Return each goal with its results, its bounds, and whether it is reached."""
    works = [found["works"][work] for work in WORKS]
    made: list[Row] = []
    for (name, other), least in LEAST.items():
        values = [row.get(name, {}).get("rate_to", {}).get(other) for row in works]
        title = f"{name}, requests/s to {other}, at least"
        if any(values):
            made.append(goal(title, values, least, at_most=False))
    for figure, most in (("p99", MOST_P99), ("memory", MOST_MEMORY)):
        values = [row[OURS][figure] for row in works]
        title = f"{OURS}, {figure} to L1, at most"
        made.append(goal(title, values, [most] * len(WORKS), at_most=True))
    start = found["start"][OURS] / found["start"]["L1"]
    reached = "yes" if start <= MOST_START else "no"
    text = f"{start:.2f} ({MOST_START})"
    made.append((f"{OURS}, start to L1, at most", text, "", "", "", reached))
    return made


def goal(
    title: str,
    values: Sequence[list[float] | None],
    bounds: Sequence[float],
    *,
    at_most: bool,
) -> Row:
    """Return a row: the median of the rounds for each kind of request, and its bound."""
    cells, missed = [], []
    for work, value, bound in zip(WORKS, values, bounds, strict=True):
        cells.append(f"{value[1]:.2f} ({bound:g})" if value else "")
        if value and (value[1] > bound if at_most else value[1] < bound):
            missed.append(work)
    reached = "yes" if not missed else f"no: {', '.join(missed)}"
    return (title, *cells, reached)
