"""The size of modules and functions, and what the generator may import."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.project import ROOT

TREE = ROOT / "{{cookiecutter.project_slug}}"
FOLDERS = [
    *(ROOT / name for name in ("benchmarks", "hooks", "tools")),
    *(TREE / name for name in ("alembic", "scaffold", "scripts", "src")),
]
MODULE = 300
FUNCTION = 30
# A subject that is longer, with its length: nothing else may grow unnoticed.
LONGER = {
    "src/core/protocol.py": 370,  # one connection's states, which are read together
    "src/models/types.py": 340,  # one type of JSON values after the other
    "read_head": 51,  # the rules of RFC 9112 in their order
    "create_app": 32,  # the whole application in one visible list
    "main": 46,  # of benchmarks/references/route_cost.py: one script
}
HOOK = 90


def modules() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(folder.rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().removeprefix(f"{TREE.name}/")


@pytest.mark.parametrize("path", list(modules()), ids=name)
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    bound = HOOK if path.parent.name == "hooks" else LONGER.get(name(path), MODULE)
    assert len(text.splitlines()) <= bound
    tree = ast.parse(text)
    if path.name != "__init__.py":
        assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            is_docstring = isinstance(first, ast.Expr) and ast.get_docstring(node)
            start = (first.end_lineno or 0) + 1 if is_docstring else first.lineno
            length = (node.end_lineno or 0) - start + 1
            assert length <= LONGER.get(node.name, FUNCTION), (
                f"{node.name} has {length} lines"
            )


def test_the_generator_needs_only_what_cookiecutter_brings() -> None:
    allowed = {"jinja2", "rich", "scaffold", "yaml", *sys.stdlib_module_names}
    for path in (TREE / "scaffold").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                used = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                used = {str(node.module).split(".")[0]}
            else:
                continue
            assert used <= allowed, f"{name(path)}: {used - allowed}"
