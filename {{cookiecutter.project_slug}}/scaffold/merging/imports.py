"""Merges the imports of a module: what each name is bound to, and not lines.

The imports at the top of a module are taken out of the merge of its lines. A person may
write them in any way: names that only the new rendering binds are added to them, and names
that it no longer binds are removed if nothing uses them.
"""

import ast
import builtins
import io
import re
import symtable
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from scaffold.python_code.formatting import import_key, natural_key, wrap

Import = ast.Import | ast.ImportFrom
_BUILTINS = frozenset(dir(builtins)) | {"__annotations__", "__class__", "__file__"}
_FUTURE = "__future__"


@dataclass(frozen=True)
class Parts:
    """A module: what is above its imports, the imports at its top, and the rest."""

    top: str
    imports: str
    rest: str


@dataclass(frozen=True)
class Binding:
    """A name of a module, and what an import binds it to.

    `import a.b` binds `a`, and loads `a.b`. A star import binds the name `*`.
    """

    name: str
    target: str
    loads: str = ""


@dataclass(frozen=True)
class Statement:
    """An import statement: its lines in a text (first, and after the last one)."""

    node: Import
    first: int
    end: int
    text: str
    alone: bool  # no other statement is on these lines

    @property
    def module(self) -> str:
        if isinstance(self.node, ast.Import):
            return self.node.names[0].name
        return "." * self.node.level + (self.node.module or "")

    @property
    def place(self) -> tuple[bool, str]:
        """What import sorters order statements by, without the names."""
        return isinstance(self.node, ast.ImportFrom), self.module

    @property
    def key(self) -> tuple[object, ...]:
        first = self.node.names[0]
        names = import_key(first.name), first.asname or ""
        is_from, module = self.place
        return module != _FUTURE, is_from, natural_key(module), *names

    @property
    def has_comment(self) -> bool:
        return bool(self.comments)

    @property
    def comments(self) -> list[str]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [one.string for one in tokens if one.type == tokenize.COMMENT]

    @property
    def lists_names(self) -> bool:
        """Whether another name may be added to it."""
        return (
            isinstance(self.node, ast.ImportFrom)
            and self.alone
            and not self.has_comment
            and all(one.asname is None and one.name != "*" for one in self.node.names)
        )


def split_all(yours: str, before: str, new: str) -> list[Parts]:
    """Return the parts of three valid modules.

    A person may write statements between the imports, such as `sys.path.insert(…)`. They
    belong to the imports, unless the generator has them.
    """
    mixed = split(yours, mixed=True)
    is_generated = _statements(mixed.imports) & _statements(before)
    return [split(yours) if is_generated else mixed, split(before), split(new)]


def _statements(text: str) -> set[str]:
    body = ast.parse(text).body
    return {ast.unparse(node) for node in body if isinstance(node, _SIMPLE)}


def split(text: str, *, mixed: bool = False) -> Parts:
    """Return the parts of a valid module; `mixed` allows statements between imports.

    Blocks that import, such as `try: … except ImportError: …`, count as imports, so do
    statements on the same line, and simple statements before them as the top.
    """
    body = ast.parse(text).body
    lines = _lines(text)
    first = 1 if _is_docstring(body) else 0
    found = next((n for n, node in enumerate(body) if _imports(node)), first)
    if all(isinstance(node, _SIMPLE) for node in body[first:found]):
        first = found
    end = 0  # the line on which the imports end
    for node in body[first:]:
        if _imports(node) or node.lineno == end:
            end = node.end_lineno or 0
        elif not (mixed and end and isinstance(node, _SIMPLE)):
            break
    if end:
        while first and body[first - 1].end_lineno == body[first].lineno:
            first -= 1
        start = body[first].lineno - 1
    elif first:
        start = end = body[0].end_lineno or 0
    else:
        start = next((n for n, line in enumerate(lines) if line[0] != "#"), len(lines))
        end = start
    parts = lines[:start], lines[start:end], lines[end:]
    return Parts(*("".join(part) for part in parts))


_DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BLOCK = ast.If | ast.Try | ast.With
_SIMPLE = ast.Assign | ast.Expr


