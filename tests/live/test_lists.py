"""Lists: what plain Python says of the rows, pages while rows change, what a page reads."""

import json
import shutil
from pathlib import Path
from random import Random

import pytest

from tests.harness.project import ROOT, Project
from tests.unit.legal import legal

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("base"),
]

HERE = Path(__file__).parent
GOOD = ROOT / "tests" / "specs" / "good"
LISTS = GOOD / "lists.json"


def run(project: Project, name: str, **environment: str) -> None:
    """Run a test file within a project."""
    folder = project.path / "tests" / "lists"
    folder.mkdir(exist_ok=True)
    shutil.copy(HERE / "lists" / name, folder)
    arguments = f"ARGS=-q tests/lists/{name}"
    project.run("make", "test", arguments, environment=environment)


def test_answers_are_what_python_says(base: Project, tmp_path: Path) -> None:
    project = base.with_entities(LISTS, tmp_path / "lists")
    run(project, "test_oracle.py", REQUESTS="60")
    run(project, "test_plans.py")


def test_search_and_values_without_regard_to_case(
    base: Project, tmp_path: Path
) -> None:
    project = base.with_entities(GOOD / "search_and_case.json", tmp_path / "search")
    run(project, "test_oracle.py", REQUESTS="60")
    run(project, "test_search.py")


@pytest.mark.parametrize("seed", range(2))
def test_answers_of_random_specifications_are_what_python_says(
    base: Project, tmp_path: Path, seed: int
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(legal(Random(seed))))
    project = base.with_entities(spec, tmp_path / "random")
    run(project, "test_oracle.py", REQUESTS="15", SEED=str(seed))
