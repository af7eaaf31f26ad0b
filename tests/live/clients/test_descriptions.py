"""Linters of OpenAPI documents: redocly's recommended rules and spectral's find nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.project import Project
from tests.live.clients.test_clients import ask_to_install, need, run

pytestmark = [pytest.mark.live, pytest.mark.slow]

# No rule is ignored.
REDOCLY = "extends: [recommended]\ntelemetry: off\n"
SPECTRAL = "extends: ['spectral:oas']\n"


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str], Path]:
    """Install a linter; return its program."""

    def install(package: str) -> Path:
        need("node", "nodejs")
        npm = need("npm")
        ask_to_install(package)
        options = ["--no-audit", "--no-fund", "--ignore-scripts"]
        run(npm, "install", *options, package, folder=tmp_path)
        return tmp_path / "node_modules" / ".bin"

    return install


def test_redocly(project: Project, install: Callable[[str], Path]) -> None:
    programs = install("@redocly/cli@2")
    rules = programs.with_name("redocly.yaml")
    rules.write_text(REDOCLY)
    document = project.path / "openapi.json"
    options = ["--config", rules, "--format", "json", "--max-problems", "1000"]
    report = json.loads(run(programs / "redocly", "lint", *options, document))
    assert report["problems"] == []


def test_spectral(project: Project, install: Callable[[str], Path]) -> None:
    programs = install("@stoplight/spectral-cli@6")
    rules = programs.with_name("spectral.yaml")
    rules.write_text(SPECTRAL)
    options = ["--ruleset", rules, "--fail-severity", "hint"]
    run(programs / "spectral", "lint", *options, project.path / "openapi.json")