def _lines(text: str) -> list[str]:
    """The lines as Python counts them."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _imports(node: ast.stmt) -> bool:
    """Whether it is an import, or a block around some."""
    if isinstance(node, _BLOCK):
        return any(isinstance(one, Import) for one in ast.walk(node))
    return isinstance(node, Import)


def _is_docstring(body: Sequence[ast.stmt]) -> bool:
    first = body[0] if body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def joined(top: str, imports: str, rest: str) -> str:
    """Return the module of these parts, with a blank line between them at least."""
    if not imports:
        return top + rest
    if top and not top.endswith("\n\n") and not top.splitlines()[-1].startswith("#"):
        top = top.rstrip("\n") + "\n\n"
    if rest and rest[0] != "\n":
        rest = "\n" + rest
    return top + imports + ("" if imports.endswith("\n") else "\n") + rest


def future_first(top: str, imports: str) -> tuple[str, str]:
    """Move imports of __future__ above the statements of the top, as Python wants it."""
    body = ast.parse(top).body
    first = 1 if _is_docstring(body) else 0
    future = [one for one in statements(imports) if one.module == _FUTURE]
    if not future or first == len(body):
        return top, imports
    above, below = _lines(top), _lines(imports)
    for one in reversed(future):
        del below[one.first : one.end]
    start = body[first].lineno - 1
    place = _above_comments(above, start) or start
    above[place:place] = [*(one.text for one in future), "\n"]
    return "".join(above), "".join(below).lstrip("\n")


def statements(text: str) -> list[Statement]:
    """Return the import statements of a text that are in no block."""
    body = ast.parse(text).body
    lines = _lines(text)
    on_line = Counter(
        line for node in body for line in range(node.lineno, (node.end_lineno or 0) + 1)
    )
    return [
        Statement(
            node,
            node.lineno - 1,
            end := node.end_lineno or 0,
            "".join(lines[node.lineno - 1 : end]),
            on_line[node.lineno] == on_line[end] == 1,
        )
        for node in body
        if isinstance(node, Import)
    ]


def bindings(node: Import, package: str = "") -> Iterator[Binding]:
    """Yield what a statement binds, in its order."""
    for alias in node.names:
        yield _binding(node, alias, package)


def _binding(node: Import, alias: ast.alias, package: str) -> Binding:
    name = alias.asname or alias.name
    if isinstance(node, ast.Import):
        if alias.asname:
            return Binding(name, alias.name)
        root = alias.name.partition(".")[0]
        return Binding(root, root, alias.name)
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    above = parents if node.level and package else ["." * node.level]
    module = ".".join(filter(None, [*above, node.module or ""]))
    return Binding(name, f"{module}.{alias.name}", module if name == "*" else "")


class Names:
    """The names that a module, or the rest of one, uses and binds."""

    def __init__(self, text: str, package: str = "") -> None:
        tree = ast.parse(text)
        nodes = list(ast.walk(tree))
        self.used: set[str] = set()
        self.bound: set[str] = set()
        self._read(symtable.symtable(text, "a module", "exec"))
        # Each use counts, wherever it is.
        self.counts = Counter(node.id for node in nodes if isinstance(node, ast.Name))
        self.strings = {
            node.value
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        typing, self.imported = set[str](), set[Binding]()
        for node, only_types in _module_imports(tree.body):
            found = set(bindings(node, package))
            if only_types:
                typing |= {one.name for one in found}
            else:
                self.imported |= found
        self.only_typed = typing - {one.name for one in self.imported}

    def _read(self, table: symtable.SymbolTable) -> None:
        for one in table.get_symbols():
            is_module = table.get_type() == "module"
            binds = one.is_assigned() or one.is_imported() or one.is_namespace()
            if one.is_referenced() and (is_module or one.is_global()):
                self.used.add(one.get_name())
            if binds and (is_module or one.is_declared_global()):
                self.bound.add(one.get_name())
        for child in table.get_children():
            self._read(child)


def _module_imports(
    body: Sequence[ast.stmt], only_types: bool = False
) -> Iterator[tuple[Import, bool]]:
    """Yield the imports of a module's own scope, and whether only type checkers see it."""
    for node in body:
        if isinstance(node, Import):
            yield node, only_types
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _module_imports(node.body, True)
            yield from _module_imports(node.orelse, only_types)
        elif not isinstance(node, _DEFINITION):
            for name in ("body", "handlers", "orelse", "finalbody"):
                for part in getattr(node, name, ()):
                    inner = part.body if isinstance(part, ast.ExceptHandler) else [part]
                    yield from _module_imports(inner, only_types)


def unbound(text: str) -> set[str]:
    """Return the names that a module uses and binds nowhere; none after a star import."""
    names = Names(text)
    if any(one.name == "*" for one in names.imported):
        return set()
    return names.used - names.bound - _BUILTINS


