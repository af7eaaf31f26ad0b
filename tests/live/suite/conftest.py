"""Tests of the suite that a generated project has, and tests that run within one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.project import Project

# Copied into a project, which has what they import.
collect_ignore = ["core", "own"]


@pytest.fixture
def copied(baked: Callable[[str], Project], tmp_path: Path) -> Callable[[str], Project]:
    """Copy an example, to edit it; the copy has the environment of the example."""

    def copy(name: str) -> Project:
        whole = baked(name)
        project = Project(tmp_path / name)
        ignored = shutil.ignore_patterns(".venv", ".git")
        shutil.copytree(whole.path, project.path, ignore=ignored)
        (project.path / ".venv").symlink_to(whole.path / ".venv")
        return project

    return copy


@pytest.fixture
def shop(copied: Callable[[str], Project]) -> Project:
    """A copy of the e-commerce example."""
    return copied("ecommerce_api")
