"""Renames words in Python code: those of the generator, and not those of a person."""

import ast
import difflib
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

from scaffold.merging.python_source import is_valid

Token = tokenize.TokenInfo
Place = tuple[int, int]
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_TEXTS = {tokenize.STRING, tokenize.COMMENT}
_TEXTS |= {getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_LINES = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
_FIELD = re.compile(r"(?<!\{)\{[^{}]+\}(?!\})")  # of an f-string


def words_of(text: str) -> Iterator[str]:
    """Yield the words of a module: names, strings, comments, and keywords as `name=`.

    The imports are left out, which a renamed module has in another order.
    """
    imports = {
        number
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    tokens = _tokens(text)
    for number, token in enumerate(tokens):
        if token.start[0] in imports:
            continue
        if token.type == tokenize.NAME:
            yield _word(tokens, number)
        elif token.type in _TEXTS:
            yield token.string


def attributes(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a program reads of what: `a.b` is the attribute b of a."""
    yield from re.findall(r"(?<![\w.])(?:\w+\.)*(\w+)\.(\w+)", text)


def translate(
    text: str,
    words: Mapping[str, str],
    owners: Set[str] = frozenset(),
    base: str | None = None,
    modules: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a module with other words; a string or a comment counts as one word.

    `modules` are modules that are imported by another name now.

    An attribute is one of these words only where it belongs to one of the `owners` or
    `modules`, whatever the text imports them as, or to the object itself: `asyncio.Task`
    is nothing of ours.

    `base` is what was generated, if a person has edited the text since. What they wrote
    stays: strings and comments, and the names that they define themselves. The
    placeholders of a path and the parameters that they are bound to are renamed
    together, or not at all.
    """
    if not is_valid(text):
        return text
    tokens = _tokens(text)
    own = _Own(text, base, tokens, words) if base is not None else None
    ours = {"self", "cls", *owners, *_aliases(text, {*owners, *modules})}
    lines = text.split("\n")
    for number, token in reversed(list(enumerate(tokens))):
        if token.start[0] != token.end[0]:
            continue
        new = words.get(_word(tokens, number))
        if _is_attribute(tokens, number) and tokens[number - 2].string not in ours:
            continue
        if new and own and own.has(token, is_attribute=_is_attribute(tokens, number)):
            continue
        if new is None and token.type == tokenize.STRING and _is_formatted(token):
            new = _in_fields(token, words, own)
        if new is not None:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = (
                line[:column] + new.removesuffix("=") + line[token.end[1] :]
            )
    return _with_modules("\n".join(lines), modules)


def _aliases(text: str, names: Set[str]) -> set[str]:
    """What a module calls those of the names that it imports by another name."""
    return {
        alias.asname
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname and names & {alias.name, _imported(node, alias)}
    }


def _imported(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """The full name of what an import binds."""
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    return f"{module}.{alias.name}" if module else alias.name


def _with_modules(text: str, modules: Mapping[str, str]) -> str:
    """A module that imports other modules by their new names."""
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        parent = f"{module}." if module else ""
        names = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
        for alias in reversed(names):
            new = modules.get(parent + alias.name, "").removeprefix(parent)
            if new and (parent or alias.asname):
                row, start = alias.lineno - 1, alias.col_offset
                line = lines[row].encode()
                end = start + len(alias.name.encode())
                name = new if alias.asname else f"{new} as {alias.name}"
                lines[row] = f"{line[:start].decode()}{name}{line[end:].decode()}"
        if module in modules and isinstance(node, ast.ImportFrom):
            row, new = node.lineno - 1, modules[module]
            lines[row] = lines[row].replace(f"from {module} ", f"from {new} ", 1)
    return "\n".join(lines)


def _tokens(text: str) -> list[Token]:
    return list(tokenize.generate_tokens(io.StringIO(text).readline))


def _word(tokens: Sequence[Token], number: int) -> str:
    """The word that a token is; the name of a keyword argument ends in `=`."""
    token = tokens[number]
    is_keyword = (
        token.type == tokenize.NAME
        and tokens[number - 1].string in ("(", ",")
        and tokens[number + 1].string == "="
    )
    return f"{token.string}=" if is_keyword else token.string


def _is_attribute(tokens: Sequence[Token], number: int) -> bool:
    is_name = tokens[number].type == tokenize.NAME
    return is_name and number > 1 and tokens[number - 1].string == "."


def _is_formatted(token: Token) -> bool:
    """Whether it is an f-string; since Python 3.12, its parts are tokens."""
    return "f" in re.split("[\"']", token.string)[0].lower()


def _in_fields(token: Token, words: Mapping[str, str], own: "_Own | None") -> str:
    """An f-string with other names in its fields."""

    def word(found: re.Match[str]) -> str:
        name = found[0]
        is_own = own is not None and own.is_name(name, token.start[0])
        return name if is_own else words.get(name, name)

    def field(found: re.Match[str]) -> str:
        return re.sub(r"(?<![\w.])[^\W\d]\w*", word, found[0])

    return _FIELD.sub(field, token.string)


@dataclass(frozen=True)
class _Names:
    """Names that are a person's in some lines."""

    first: int
    end: int
    names: Set[str]


class _Own:
    """What a person wrote into a generated module."""

    def __init__(
        self, text: str, base: str, tokens: Sequence[Token], words: Mapping[str, str]
    ) -> None:
        tree = ast.parse(text)
        known = dict(_scopes(ast.parse(base)))
        self.generated = _generated_texts(text, base, tokens)
        self.names = [_Names(0, sys.maxsize, _bound(tree) - _bound(ast.parse(base)))]
        self.attributes: list[_Names] = []
        self.kept_paths: set[Place] = set()
        for home, node in _scopes(tree):
            if home not in known:
                self._define(node, _bound(node))
            elif isinstance(node, ast.ClassDef):
                self._define(node, _bound(node) - _bound(known[home]))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._bind_placeholders(node, text, words)
        self._keep_placeholders_elsewhere(tokens, words)

    def has(self, token: Token, *, is_attribute: bool) -> bool:
        """Whether a token is a person's."""
        row = token.start[0]
        if token.type in _TEXTS:
            return token.start not in self.generated or token.start in self.kept_paths
        if is_attribute:
            return _is_in(token.string, row, self.attributes)
        return self.is_name(token.string, row)

    def is_name(self, name: str, row: int) -> bool:
        return _is_in(name, row, self.names)

    def _define(self, node: Scope, names: Set[str]) -> None:
        """The names that a person has defined in a class or function."""
        end = node.end_lineno or 0
        self.names.append(_Names(node.lineno, end, names))
        if isinstance(node, ast.ClassDef):
            stored = {
                one.attr
                for method in node.body
                if isinstance(method, Scope) and method.name in names
                for one in ast.walk(method)
                if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)
            }
            self.attributes.append(_Names(node.lineno, end, names | stored))

    def _bind_placeholders(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        text: str,
        words: Mapping[str, str],
    ) -> None:
        """Decide on the placeholders of a route, and the parameters of their names."""
        arguments = node.args
        parameters = {
            one.arg
            for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        }
        for path in _paths(node):
            place = _place(text, path)
            names = set(_placeholders(str(path.value))) & words.keys()
            if place not in self.generated or not names <= parameters:
                self.kept_paths.add(place)
                first = min(one.lineno for one in [node, *node.decorator_list])
                self.names.append(_Names(first, node.end_lineno or 0, names))

    def _keep_placeholders_elsewhere(
        self, tokens: Sequence[Token], words: Mapping[str, str]
    ) -> None:
        """A placeholder in a string of a person's, such as a prefix, keeps its name."""
        known = self.generated | self.kept_paths
        names = {
            name
            for token in tokens
            if token.type == tokenize.STRING
            and token.start not in known
            and not _is_formatted(token)
            for name in _placeholders(token.string)
            if name in words
        }
        self.names.append(_Names(0, sys.maxsize, names))
        for token in tokens:
            if token.type == tokenize.STRING and names & {*_placeholders(token.string)}:
                self.kept_paths.add(token.start)


def _is_in(name: str, row: int, all_names: Sequence[_Names]) -> bool:
    return any(one.first <= row <= one.end and name in one.names for one in all_names)


def _placeholders(path: str) -> list[str]:
    return re.findall(r"\{(\w+)", path)


def _paths(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Constant]:
    """Yield the paths in a function's decorators."""
    for decorator in node.decorator_list:
        for one in ast.walk(decorator):
            if isinstance(one, ast.Constant) and str(one.value).startswith("/"):
                yield one


def _place(text: str, node: ast.expr) -> Place:
    line = text.split("\n")[node.lineno - 1]
    return node.lineno, len(line.encode()[: node.col_offset].decode())


def _scopes(
    tree: ast.AST, home: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Scope]]:
    """Yield the classes and functions of a module, and what they are in."""
    for node in ast.iter_child_nodes(tree):
        inner = home
        if isinstance(node, Scope):
            inner = (*home, node.name)
            yield inner, node
        yield from _scopes(node, inner)


def _bound(scope: ast.AST) -> set[str]:
    """The names that a scope binds, other than by imports; a function's nested ones too."""
    names = set()
    for node in _own_nodes(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, Scope):
            names.add(node.name)
    return names


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(scope):
        yield node
        if isinstance(scope, ast.Module | ast.ClassDef) and isinstance(node, Scope):
            continue
        yield from _own_nodes(node)


def _generated_texts(text: str, base: str, tokens: Sequence[Token]) -> set[Place]:
    """Where strings and comments are as they were generated, and in their place."""
    lines = text.split("\n"), base.split("\n")
    old_tokens = _tokens(base)
    found = set()
    matcher = difflib.SequenceMatcher(None, *lines)
    for tag, start, end, old_start, old_end in matcher.get_opcodes():
        mine = _between(tokens, start, end)
        if tag == "equal":
            found |= {token.start for token in mine}
        elif tag == "replace":
            old = _between(old_tokens, old_start, old_end)
            texts = [one.string for one in mine], [one.string for one in old]
            inner = difflib.SequenceMatcher(None, *texts, autojunk=False)
            for at, _, size in inner.get_matching_blocks():
                if size > 2:  # else it may be anywhere
                    found |= {token.start for token in mine[at : at + size]}
    return found


def _between(tokens: Sequence[Token], start: int, end: int) -> list[Token]:
    return [
        one for one in tokens if start < one.start[0] <= end and one.type not in _LINES
    ]