def without_lost(before: str, text: str, package: str) -> str:
    """Return a base without the imports of names that a text uses and does not bind.

    Git puts one branch's new code below another one's imports, for example.
    """
    lost, parts = unbound(text), split(before)
    imports = parts.imports
    for one in sorted(Names(imports, package).imported, key=_order):
        if one.name in lost:
            imports = _without(imports, one, parts.imports, package)
    if imports == parts.imports:
        return before
    return joined(parts.top, imports, parts.rest)


def merge_imports(
    yours: Parts, before: Parts, new: Parts, rests: Sequence[str], package: str = ""
) -> str | None:
    """Return the imports of a merged module, or None for a conflict.

    `rests` is the merged rest of the module; of one with conflicts, both sides'.
    """
    mine, old, fresh = (
        Names(part.imports, package).imported for part in (yours, before, new)
    )
    rest = [Names(text, package) for text in rests]
    uses = [Names(part.rest, package) for part in (yours, before, new)]
    above = Names(yours.imports, package)
    used = above.used.union(*(one.used for one in rest))
    kept = used | _in_strings(
        set().union(*(one.strings for one in rest)) - uses[1].strings - uses[2].strings
    )
    own = mine | uses[0].imported
    defined = (above.bound - above.only_typed) | (uses[0].bound - uses[1].bound)
    for one in fresh - old:
        if _clashes(one, own, old, defined):
            return None
    rebound = {one for one in old - fresh if _is_rebound(one, fresh)}
    if any(
        uses[0].counts[one.name] > uses[1].counts[one.name] for one in rebound & own
    ):
        return None
    text = yours.imports
    if yours.imports == before.imports:
        text = new.imports
    elif (
        _blocks(before.imports) != _blocks(new.imports) and yours.imports != new.imports
    ):
        return None
    else:
        for one in sorted(old - fresh, key=_order):
            if one.name not in kept or one in rebound:
                text = _without(text, one, before.imports, package)
        for one in sorted(fresh - old, key=_order):
            if not any(_is_same(one, other) for other in own):
                text = _with(text, one, new.imports, package)
    return _with_missing(text, (yours, new, before), rest, uses, kept, package)


def _order(one: Binding) -> tuple[str, str, str]:
    return one.target, one.name, one.loads


def _is_same(one: Binding, other: Binding) -> bool:
    return (one.name, one.target) == (other.name, other.target) and (
        one.loads in ("", one.name, other.loads)
    )


def _is_rebound(one: Binding, fresh: Set[Binding]) -> bool:
    targets = {other.target for other in fresh if other.name == one.name}
    return bool(targets) and one.target not in targets


def _clashes(
    one: Binding, own: Set[Binding], old: Set[Binding], defined: Set[str]
) -> bool:
    """Whether a person's code has the name of a new import for something else."""
    targets = {other.target for other in own if other.name == one.name}
    if one.name == "*" or one.target in targets:
        return False
    known = {other.target for other in old if other.name == one.name}
    return bool(targets - known) or (not targets and one.name in defined)


