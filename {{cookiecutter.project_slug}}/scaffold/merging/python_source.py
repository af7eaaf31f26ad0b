"""Python texts side by side: what may join them, and what lost its home."""

import ast
import functools
import symtable
from collections import Counter
from collections.abc import Iterator, Sequence, Set

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@functools.lru_cache(maxsize=16)  # a merge asks for the same texts again
def is_valid(text: str) -> bool:
    """Whether it is a program, with scopes that Python accepts."""
    try:
        symtable.symtable(text, "a module", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return False
    return _tree(text) is not None


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def union(new: str, yours: str) -> str:
    """Both additions, one after the other: what is generated comes first."""
    return new + ("" if new.endswith("\n") or not new else "\n") + yours


Place = tuple[tuple[str, ...], str]


def astray(
    texts: Sequence[str], ours: Set[int], yours: str, before: str, new: str
) -> set[int]:
    """Which of the texts, joined to one merged module, hold lines that lost their home.

    Such a line stands in a class or function where neither side has it, or decorates
    another one: what it was in is gone, and a neighbour has caught it. Only comments
    may do that. Outside of `ours`, where git knew what to do, what it was in may also
    have a new name.
    """
    old, merged = _places(before), _places("".join(texts))
    sides = [Counter(_places(text)) for text in (yours, new)]
    lost = Counter(merged) - (sides[0] + sides[1] - Counter(old))
    there, known = ({home for home, _ in places} for places in (merged, old))
    added = [place for side in sides for place in side - Counter(old)]
    stolen = {line for home, line in added if home in there}
    found = set()
    end = 0
    for n, text in enumerate(texts):
        start, end = end, end + text.count("\n")
        for home, line in merged[start : end + (not text.endswith("\n"))]:
            caught = n in ours or home in known or line in stolen
            if caught and line and (home, line) in lost:
                found.add(n)
    return found


def _places(text: str) -> list[Place]:
    """Each line, without its indent, and the classes and functions that it is in."""
    homes: list[tuple[str, ...]] = [() for _ in text.split("\n")]

    def enter(node: ast.AST, home: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Definition):
                inner = (*home, child.name)
                first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                last = child.end_lineno or first
                homes[first - 1 : last] = [inner] * (last - first + 1)
                enter(child, inner)
            elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                enter(child, home)

    if tree := _tree(text):
        enter(tree, ())
    lines = (line.strip() for line in text.split("\n"))
    return [
        (home, "" if line.startswith("#") else line)
        for home, line in zip(homes, lines, strict=True)
    ]


def may_stand_side_by_side(texts: Sequence[str], n: int) -> bool:
    """Whether the order of two additions, joined as texts[n], cannot matter.

    In a module, a class or a list it cannot; among the steps of a function it can.
    """
    tree = _tree("".join(texts))
    if tree is None:
        return False
    first, last = _span(texts, n)
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        starts = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        if starts < first <= (node.end_lineno or 0):
            return any(_surrounds(step, first, last) for step in _steps(node))
    return True


def _span(texts: Sequence[str], n: int) -> tuple[int, int]:
    """The first and the last line of texts[n] that are not blank."""
    before = "".join(texts[:n]).count("\n") + 1
    lines = texts[n].split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()] or [0]
    return before + filled[0], before + filled[-1]


def _steps(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    """The statements of a function that hold no other ones."""
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node


def _surrounds(node: ast.stmt, first: int, last: int) -> bool:
    return node.lineno < first and last <= (node.end_lineno or 0)
