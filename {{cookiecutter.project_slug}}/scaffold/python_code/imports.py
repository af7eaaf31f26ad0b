"""Removes unused imports, so that templates can list all that they may need."""

import ast
import itertools
import re

from scaffold.python_code.formatting import wrap

Import = ast.Import | ast.ImportFrom


def prune_imports(source: str) -> str:
    """Remove the unused imports at the beginning of a module.

    Those with a comment, or with `as` and the same name, are for other modules.
    """
    tree = ast.parse(source, "the rendered file")
    imports = _first_imports(tree)
    if not imports:
        return source
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    used = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    lines = source.split("\n")
    header: list[str] = []
    end = 0
    for node in imports:
        header += lines[end : node.lineno - 1]
        end = node.end_lineno or node.lineno
        header += _used_import(node, lines[node.lineno - 1 : end], used)
    kept = re.sub(r"\n{3,}", "\n\n", "\n".join(header).strip("\n"))
    rest = "\n".join(lines[end:]).lstrip("\n")
    gap = 3 if rest.startswith(("class ", "def ", "async ", "@")) else 2
    return kept + "\n" * gap + rest


def _first_imports(tree: ast.Module) -> list[Import]:
    body = tree.body[1:] if ast.get_docstring(tree, clean=False) else tree.body
    first = itertools.takewhile(lambda node: isinstance(node, Import), body)
    return [node for node in first if isinstance(node, Import)]


def _used_import(node: Import, lines: list[str], used: set[str]) -> list[str]:
    """Return the lines of an import with the names that are used; none without any."""
    names = [one for one in node.names if _is_used(one, used)]
    if names == node.names or any("#" in line for line in lines):
        return lines
    if not names:
        return []
    node.names = names
    line = ast.unparse(node)
    return [line] if len(lines) == 1 else wrap(line).splitlines()


def _is_used(name: ast.alias, used: set[str]) -> bool:
    bound = name.asname or name.name.partition(".")[0]
    return bound in used or name.asname == name.name
