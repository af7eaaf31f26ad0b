"""The history of rows, on real parts: ways to write, access, and what changes later."""

import shutil
from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("base"),
]

HERE = Path(__file__).parent
GOOD = ROOT / "tests" / "specs" / "good"


@pytest.mark.parametrize(
    ("spec", "name"), [("history", "ways"), ("history_and_access", "access")]
)
def test_history(base: Project, tmp_path: Path, spec: str, name: str) -> None:
    project = base.with_entities(GOOD / f"{spec}.json", tmp_path / spec)
    folder = project.path / "tests" / "history"
    folder.mkdir()
    shutil.copy(HERE / "history" / f"{name}.py", folder / f"test_{name}.py")
    project.run("make", "test", "ARGS=-q")
