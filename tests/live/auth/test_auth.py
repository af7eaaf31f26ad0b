"""A project in which `auth` is turned on later: its packages, its checks, its tests."""

import json
from collections.abc import Callable

import pytest

from tests.harness.project import Project

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("auth"),
]


def test_auth_comes_with_its_packages_and_leaves_a_green_project(
    bake: Callable[..., Project],
) -> None:
    project = bake("opened", "example=simple_task_api")
    entities = project.path / "entities.json"
    document = json.loads(entities.read_text())
    entities.write_text(json.dumps({"auth": True, "access": "public", **document}))
    assert "done  environment" in project.run("make", "entities")
    project.run("make", "check")
    project.run("make", "test")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "Verify access tokens")
    entities.write_text(json.dumps(document))
    project.run("make", "entities")
    project.run("make", "check")
    changed = project.run("git", "diff", "--stat", "HEAD~1", "--", "src", "tests")
    assert changed == ""
    assert "pyjwt" not in (project.path / "uv.lock").read_text()
