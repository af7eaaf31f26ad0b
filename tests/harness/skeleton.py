"""The skeleton's files as a project has them, with flags such as `auth` or without."""

import re
from functools import cache
from pathlib import Path
from typing import Any

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


FLAGS = ("auth", "history", "soft_delete")
EVERY_FLAG = dict.fromkeys(FLAGS, True)


@cache
def optional_files(**flags: bool) -> dict[str, str]:
    """Return the files that depend on flags, by path; a flag is off if it is left out."""
    known: dict[str, Any] = dict.fromkeys(FLAGS, False) | flags
    files = skeleton.render_optional(ANSWERS, **known)
    return {path: content.decode() for path, content in files.items()}


def text_of(path: str, **flags: bool) -> str:
    """Return a file of the skeleton."""
    files = optional_files(**flags)
    return files[path] if path in files else (TREE / path).read_text(encoding="utf-8")


def modules(folder: Path, **flags: bool) -> dict[str, str]:
    """Return the Python files of a folder of the skeleton, by path."""
    name = folder.relative_to(TREE).as_posix()
    found = {
        path.relative_to(TREE).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }
    optional = optional_files(**flags)
    return found | {
        path: text
        for path, text in optional.items()
        if path.startswith(f"{name}/") and path.endswith(".py")
    }


def exists(path: str) -> bool:
    """Return whether a project has a file or folder, perhaps with a flag only."""
    return (TREE / path).exists() or path in optional_files(**EVERY_FLAG)


def pyproject(*, auth: bool) -> str:
    """Return pyproject.toml with the dependencies of every answer."""
    text = (TREE / "pyproject.toml.jinja").read_text(encoding="utf-8")
    if not auth:
        text = re.sub(r"{% if auth %}\n.*?{% endif %}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^{%.*?%}\n", "", text, flags=re.MULTILINE)
    text = re.sub(r'(?<!")\{\{.*?\}\}', '"x"', text)
    return re.sub(r"\{\{.*?\}\}", "x", text)
