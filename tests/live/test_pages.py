"""Pages that promise to work when they are typed: somebody types them here."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.pages import Reader, blocks
from tools.project import ROOT, Project
from tools.smoke import Client

pytestmark = pytest.mark.live


@pytest.mark.slow
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


# What the recipes' changes of code touch, of the generated tests.
TOUCHED = ("tests/unit/test_services.py", "tests/integration", "-k", "order")
REQUEST = re.compile(r"([A-Z]+) (\S+)(?: (\{.*\}))? → (\d+)(?: (\w+))?(?: (\{.*\}))?")


@pytest.mark.xdist_group("base")
def test_the_recipes(sibling: Callable[[Any], Project]) -> None:
    """All of them in one service, for they name different entities."""
    page = list(blocks((ROOT / "docs" / "recipes.md").read_text()))
    documents = [json.loads(one.text) for one in page if one.language == "json"]
    entities = [entity for document in documents for entity in document["entities"]]
    project = sibling({"entities": entities})
    for change in (one.text for one in page if one.language == "diff"):
        patch = project.path.with_name("change.diff")
        patch.write_text(change)
        project.run("git", "apply", str(patch))
    project.run("make", "openapi")
    project.run(project.python, "-m", "mypy")
    project.run(project.python, "-m", "pytest", "--no-cov", *TOUCHED)
    requests = "".join(one.text for one in page if one.language == "http")
    assert len(documents) == 5
    ids: dict[str, str] = {}
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        for line in requests.splitlines():
            send(Client(url), line, ids)


def send(client: Client, line: str, ids: dict[str, str]) -> None:
    """Send a line's request, and hold the answer to what the line says of it."""
    text = re.sub(r"\$(\w+)", lambda name: ids[name[1]], line)
    found = REQUEST.fullmatch(text)
    assert found, line
    method, path, body, status, name, expected = found.groups()
    sent: Any = json.loads(body) if body else None
    answer = client.call(method, path, int(status), sent)
    if name:
        ids[name] = answer["id"]
    wanted: dict[str, Any] = json.loads(expected) if expected else {}
    assert wanted == {key: answer[key] for key in wanted}, line
