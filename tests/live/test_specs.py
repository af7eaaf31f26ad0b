"""Services of all valid specifications: their checks, tests and routes."""

from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project
from tests.live.suite.copying import add_core_tests
from tools.smoke import smoke

# In `make test` too; .ci/run names others.
ALWAYS = {"every_type_required"}
GOOD = sorted((ROOT / "tests" / "specs" / "good").glob("*.json"))
# What does not depend on entities.json is tested with the examples.
INDEPENDENT = [
    "unit/test_config",
    "unit/test_errors",
    "unit/test_logging",
    "unit/test_metrics",
    "unit/test_middleware",
    "unit/test_overload",
    "unit/test_process",
    "unit/test_protocol",
    "unit/test_rate_limit",
    "unit/test_security",
    "integration/test_container",
    "integration/test_process",
    "integration/test_system",
]

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("base")]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(path, marks=() if path.stem in ALWAYS else pytest.mark.slow)
        for path in GOOD
    ],
    ids=lambda path: path.stem,
)
def test_spec_makes_a_working_service(
    spec: Path, base: Project, tmp_path: Path
) -> None:
    project = base.with_entities(spec, tmp_path / "service")
    project.run("make", "check")
    # There and back and there again on PostgreSQL, the routes, each value's edges.
    left_out = [f"--ignore=tests/{name}.py" for name in INDEPENDENT]
    output = project.run(project.python, "-m", "pytest", "--no-cov", *left_out)
    assert " passed" in output
    assert "failed" not in output
    settings = {"RATE_LIMIT_ENABLED": "false", "PYTHONWARNINGS": "error"}
    with project.serving(settings) as url:
        assert smoke(url), project.log.read_text()


@pytest.mark.slow
def test_examples_in_openapi_work_with_ids_of_every_type(
    base: Project, tmp_path: Path
) -> None:
    spec = ROOT / "tests" / "specs" / "good" / "ids_and_names_of_a_database.json"
    project = base.with_entities(spec, tmp_path / "service")
    environment = add_core_tests(project)
    options = ["-m", "pytest", "--no-cov", "tests/core/test_examples.py"]
    output = project.run(project.python, *options, environment=environment)
    assert "failed" not in output
