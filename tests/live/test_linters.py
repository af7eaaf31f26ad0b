"""A project whose linters are Black, isort and Flake8."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.linters import CODE_LINTERS, lint
from tests.harness.project import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]
# `lateral` is quoted in migrations, and each of them uses other imports.
NOTE = {"name": "Note", "fields": [{"name": "lateral", "type": "string"}]}


def test_new_code_and_migrations_need_no_formatter(
    bake: Callable[..., Project],
) -> None:
    project = bake("formatted_by_black", "linters=black")
    spec = json.loads((project.path / "entities.json").read_text())
    for entities in ([*spec["entities"], NOTE], spec["entities"]):
        changed = json.dumps({**spec, "entities": entities})
        (project.path / "entities.json").write_text(changed)
        drop = "" if NOTE in entities else "--allow-drop=notes"
        project.run("make", "entities", f"ARGS=--allow-dirty {drop}")
        project.run("make", "check")
        for command in CODE_LINTERS:
            lint(project.path, command)
    alembic = str(Path(project.python).with_name("alembic"))
    project.run(alembic, "revision", "--message", "by hand")
    before = project.run("git", "diff")
    project.run("make", "format")
    assert project.run("git", "diff") == before
    for command in CODE_LINTERS:
        lint(project.path, command)
