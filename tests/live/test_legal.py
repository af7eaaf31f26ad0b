"""Services of random valid specifications: checks, migrations up and down, requests."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.harness.project import Project
from tests.unit.legal import legal
from tools.smoke import smoke

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("base"),
]

TESTS = [
    "tests/integration/test_migrations.py",
    "tests/integration/test_relations.py",
    "tests/integration/test_values.py",
    "tests/integration/test_constraints.py",
]

VERBS = ["create"]


@pytest.mark.parametrize("seed", range(1, 9))
def test_spec_makes_a_working_service(
    seed: int, sibling: Callable[[Any], Project]
) -> None:
    document = legal(Random(seed))
    project = sibling(document)
    project.run("make", "check")
    project.run(project.python, "-m", "pytest", "--no-cov", *TESTS)
    if any(
        "create" not in one.get("operations", VERBS) for one in document["entities"]
    ):
        return  # the client could not create what other rows refer to
    settings = {"RATE_LIMIT_ENABLED": "false", "PYTHONWARNINGS": "error"}
    with project.serving(settings) as url:
        assert smoke(url), project.log.read_text()
