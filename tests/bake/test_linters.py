"""The code is clean under Ruff, Black, isort and Flake8, whichever the project has."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from pytest_cookies.plugin import Cookies

from tests.harness.linters import CODE_LINTERS, lint
from tests.harness.project import ROOT

CHOICES = {"ruff": {"ruff"}, "black": {"black", "isort", "flake8"}}
NEW = {
    "name": "Note",
    "fields": [{"name": "text", "type": "text", "required": True}],
    "relations": [{"name": "task", "type": "many_to_one", "target": "Task"}],
}


@pytest.fixture(params=CHOICES)
def linters(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(cookies: Cookies, linters: str) -> Path:
    found = cookies.bake(extra_context={"linters": linters}).project_path
    assert isinstance(found, Path)
    return found


def test_each_linter_finds_nothing_after_a_run(project: Path) -> None:
    path = project / "entities.json"
    spec = json.loads(path.read_text())
    spec["entities"].append(NEW)
    path.write_text(json.dumps(spec))
    command = [sys.executable, "-B", ".devmatrix/generator.pyz", "apply"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    assert (project / "src" / "services" / "note.py").exists()
    for command in CODE_LINTERS:
        lint(project, command)


def test_only_the_chosen_linters_are_installed_and_run(
    project: Path, linters: str
) -> None:
    all_of_them = set[str]().union(*CHOICES.values())
    pyproject = tomllib.loads((project / "pyproject.toml").read_text())
    names = {Requirement(one).name for one in pyproject["dependency-groups"]["dev"]}
    assert names & all_of_them == CHOICES[linters]
    hooks = yaml.safe_load((project / ".pre-commit-config.yaml").read_text())
    entries = " ".join(hook["entry"] for hook in hooks["repos"][1]["hooks"])
    assert {name for name in all_of_them if name in entries} == CHOICES[linters]
    hooks = pyproject["tool"]["alembic"]["post_write_hooks"]
    assert {hook["module"] for hook in hooks} - {"scripts.quote_names"} == (
        CHOICES[linters] - {"flake8"}
    )
    makefile = (project / "Makefile").read_text()
    assert {name for name in all_of_them if f"$(RUN) {name}" in makefile} == (
        CHOICES[linters]
    )


def test_the_demonstration_is_clean_under_each_linter(cookies: Cookies) -> None:
    answers = {"example": "ecommerce_api", "mode": "legacy"}
    project = cookies.bake(extra_context=answers).project_path
    assert isinstance(project, Path)
    shutil.copy(ROOT / "{{cookiecutter.project_slug}}" / ".flake8", project)
    for command in CODE_LINTERS:
        lint(project, command)
