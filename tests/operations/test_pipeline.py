"""The generated ci.yml, executed: the run steps of its job on a fresh clone."""

from pathlib import Path

import pytest

from scripts.postgres import EmbeddedPostgres
from tools import workflow
from tools.packs import Pack
from tools.project import HOST

pytestmark = pytest.mark.slow


def test_the_test_job_passes(pack: Pack, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    pack.run("git", "clone", "--quiet", ".", str(clone))
    with EmbeddedPostgres() as server:
        steps = workflow.run_steps(
            clone,
            "test",
            environment=pack.environment,
            replacements={"localhost:5432": f"{HOST}:{server.port}"},
        )
        assert len(list(steps)) == 5
    assert (clone / "coverage.xml").exists()
    assert (clone / ".coverage_html" / "index.html").exists()
