"""Quotes names in a new migration that SQLAlchemy does not quote by itself.

Alembic writes every name as a plain string, even a `quoted_name`. This runs on each new
migration, as a hook in pyproject.toml.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# Reserved words of PostgreSQL that SQLAlchemy 2.1 does not quote.
UNQUOTED = {"collation", "concurrently", "lateral", "system_user", "tablesample"}
SQLALCHEMY = "import sqlalchemy as sa\n"  # in a migration that uses it
ALEMBIC = "from alembic import op\n"


def quote_names(source: str) -> str:
    """Return a migration's text with its unquoted reserved words quoted."""
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    found = sorted(
        _names(ast.parse(source)), key=lambda one: (one.lineno, one.col_offset)
    )
    for name in reversed(found):  # from the end, so that positions stay valid
        line, start, end = name.lineno - 1, name.col_offset, name.end_col_offset
        quoted = b"sa.quoted_name(%b, quote=True)" % lines[line][start:end]
        lines[line] = lines[line][:start] + quoted + lines[line][end:]
    text = b"".join(lines).decode()
    if found and SQLALCHEMY not in text:
        text = text.replace(ALEMBIC, f"{SQLALCHEMY}{ALEMBIC}", 1)
    return text


def _names(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the names of tables and columns, but not defaults and comments."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if not ast.unparse(node.func).startswith(("op.", "sa.Column")):
            continue
        renamed = [one.value for one in node.keywords if one.arg == "new_column_name"]
        for argument in [*node.args, *renamed]:
            parts = argument.elts if isinstance(argument, ast.List) else [argument]
            for part in parts:
                if isinstance(part, ast.Constant) and part.value in UNQUOTED:
                    yield part


if __name__ == "__main__":
    path = Path(sys.argv[1])
    before = path.read_text(encoding="utf-8")
    path.write_text(quote_names(before), encoding="utf-8", newline="\n")