def _in_strings(strings: Set[str]) -> set[str]:
    """The names in strings that are expressions, such as annotations in quotes."""
    found = set()
    for string in strings:
        try:
            tree = ast.parse(string.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found


def _blocks(text: str) -> list[str]:
    body = ast.parse(text).body
    return [ast.unparse(node) for node in body if isinstance(node, _BLOCK)]


def _with_missing(
    text: str,
    sources: Sequence[Parts],
    rest: Sequence[Names],
    uses: Sequence[Names],
    kept: Set[str],
    package: str,
) -> str:
    """The imports with those that the module uses, and that only one side still has."""
    yours, before, new = uses
    now = Names(text, package)
    names = [now, *rest]
    bound = set().union(*(one.bound for one in names)) | _BUILTINS
    typed = set().union(*(one.only_typed for one in names))
    typed -= {one.name for each in names for one in each.imported}
    wanted = {n for n in typed if new.counts[n] > before.counts[n]} | (kept - bound)
    if any(one.name == "*" for each in names for one in each.imported):
        wanted -= yours.used | yours.strings  # they come from there
    for source in sources:
        offered = Names(source.imports, package).imported
        for one in sorted(offered, key=_order):
            if one.name in wanted:
                text = _with(text, one, source.imports, package)
        wanted = wanted - {one.name for one in offered}
    return text


def _without(text: str, gone: Binding, before: str, package: str) -> str:
    """Return the imports without a binding, unless `noqa` says that a person wants it.

    Other comments of a person stay where the import was.
    """
    for one in reversed(statements(text)):
        left = [
            alias
            for alias in one.node.names
            if _binding(one.node, alias, package) != gone or alias.asname == alias.name
        ]
        if len(left) == len(one.node.names) or not one.alone:
            continue
        comments = [] if one.text in before else one.comments
        if any("noqa" in comment for comment in comments):
            continue
        lines = _lines(text)
        instead = [f"{comment}\n" for comment in comments]
        if instead and one.first and lines[one.first - 1].strip():
            instead.insert(0, "\n")  # as import sorters have it
        if left:
            instead.append(_statement(one.place, left))
        lines[one.first : one.end] = instead
        if not instead and lines[one.first - 1 : one.first + 1] == ["\n", "\n"]:
            del lines[one.first]  # it had stood alone
        text = "".join(lines).strip("\n")
        text += "\n" if text else ""
    return text


def _statement(place: tuple[bool, str], names: Sequence[ast.alias]) -> str:
    listed = ", ".join(map(ast.unparse, names))
    is_from, module = place
    return wrap(f"from {module} import {listed}" if is_from else f"import {listed}")


def _with(text: str, added: Binding, source: str, package: str) -> str:
    """The imports with a binding, which is written as in the source."""
    for model in statements(source):
        names = [
            a for a in model.node.names if _binding(model.node, a, package) == added
        ]
        if names:
            break
    else:  # it is in a block there
        return text
    there = statements(text)
    same = [one for one in there if one.place == model.place and one.lists_names]
    if model.lists_names and len(same) == 1 and not _has_single_lines(there):
        one = same[0]
        listed = sorted(
            [*one.node.names, names[0]], key=lambda alias: import_key(alias.name)
        )
        lines = _lines(text)
        lines[one.first : one.end] = [_statement(one.place, listed)]
        return "".join(lines)
    whole = len(model.node.names) == 1 and model.alone
    line = model.text if whole else _statement(_place(model, names[0]), names[:1])
    return _inserted(text, line if line.endswith("\n") else line + "\n", model, source)


def _place(model: Statement, name: ast.alias) -> tuple[bool, str]:
    is_from, module = model.place
    return is_from, module if is_from else name.name


def _has_single_lines(there: Sequence[Statement]) -> bool:
    """Whether a person's import sorter gives each name a line of its own."""
    places = Counter(one.place for one in there if one.lists_names)
    return any(number > 1 for number in places.values())


def _inserted(text: str, line: str, model: Statement, source: str) -> str:
    """The imports with a line, in the section that it has in the source."""
    there = statements(text)
    if not there or model.module == _FUTURE:
        return line + ("\n" if text.strip() else "") + text
    lines = _lines(text)
    sections = list(zip(there, _sections(text), strict=True))
    number, is_new = _section_for(model, source, sections)
    if number is None:
        return f"{text}\n{line}"
    group = [one for one, section in sections if section == number]
    key = statements(line)[0].key
    later = [one for one in group if is_new or one.key > key]
    future = max((one.end for one in there if one.module == _FUTURE), default=0)
    if later:
        place = max(_above_comments(lines, later[0].first), future)
        place = max([one.end for one in there if one.first < place < one.end] + [place])
        lines[place:place] = [line, "\n"] if is_new else [line]
    else:
        lines[group[-1].end : group[-1].end] = [line]
    return "".join(lines)


def _section_for(
    model: Statement, source: str, sections: Sequence[tuple[Statement, int]]
) -> tuple[int | None, bool]:
    """The section to add to, or the one to begin another before; None for the end."""
    known = {one.place: section for one, section in sections}
    places = [one.place for one in statements(source)]
    at = places.index(model.place)
    own = dict(zip(places, _sections(source), strict=True))
    for place in places:
        if place in known and own[place] == own[model.place]:
            return known[place], False
    earlier = [known[place] for place in places[:at] if place in known]
    after = [known[place] for place in places[at:] if place in known]
    first, end = max(earlier, default=-1), min(after, default=sys.maxsize)
    between = [
        section
        for one, section in sections
        if first < section < end and one.module != _FUTURE
    ]
    if between:
        return between[0], False
    return (after[0] if after else None), True


def _above_comments(lines: Sequence[str], place: int) -> int:
    while place and lines[place - 1].lstrip().startswith("#"):
        place -= 1
    return place


def _sections(text: str) -> list[int]:
    """The number of each statement's section; blank lines are between sections."""
    lines = _lines(text)
    starts = [one.first for one in statements(text)]
    return [sum(not line.strip() for line in lines[:start]) for start in starts]
