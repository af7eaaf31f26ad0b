"""Tests of the suite that a generated project has, and tests that run within one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.project import Project

# Copied into a project, which has what they import.
collect_ignore = ["core"]


@pytest.fixture
def shop(baked: Callable[[str], Project], tmp_path: Path) -> Project:
    """A copy of the e-commerce example, to be edited."""
    whole = baked("ecommerce_api")
    project = Project(tmp_path / "shop")
    ignored = shutil.ignore_patterns(".venv", ".git")
    shutil.copytree(whole.path, project.path, ignore=ignored)
    (project.path / ".venv").symlink_to(whole.path / ".venv")
    return project
