"""Runs the linters of tests/operations/requirements.lock, and Compose, on a project."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.harness.example_projects import ExampleProject

BIN = Path(sys.executable).parent


def tool(example: ExampleProject, name: str, *words: str) -> str:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # actionlint looks for shellcheck
    return example.project.run(str(BIN / name), *words, environment={"PATH": path})


def compose(example: ExampleProject, *files: str) -> dict[str, Any]:
    """Return the configuration as Compose reads it, with all variables replaced."""
    named = [word for file in files for word in ("--file", f"docker/{file}")]
    text = tool(example, "docker-compose", *named, "config", "--format", "json")
    configuration: dict[str, Any] = json.loads(text)
    return configuration
