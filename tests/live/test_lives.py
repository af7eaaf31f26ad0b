"""Random lives of a project with rows in a database: no value is lost (see lives.py)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

HERE = Path(__file__).parent
# Seeds of lives that once ended badly, and why.
BAD_ENDS = {
    19: "names exchanged in an entity that is new",
    1020: "a json default that became a boolean one",
    1065: "an integer default that became a boolean one",
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(4), *BAD_ENDS])
def test_no_value_is_lost_in_a_life(baked: Callable[[str], Project], seed: int) -> None:
    project = baked("simple_task_api")
    evolution = ROOT / "tests" / "unit" / "evolution.py"
    lives = f"{project.python} {HERE / 'lives.py'} {seed} 1 {evolution}"
    serve = ["-m", "scripts.postgres", "--", "sh", "-c"]
    script = f"TEST_DATABASE_URL=$DATABASE_URL {lives}"
    assert project.run(project.python, *serve, script) == "1 lives\n"
