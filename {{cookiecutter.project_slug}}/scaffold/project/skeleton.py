"""The files of a project that do not depend on its entities, but for some flags.

A file of the skeleton whose name ends with `.jinja` depends on `"auth"` in entities.json,
or on whether an entity has `"history"` or `"soft_delete"`.
Cookiecutter does not render it, because it knows only the answers; a run of the generator
does, and merges it as it does the code of the entities. One that is empty is left out, and
so are the imports that a module does not use.
"""

import fnmatch
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from scaffold.project.generator import HOME, QUESTIONS, SKELETON, contents
from scaffold.python_code.imports import prune_imports

OPTIONAL = ".jinja"
EXAMPLE = re.compile(r"\benv\.example$")  # git ignores .env.example.jinja
YEAR = "__year"  # of the copyright; answers.json records it as `year`
# Files that belong to the team, the machine or a tool from the start: an upgrade does not
# change them.
NOT_OURS = (
    "*.lock",
    ".data/*",
    ".env",
    "alembic/versions/*.py",
    "docker/.env",
    "entities.json",
    "licences/*",
    "openapi.json",
    "requirements/*",
)


def render(answers: Mapping[str, Any], home: Path = HOME) -> dict[str, bytes]:
    """Return the files of a project with no flag, for these answers."""
    packed = contents(home)
    questions = json.loads(packed[QUESTIONS])
    context = {"cookiecutter": complete(answers, questions)}
    environment = _environment()
    files = {}
    for name, content in packed.items():
        path = _target(name.removeprefix(SKELETON), answers)
        if not name.startswith(SKELETON) or not _is_wanted(path, answers):
            continue
        if not _matches(path, questions["_copy_without_render"]):
            template = environment.from_string(content.decode("utf-8"))
            content = template.render(context).encode("utf-8")
        files[path] = content
    return files | render_optional(answers, auth=False, home=home)


def render_optional(
    answers: Mapping[str, Any],
    *,
    auth: bool,
    history: bool = False,
    soft_delete: bool = False,
    home: Path = HOME,
) -> dict[str, bytes]:
    """Return the files that depend on `auth`, `history` and `soft_delete`."""
    packed = contents(home)
    questions = json.loads(packed[QUESTIONS])
    known = complete(answers, questions)
    flags = {"auth": auth, "history": history, "soft_delete": soft_delete}
    files = {}
    for name, content in packed.items():
        if name.startswith(SKELETON) and name.endswith(OPTIONAL):
            template = _optional_template(content)
            text = template.render(cookiecutter=known, **flags)
            if text:
                path = name.removeprefix(SKELETON).removesuffix(OPTIONAL)
                text = prune_imports(text) if path.endswith(".py") else text
                files[EXAMPLE.sub(".env.example", path)] = text.encode("utf-8")
    return files


@functools.cache  # a run renders the files of before and of now
def _optional_template(content: bytes) -> Template:
    return _environment(trimmed=True).from_string(content.decode("utf-8"))


def complete(
    answers: Mapping[str, Any], questions: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the answers, with Cookiecutter's defaults for questions that are newer."""
    environment = _environment()
    known: dict[str, Any] = {}
    for key, default in questions.items():
        if (key.startswith("_") and not key.startswith("__")) or key == "__prompts__":
            continue
        value = answers.get(key, default[0] if isinstance(default, list) else default)
        if key == YEAR:  # its default is today's, in an extension of Cookiecutter
            value = answers.get("year", "")
        elif key not in answers:
            value = environment.from_string(value).render(cookiecutter=known)
        known[key] = value
    return known


def _environment(*, trimmed: bool = False) -> Environment:
    """Return a Jinja environment with the settings of Cookiecutter.

    With `trimmed`, a line with nothing but a block leaves no line.
    """
    return Environment(
        autoescape=False,  # noqa: S701  # nosec B701 - most files are not HTML
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=trimmed,
        lstrip_blocks=trimmed,
    )


def _target(path: str, answers: Mapping[str, Any]) -> str:
    """Return the path in the project: the chosen license becomes LICENSE.

    Without the year of the first copy, LICENSE cannot be rendered as it was.
    """
    chosen = f"licences/{answers.get('license')}.txt"
    return "LICENSE" if path == chosen and "year" in answers else path


def _is_wanted(path: str, answers: Mapping[str, Any]) -> bool:
    if path.endswith(OPTIONAL):
        return False
    if path == "poetry.toml":
        return bool(answers.get("package_manager") == "poetry")
    return not _matches(path, NOT_OURS)


def _matches(path: str, patterns: tuple[str, ...] | list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
