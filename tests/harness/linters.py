"""Runs linters, those of tests/operations/requirements.lock too, and Compose."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.example_projects import ExampleProject

BIN = Path(sys.executable).parent
# What each project is clean under, with the options that it has in its own files.
CODE_LINTERS = (
    "ruff format --check --no-cache .",
    "ruff check --no-cache .",
    "black --check --quiet --diff .",
    "isort --check --diff .",
    "flake8",
)


def lint(project: Path, command: str) -> None:
    """Run one of our own tools in a project; fail with what it finds."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}{done.stderr}"


def tool(example: ExampleProject, name: str, *words: str) -> str:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # actionlint looks for shellcheck
    return example.project.run(str(BIN / name), *words, environment={"PATH": path})


def compose(example: ExampleProject, *files: str) -> dict[str, Any]:
    """Return the configuration as Compose reads it, with all variables replaced."""
    named = [word for file in files for word in ("--file", f"docker/{file}")]
    text = tool(example, "docker-compose", *named, "config", "--format", "json")
    configuration: dict[str, Any] = json.loads(text)
    return configuration
