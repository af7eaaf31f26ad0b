"""What people write into generated code in random lives, besides what evolution.py has.

Each is a way of its `Person`: a function of the person and a path.
"""

import ast
import re
import subprocess
import sys
from random import Random
from typing import Any

# Options of the linter that lay imports out as other tools do.
SORTERS = (
    "lint.isort.force-single-line = true",
    "lint.isort.force-sort-within-sections = true",
    "lint.isort.combine-as-imports = true",
    "lint.isort.order-by-type = false",
    "lint.isort.from-first = true",
    "lint.isort.length-sort = true",
)
FORMATTERS = (
    "line-length = 120",
    "line-length = 79",
    "format.quote-style = 'single'",
    "format.skip-magic-trailing-comma = true",
)
OURS = "lint.isort.known-first-party = ['src', 'tests']"
Import = ast.Import | ast.ImportFrom


def _imports(text: str) -> list[Import]:
    return [node for node in ast.parse(text).body if isinstance(node, Import)]


def _statement(node: Import, *names: str) -> str:
    listed = ", ".join(names or [ast.unparse(name) for name in node.names])
    if isinstance(node, ast.Import):
        return f"import {listed}"
    return f"from {'.' * node.level}{node.module or ''} import {listed}"


def _pick(text: str, random: Random) -> tuple[Import, ast.alias] | None:
    """An import without an alias."""
    found = [
        (node, name)
        for node in _imports(text)
        for name in node.names
        if not name.asname and "." not in name.name
    ]
    return random.choice(found) if found else None


def _mark(person: Any, node: Import, name: ast.alias) -> str:
    mark: str = person._mark()
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    person.aliases[mark] = (module, name.name)
    return mark


def add_alias(person: Any, path: str) -> None:
    """Import a name a second time, under one of their own, and use that."""
    text = person._text(path)
    if found := _pick(text, person.random):
        node, name = found
        mark = _mark(person, node, name)
        lines = text.rstrip("\n").split("\n")
        statement = _statement(node, f"{name.name} as {mark}")
        place = person.random.choice([node.lineno - 1, node.end_lineno])
        lines[place:place] = [statement]
        person._save(path, [*lines, "", f"{mark.upper()} = {mark}", ""])


def use_alias(person: Any, path: str) -> None:
    """Give an imported name another one in the whole file."""
    text = person._text(path)
    if found := _pick(text, person.random):
        node, name = found
        mark = _mark(person, node, name)
        lines = text.split("\n")
        others = [ast.unparse(one) for one in node.names if one is not name]
        new = [_statement(node, *others)] if others else []
        new.append(_statement(node, f"{name.name} as {mark}"))
        lines[node.lineno - 1 : node.end_lineno] = new
        renamed = _renamed("\n".join(lines), name.name, mark)
        person._save(path, renamed.split("\n"))


def _renamed(text: str, old: str, new: str) -> str:
    """Rename the uses of a name."""
    lines = text.split("\n")
    places = [
        (
            node.lineno - 1,
            len(lines[node.lineno - 1].encode()[: node.col_offset].decode()),
        )
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name) and node.id == old
    ]
    for row, column in sorted(places, reverse=True):
        line = lines[row]
        lines[row] = line[:column] + new + line[column + len(old) :]
    return "\n".join(lines)


def sort_otherwise(person: Any, path: str) -> None:
    """Let another sorter lay out the imports."""
    sorter = person.random.choice(SORTERS)
    _ruff(person, path, "check", "--select=I", "--fix", "--config", sorter)


def format_otherwise(person: Any, path: str) -> None:
    """Let another formatter lay out the code."""
    _ruff(person, path, "format", "--config", person.random.choice(FORMATTERS))


def _ruff(person: Any, path: str, *words: str) -> None:
    command = [sys.executable, "-m", "ruff", words[0], "--isolated", "--no-cache"]
    options = ["--config", OURS, *words[1:], path]
    subprocess.run(
        [*command, *options], cwd=person.root, check=True, capture_output=True
    )


def shuffle_imports(person: Any, path: str) -> None:
    """Shuffle the imports into one block, each name in a statement of its own."""
    text = person._text(path)
    imports = _imports(text)
    if len(imports) < 2 or any(n.lineno != n.end_lineno for n in _between(text)):
        return
    first, last = imports[0].lineno - 1, imports[-1].end_lineno
    lines = text.split("\n")
    if any("#" in line for line in lines[first:last]):
        return
    statements = [
        _statement(node, ast.unparse(name)) for node in imports for name in node.names
    ]
    person.random.shuffle(statements)
    person._save(path, [*lines[:first], *statements, *lines[last:]])


def _between(text: str) -> list[ast.stmt]:
    """Statements that stand among the imports."""
    body = ast.parse(text).body
    numbers = [n for n, node in enumerate(body) if isinstance(node, Import)]
    among = body[numbers[0] : numbers[-1]]
    return [node for node in among if not isinstance(node, Import)]


def rename_route(person: Any, path: str) -> None:
    """Change the name of a route's function, its path, or its placeholder."""
    if "api/routes/" not in path:
        return
    text = person._text(path)
    routes = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.AsyncFunctionDef) and node.decorator_list
    ]
    if not routes:
        return
    route = person.random.choice(routes)
    lines = text.split("\n")
    first, last = route.decorator_list[0].lineno - 1, route.end_lineno or 0
    old = "\n".join(lines[first:last])
    mark = person._mark()
    new = person.random.choice([_function, _path, _placeholder])(old, route.name, mark)
    if new == old:
        person.marks.remove(mark)
    else:
        person.routes.append(mark)
        person._save(path, [*lines[:first], *new.split("\n"), *lines[last:]])


def _function(text: str, name: str, mark: str) -> str:
    return text.replace(f"def {name}(", f"def {mark}{name}(")


def _path(text: str, _name: str, mark: str) -> str:
    return re.sub(r'(@router\.\w+\(\s*"[^"]*)"', rf'\1/{mark}"', text, count=1)


def _placeholder(text: str, _name: str, mark: str) -> str:
    found = re.search(r"\{((?!mine)\w+)\}", text)
    return re.sub(rf"\b{found[1]}\b", mark, text) if found else text


# What is listed more often is done more often.
WAYS = (
    add_alias,
    add_alias,
    use_alias,
    sort_otherwise,
    format_otherwise,
    shuffle_imports,
    rename_route,
    rename_route,
    rename_route,
)
