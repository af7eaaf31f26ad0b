"""Soft delete, on real parts: what is hidden, what comes back, and races."""

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
    ("spec", "name"), [("soft_delete", "ways"), ("soft_delete_and_access", "access")]
)
def test_soft_delete(base: Project, tmp_path: Path, spec: str, name: str) -> None:
    project = base.with_entities(GOOD / f"{spec}.json", tmp_path / spec)
    project.run("make", "check")
    folder = project.path / "tests" / "soft_delete"
    folder.mkdir()
    shutil.copy(HERE / "soft_delete" / f"{name}.py", folder / f"test_{name}.py")
    project.run("make", "test", "ARGS=-q")
