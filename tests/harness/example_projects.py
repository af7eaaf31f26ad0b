"""Projects of the e-commerce example, one for each package manager and its linters.

Without its rules of access: what is tested with them needs no tokens then.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness import poetry
from tests.harness.project import (
    MINUTE,
    ROOT,
    Ended,
    Project,
    clean_environment,
    cookiecutter,
)

EXAMPLE = "{{cookiecutter.project_slug}}/scaffold/examples/ecommerce_api.json"
OF_ACCESS = {"auth", "access", "owner", "actors", "read_access", "write_access"}
MANAGERS = ("uv", "poetry")
LINTERS = {"uv": "ruff", "poetry": "black"}  # each manager works with each of them


@dataclass(frozen=True)
class ExampleProject:
    """A project, and the environment in which its package manager is found."""

    project: Project
    manager: str
    environment: Mapping[str, str]

    @property
    def path(self) -> Path:
        return self.project.path

    def run(self, *command: str, minutes: float = 10) -> str:
        return self.project.run(*command, environment=self.environment, minutes=minutes)


def generate(folder: Path, manager: str) -> ExampleProject:
    """Generate a complete project with the name `<manager>_shop`."""
    environment = _environment(folder / "tools", manager)
    name = f"{manager}_shop"
    entities = folder / f"{name}.json"
    example = json.loads((ROOT / EXAMPLE).read_text())
    entities.write_text(json.dumps(without_access(example), indent=2) + "\n")
    done = subprocess.run(
        cookiecutter(
            folder,
            "project_name=Shop",
            f"project_slug={name}",
            f"entities_file={entities}",
            f"package_manager={manager}",
            f"linters={LINTERS[manager]}",
        ),
        env={**clean_environment(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=10 * MINUTE,
    )
    if done.returncode or f"{name} is ready" not in done.stdout:
        raise Ended(f"{name} is not complete:\n{done.stdout}")
    return ExampleProject(Project(folder / name), manager, environment)


def without_access(part: Any) -> Any:
    """Return a part of entities.json without what says who may do what."""
    if isinstance(part, list):
        return [without_access(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {k: without_access(v) for k, v in part.items() if k not in OF_ACCESS}


def _environment(folder: Path, manager: str) -> dict[str, str]:
    """Return an environment with a Python and pip, as in CI, and then our own uv."""
    programs = poetry.make_environment(folder)
    settings = poetry.install(programs / "python") if manager == "poetry" else {}
    path = os.pathsep.join([str(programs), poetry.OURS, os.environ["PATH"]])
    return {"PATH": path, **settings}
