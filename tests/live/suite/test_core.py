"""Tests of what only the template changes: they run within a project, as its own do.

A project does not have them, because its team does not change what they test. `core/`
becomes a folder of the project's tests.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.example_projects import EXAMPLE, without_access
from tests.harness.project import ROOT, Project
from tests.live.suite.copying import add_core_tests

pytestmark = pytest.mark.live
in_the_shop = pytest.mark.xdist_group("ecommerce_api")

COVERAGE = 94  # per cent of src/, without the project's own tests


@pytest.mark.xdist_group("base")
@pytest.mark.parametrize(
    "option",
    ["--no-cov", pytest.param(f"--cov-fail-under={COVERAGE}", marks=pytest.mark.slow)],
)
def test_the_core_of_a_service(sibling: Callable[[Any], Project], option: str) -> None:
    """In the shop without rules of access, which have their tests in tests/live/auth."""
    example = json.loads((ROOT / EXAMPLE).read_text())
    run_core_tests(sibling(without_access(example)), option)


@in_the_shop
@pytest.mark.slow
def test_the_core_of_a_service_with_rules_of_access(shop: Project) -> None:
    run_core_tests(shop, "--no-cov")


def run_core_tests(project: Project, *options: str) -> None:
    environment = add_core_tests(project)
    pytest_command = (project.python, "-m", "pytest", "-q", *options, "tests/core")
    output = project.run(*pytest_command, environment=environment)
    assert re.search(r"=+ \d+ passed in|^\d+ passed in", output, re.MULTILINE), output


@pytest.mark.xdist_group("simple_task_api")
def test_the_examples_of_the_other_service_work(
    copied: Callable[[str], Project],
) -> None:
    project = copied("simple_task_api")
    environment = add_core_tests(project)
    arguments = "ARGS=tests/core/test_examples.py"
    output = project.run("make", "test", arguments, environment=environment)
    assert " passed" in output


@in_the_shop
@pytest.mark.slow
def test_sanitizer_holds_for_thousands_of_random_texts(shop: Project) -> None:
    """Four properties, checked with an HTML5 parser."""
    environment = {**add_core_tests(shop), "EXAMPLES": "10000"}
    arguments = "ARGS=tests/core/test_security.py"
    output = shop.run("make", "test", arguments, environment=environment)
    assert " passed" in output
