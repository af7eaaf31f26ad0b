"""Tests of what only the template changes: they run within a project, as its own do.

A project does not have them, because its team does not change what they test. `core/`
becomes a folder of the project's tests.
"""

import re
from collections.abc import Callable

import pytest

from tests.harness.project import Project
from tests.live.suite.copying import add_core_tests

pytestmark = pytest.mark.live
in_the_shop = pytest.mark.xdist_group("ecommerce_api")

# Per cent of src/, without the project's own tests. Tokens and rules of access have theirs in
# tests/live/auth.
COVERAGE = 92


@in_the_shop
def test_the_core_of_a_service(shop: Project) -> None:
    environment = add_core_tests(shop)
    options = ("-q", f"--cov-fail-under={COVERAGE}")
    output = shop.run(
        shop.python, "-m", "pytest", *options, "tests/core", environment=environment
    )
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
