"""Rules of access in a running service: what every kind of caller may do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("auth"),
]

HERE = Path(__file__).parent
SPECS = ROOT / "tests" / "specs" / "good"
SHOP, FIELDS = SPECS / "access_of_a_shop.json", SPECS / "access_to_fields.json"


def add_tests(project: Project, rows: str, *modules: str) -> None:
    """Add modules of tests to a project, and what they share."""
    folder = project.path / "tests" / "senders"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(HERE / "fixtures.py", folder / "conftest.py")
    for name in ("callers", "walk", rows):
        shutil.copy(HERE / f"{name}.py", folder)
    for name in modules:
        shutil.copy(HERE / f"{name}.py", folder / f"test_{name}.py")


def test_every_caller_may_do_what_the_rules_say_and_nothing_more(
    bake: Callable[..., Project],
) -> None:
    project = bake("rules", f"entities_file={SHOP}")
    project.run("make", "test")
    add_tests(project, "shop", "rules", "leaks")
    project.run("make", "check")
    tests = "ARGS=-q tests/senders"
    project.run("make", "test", tests)
    # Without the speed piece that calls dependencies itself.
    rules = "ARGS=-q tests/senders/test_rules.py"
    project.run("make", "test", rules, environment={"TEST_ENDPOINT_PLANS": "false"})


def test_fields_are_read_and_set_by_those_who_may(
    bake: Callable[..., Project],
) -> None:
    project = bake("fields", f"entities_file={FIELDS}")
    project.run("make", "test")
    add_tests(project, "customers", "fields")
    project.run("make", "check")
    project.run("make", "test", "ARGS=-q tests/senders")
