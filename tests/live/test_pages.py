"""Pages that promise to work when they are typed: somebody types them here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.pages import Reader
from tools.project import ROOT, Project

pytestmark = pytest.mark.live


def test_the_tutorial(tmp_path: Path) -> None:
    (tmp_path / "devmatrix").symlink_to(ROOT)
    reader = Reader(tmp_path)
    reader.follow((ROOT / "docs" / "tutorial.md").read_text())
    said = "".join(reader.said)
    assert '"error":"validation_error"' in said
    assert '"error":"reference_not_found"' in said
    assert "merged  src/services/task.py" in said


@pytest.mark.xdist_group("simple_task_api")
def test_the_first_day(baked: Callable[[str], Project], tmp_path: Path) -> None:
    """In a clone, as for somebody who joins the team."""
    project = baked("simple_task_api")
    project.run("git", "clone", "--quiet", str(project.path), str(tmp_path / "clone"))
    reader = Reader(tmp_path / "clone")
    reader.follow((reader.folder / "docs" / "first-day.md").read_text())
    clone = Project(reader.folder)
    assert clone.run("git", "status", "--porcelain") == ""
    assert "remarks" in (clone.path / "src" / "models" / "entities.py").read_text()
