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
    """Run the tests of lists/<name>.py within a project."""
    folder = project.path / "tests" / "lists"
    folder.mkdir(exist_ok=True)
    shutil.copy(HERE / "lists" / f"{name}.py", folder / f"test_{name}.py")
    arguments = f"ARGS=-q tests/lists/test_{name}.py"
    project.run("make", "test", arguments, environment=environment)


def test_answers_are_what_python_says(base: Project, tmp_path: Path) -> None:
    project = base.with_entities(LISTS, tmp_path / "lists")
    run(project, "oracle", REQUESTS="60")
    run(project, "plans")
    run(project, "hostile")


def test_search_and_values_without_regard_to_case(
    base: Project, tmp_path: Path
) -> None:
    project = base.with_entities(GOOD / "search_and_case.json", tmp_path / "search")
    run(project, "oracle", REQUESTS="60")
    run(project, "search")


@pytest.mark.parametrize("seed", range(2))
def test_answers_of_random_specifications_are_what_python_says(
    base: Project, tmp_path: Path, seed: int
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(legal(Random(seed))))
    project = base.with_entities(spec, tmp_path / "random")
    run(project, "oracle", REQUESTS="15", SEED=str(seed))
