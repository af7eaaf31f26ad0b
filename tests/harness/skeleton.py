"""The skeleton's files as a project has them, with `auth` and a history or without."""

import re
from functools import cache
from pathlib import Path

from scaffold.project import skeleton
from tests.harness.project import ROOT

TREE = ROOT / "{{cookiecutter.project_slug}}"
ANSWERS = {
    "project_name": "A shop",
    "project_slug": "shop",
    "description": "Sells things.",
    "author_name": "Me",
    "author_email": "me@example.com",
    "package_manager": "uv",
    "linters": "ruff",
    "license": "MIT",
}


@cache
def optional_files(*, auth: bool = False, history: bool = False) -> dict[str, str]:
    """Return the files that depend on `auth` and on histories, by path."""
    files = skeleton.render_optional(ANSWERS, auth=auth, history=history)
    return {path: content.decode() for path, content in files.items()}


def text_of(path: str, *, auth: bool = False, history: bool = False) -> str:
    """Return a file of the skeleton."""
    files = optional_files(auth=auth, history=history)
    return files[path] if path in files else (TREE / path).read_text(encoding="utf-8")


def modules(
    folder: Path, *, auth: bool = False, history: bool = False
) -> dict[str, str]:
    """Return the Python files of a folder of the skeleton, by path."""
    name = folder.relative_to(TREE).as_posix()
    found = {
        path.relative_to(TREE).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }
    optional = optional_files(auth=auth, history=history)
    return found | {
        path: text
        for path, text in optional.items()
        if path.startswith(f"{name}/") and path.endswith(".py")
    }


def exists(path: str) -> bool:
    """Return whether a project has a file or folder, perhaps with a flag only."""
    return (TREE / path).exists() or path in optional_files(auth=True, history=True)


def pyproject(*, auth: bool) -> str:
    """Return pyproject.toml with the dependencies of every answer."""
    text = (TREE / "pyproject.toml.jinja").read_text(encoding="utf-8")
    if not auth:
        text = re.sub(r"{% if auth %}\n.*?{% endif %}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^{%.*?%}\n", "", text, flags=re.MULTILINE)
    text = re.sub(r'(?<!")\{\{.*?\}\}', '"x"', text)
    return re.sub(r"\{\{.*?\}\}", "x", text)
