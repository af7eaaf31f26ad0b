"""Removes unused imports, so that templates can list all that they may need."""

import ast
import re
import symtable

from scaffold.python_code.formatting import wrap

Import = ast.Import | ast.ImportFrom
_DOCSTRING = r'(?:"""(?:.|\n)*?"""\n)?'
_IMPORT = r"(?:from \S+ )?import (?:\([^)]*\)|[^(\n]*)(?:#.*)?\n"
_HEADER = re.compile(rf"{_DOCSTRING}(?:#.*\n|\n|{_IMPORT})*")


def prune_imports(source: str) -> str:
    """Remove the unused imports at the beginning of a module.

    Those with a comment, or with `as` and the same name, are for other modules.
    """
    used = _used_names(symtable.symtable(source, "the rendered file", "exec"))
    header = _HEADER.match(source)
    nodes = ast.parse(header[0]).body if header else []
    imports = [node for node in nodes if isinstance(node, Import)]
    if not imports:
        return source
    lines = source.split("\n")
    found: list[str] = []
    end = 0
    for node in imports:
        found += lines[end : node.lineno - 1]
        end = node.end_lineno or node.lineno
        found += _used_import(node, lines[node.lineno - 1 : end], used)
    kept = re.sub(r"\n{3,}", "\n\n", "\n".join(found).strip("\n"))
    rest = "\n".join(lines[end:]).lstrip("\n")
    gap = 3 if rest.startswith(("class ", "def ", "async ", "@")) else 2
    return kept + "\n" * gap + rest


def _used_names(table: symtable.SymbolTable) -> set[str]:
    """Return the names that are read in a scope or in the scopes within it."""
    used = {one.get_name() for one in table.get_symbols() if one.is_referenced()}
    return used.union(*map(_used_names, table.get_children()))


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
