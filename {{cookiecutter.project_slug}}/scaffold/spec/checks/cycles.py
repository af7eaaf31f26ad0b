"""Checks that no cycle of required relations makes it impossible to create a row."""

from collections import deque
from collections.abc import Mapping

from scaffold.spec.model import Reference
from scaffold.spec.problems import Problems
from scaffold.spec.relations import Placed, Resolved

_SHOWN = 8


def check(resolved: Mapping[str, Resolved], problems: Problems) -> None:
    """Report each cycle once, at its first relation in the file."""
    required: dict[str, dict[str, Placed]] = {}
    for name, one in resolved.items():
        targets = required.setdefault(name, {})
        for placed in one.placed:
            if isinstance(placed.member, Reference) and placed.member.required:
                targets.setdefault(placed.member.target, placed)
    seen: set[str] = set()
    for name in _without_ends(required):
        if name not in seen:
            cycle = _cycle(name, required)
            seen.update(cycle)
            if cycle:
                _report([required[a][b] for a, b in _steps(cycle)], problems)


def _without_ends(required: Mapping[str, Mapping[str, Placed]]) -> list[str]:
    """Return the entities that are in a cycle, or from which one can be reached."""
    sources: dict[str, list[str]] = {}
    left = {name: len(targets) for name, targets in required.items()}
    for name, targets in required.items():
        for target in targets:
            sources.setdefault(target, []).append(name)
    ends = [name for name, count in left.items() if not count]
    for end in ends:
        for source in sources.get(end, ()):
            left[source] -= 1
            if not left[source]:
                ends.append(source)
    return [name for name, count in left.items() if count]


def _steps(cycle: list[str]) -> list[tuple[str, str]]:
    return list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def _cycle(start: str, required: Mapping[str, Mapping[str, Placed]]) -> list[str]:
    """Return the shortest path from an entity to itself (a breadth-first search)."""
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for target in required.get(name, ()):
            if target == start:
                path = [name]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if target not in before:
                before[target] = name
                queue.append(target)
    return []


def _report(cycle: list[Placed], problems: Problems) -> None:
    first = cycle[0].origin
    at = first.draft.at("required")
    if len(cycle) == 1:
        message = "required relation to the same entity: no first row could be created"
        problems.rule(at, first.label, f"{message}; make it optional")
        return
    labels = [placed.origin.label for placed in cycle]
    if len(labels) > _SHOWN:
        labels[_SHOWN - 1 : -1] = ["..."]
    path = " -> ".join([*labels, first.entity.name])
    problems.rule(
        at,
        first.label,
        f"cycle of required relations ({path}): no first row could be created; "
        "make one of them optional",
    )
