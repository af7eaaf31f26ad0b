"""Random lives of a project with rows in a database: nothing is lost (see lives.py)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

HERE = Path(__file__).parent
# Seeds of lives that once ended badly, and why. With each new key of entities.json a seed
# makes another life, so what went wrong is also a case of test_migrations.py and others.
BAD_ENDS = {
    ("rows", 19): "names exchanged in an entity that is new",
    ("rows", 1020): "a json default that became a boolean one",
    ("rows", 1065): "an integer default that became a boolean one",
    ("team", 7): "an entity renamed, whose module a person imports by another name",
    ("team", 101): "names exchanged on one of two branches whose migrations are joined",
    ("team", 109): "names exchanged on one of two branches whose migrations are joined",
    ("team", 220): "a base that is not valid Python, of a renamed entity",
    ("team", 229): "an import with another name on one branch, and used on the other",
    ("team", 235): "a page of one side, from before a rename, after the merge",
    ("team", 204): "a rule dropped on one branch, its table renamed on the other",
}
LIVES = [(kind, seed) for kind in ("rows", "names", "team") for seed in range(4)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [*LIVES, *BAD_ENDS])
def test_nothing_is_lost_in_a_life(
    baked: Callable[[str], Project], kind: str, seed: int
) -> None:
    project = baked("simple_task_api")
    evolution = ROOT / "tests" / "unit" / "evolution.py"
    lives = f"{project.python} {HERE / 'lives.py'} {kind} {seed} 1 {evolution}"
    serve = ["-m", "scripts.postgres", "--", "sh", "-c"]
    script = f"TEST_DATABASE_URL=$DATABASE_URL {lives}"
    assert project.run(project.python, *serve, script).startswith("1 lives: ")
