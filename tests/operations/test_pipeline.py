"""The generated ci.yml, executed: the run steps of its job on a fresh clone."""

from pathlib import Path

import pytest

from scripts.postgres import EmbeddedPostgres
from tests.harness import github_workflow
from tests.harness.example_projects import ExampleProject
from tests.harness.project import HOST

pytestmark = pytest.mark.slow


def test_the_test_job_passes(example: ExampleProject, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    example.run("git", "clone", "--quiet", ".", str(clone))
    with EmbeddedPostgres() as server:
        steps = github_workflow.run_steps(
            clone,
            "test",
            environment=example.environment,
            replacements={"localhost:5432": f"{HOST}:{server.port}"},
        )
        assert len(list(steps)) == 5
    assert (clone / "coverage.xml").exists()
    assert (clone / ".coverage_html" / "index.html").exists()
