"""Every good entities.json as a living service: its checks, its tests, its routes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.project import ROOT, Project
from tools.smoke import smoke

# In `make test` too: a real domain, and the two that are hardest on names and types.
ALWAYS = {"entities_with_reserved_names", "every_type_required", "hospital"}
GOOD = sorted((ROOT / "tests" / "specs" / "good").glob("*.json"))

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="session")
def base(bake: Callable[..., Project]) -> Project:
    """A project whose environment all of them share."""
    return bake("base")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(path, marks=() if path.stem in ALWAYS else pytest.mark.slow)
        for path in GOOD
    ],
    ids=lambda path: path.stem,
)
def test_it_lives(spec: Path, base: Project, tmp_path: Path) -> None:
    project = base.with_entities(spec, tmp_path / "service")
    project.run("make", "check")
    output = project.run("make", "test")
    assert "failed" not in output
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        assert smoke(url), project.log.read_text()
