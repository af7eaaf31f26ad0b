"""What a module defines, and where: a merge must not define anything twice."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
_VERBS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_VERBS |= {"websocket"}
# Decorators of functions that are defined several times on purpose.
_REPEATED = {"overload", "setter", "getter", "deleter", "register"}

Key = tuple[str, ...]


@dataclass(frozen=True)
class Defined:
    """A class, function, attribute, route, router or item of a list.

    `key` is its name, after those of what it is in. `first` and `end` are its lines, on
    which it may be alone.
    """

    key: Key
    label: str
    first: int
    end: int
    text: str
    alone: bool

    @property
    def tags(self) -> tuple[str, str]:
        """The lines that mark it in a text, above and below."""
        name = f"# devmatrix: line {self.first}"
        return f"{name} begins\n", f"{name} ends\n"


@functools.lru_cache(maxsize=16)  # a merge asks for the same texts again
def definitions(text: str) -> tuple[Defined, ...]:
    """Return what a valid module defines, but for the steps of its functions."""
    return tuple(_Reader(text).body(ast.parse(text).body, ()))


def added_by_both(yours: str, before: str, new: str) -> list[tuple[Defined, Defined]]:
    """Return what both sides of a merge define, and what they started from did not.

    What is in a class or list that both have added is left out.
    """
    known = {one.key for one in definitions(before)}
    mine = {one.key: one for one in definitions(yours) if one.key not in known}
    theirs = {one.key: one for one in definitions(new) if one.key not in known}
    both = mine.keys() & theirs.keys()
    outer = [key for key in both if not any(key[:n] in both for n in range(len(key)))]
    pairs = ((mine[key], theirs[key]) for key in sorted(outer))
    found = {(a.first, b.first): (a, b) for a, b in pairs}  # a route is a function, too
    return [pair for pair in found.values() if all(one.alone for one in pair)]


def defined_twice(text: str, *sides: str) -> list[tuple[Defined, Defined]]:
    """Return what a text defines more often than any of the sides, with the first one."""
    counts = [Counter(one.key for one in definitions(side)) for side in sides]
    known = set().union(*counts)
    found: dict[Key, list[Defined]] = {}
    for one in definitions(text):
        if one.key in known:
            found.setdefault(one.key, []).append(one)
    repeated = [
        (places[0], place)
        for key, places in found.items()
        for place in places[1:]
        if len(places) > max(count[key] for count in counts)
    ]
    return list({(a.first, b.first): (a, b) for a, b in repeated}.values())


def without(text: str, parts: Sequence[Defined]) -> str:
    """Return the text without some of its definitions, and the blank lines above."""
    lines = _lines(text)
    for first, end in sorted({(one.first, one.end) for one in parts}, reverse=True):
        above = first
        while above and not lines[above - 1].strip():
            above -= 1
        del lines[above:end]
    return "".join(lines)


def tagged(text: str, parts: Sequence[Defined]) -> str:
    """Return the text with the tags of some of its definitions."""
    lines = _lines(text)
    for one in sorted(parts, key=lambda one: one.first, reverse=True):
        start, end = one.tags
        shown = "".join(lines[one.first : one.end])
        lines[one.first : one.end] = [start, shown.removesuffix("\n") + "\n", end]
    return "".join(lines)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


class _Reader:
    """Reads the definitions of a module."""

    def __init__(self, text: str) -> None:
        self.lines = _lines(text)

    def body(self, body: Sequence[ast.stmt], home: Key) -> Iterator[Defined]:
        """Yield what a module or class defines."""
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield self.found(node, home, node.name)
                yield from self.body(node.body, (*home, node.name))
            elif isinstance(node, Function):
                yield from self.function(node, home)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                yield from self.assignment(node, node.value, home)
            elif isinstance(node, ast.AnnAssign):
                yield from self.assignment(node, ast.Constant(None), home)
            else:
                yield from self.registration(node, home)

    def found(
        self, node: ast.stmt | ast.expr, home: Key, name: str, label: str = ""
    ) -> Defined:
        decorators = getattr(node, "decorator_list", ())
        first = min([node.lineno, *(one.lineno for one in decorators)]) - 1
        end = node.end_lineno or 0
        text = "".join(self.lines[first:end])
        label = label or ".".join((*home, name))
        lead = self.lines[first].encode()[: node.col_offset].strip(b" @")
        rest = self.lines[end - 1].encode()[node.end_col_offset :].strip().lstrip(b",")
        alone = rest.strip()[:1] in (b"", b"#") and (bool(decorators) or not lead)
        return Defined((*home, name), label, first, end, text, alone)

    def function(self, node: Function, home: Key) -> Iterator[Defined]:
        names = {name for one in node.decorator_list for name in _words(one)}
        if not names & _REPEATED:
            yield self.found(node, home, node.name)
        for one in node.decorator_list:
            if path := _route(one):
                yield self.found(node, home, path, f"the route {path}")
        inner = (*home, node.name)
        for step in node.body:
            if isinstance(step, ast.Return | ast.Assign) and step.value:
                yield from self.items(step.value, inner)
            elif isinstance(step, ast.For):
                yield from self.items(step.iter, inner)
            else:
                yield from self.registration(step, inner)

    def assignment(
        self, node: ast.Assign | ast.AnnAssign, value: ast.expr, home: Key
    ) -> Iterator[Defined]:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if len(targets) == 1 and isinstance(targets[0], ast.Name):
            name = targets[0].id
            if name not in _words(value):  # else it adds to what it was
                yield self.found(node, home, name)
                yield from self.items(value, (*home, name))

    def registration(self, node: ast.stmt, home: Key) -> Iterator[Defined]:
        """Yield the router that a statement includes."""
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and call.args:
            function = ast.unparse(call.func)
            if function.endswith(".include_router"):
                shown = f"{function}({ast.unparse(call.args[0])})"
                yield self.found(node, home, shown, shown)

    def items(self, node: ast.expr, home: Key) -> Iterator[Defined]:
        """Yield the items of lists, tuples and sets in an expression."""
        if isinstance(node, ast.Call):
            for argument in node.args:
                yield from self.items(argument, home)
            for keyword in node.keywords:
                yield from self.items(keyword.value, (*home, keyword.arg or "**"))
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            for item in node.elts:
                if name := _item_name(item):
                    yield self.found(item, home, name, f"{name} in {'.'.join(home)}")
                    yield from self.items(item, (*home, name))


def _words(node: ast.expr) -> set[str]:
    """The names and attributes that an expression reads."""
    return {
        one.id if isinstance(one, ast.Name) else one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Name | ast.Attribute)
    }


def _route(node: ast.expr) -> str:
    """The method and path of a route's decorator, whatever its parameters are called."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return ""
    paths = [*node.args, *(one.value for one in node.keywords if one.arg == "path")]
    path = paths[0] if paths else None
    if node.func.attr not in _VERBS or not isinstance(path, ast.Constant):
        return ""
    shown = re.sub(r"\{\w+", "{", str(path.value))
    return f"{ast.unparse(node.func)} {shown!r}"


def _item_name(node: ast.expr) -> str:
    """What makes an item of a list the same as another one; "" for mere numbers."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "name":
                return ast.unparse(value)
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "name":
                return f"{ast.unparse(node.func)}(name={ast.unparse(keyword.value)})"
    if isinstance(node, ast.Constant) and not isinstance(node.value, str):
        return ""
    return ast.unparse(node)
