"""Projects with everything: environment, migration, database. Baked once a session."""

import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.postgres_server import Server
from tests.harness.project import Project, clean_environment, cookiecutter

HERE = Path(__file__).parent
NEWEST = os.environ.get("DEVMATRIX_NEWEST") == "1"
STEPS = ("environment", "migration", "openapi", "format", "git")


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Generate a project; fail if a step was not done."""

    def made(name: str, *answers: str) -> Project:
        output = tmp_path_factory.mktemp(name)
        done = subprocess.run(
            cookiecutter(output, f"project_slug={name}", *answers),
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout
        for step in STEPS:
            assert re.search(rf"^  done  {step}", done.stdout, re.MULTILINE), (
                done.stdout
            )
        project = Project(output / name)
        if NEWEST:
            take_newest(project)
        return project

    return made


@pytest.fixture(scope="session")
def base(bake: Callable[..., Project]) -> Project:
    """A project whose environment and caches others share."""
    project = bake("base")
    project.run("make", "check")
    return project


@pytest.fixture
def sibling(base: Project, tmp_path: Path) -> Callable[[Any], Project]:
    """Make a project of other entities, with the environment that is there."""

    def made(document: Any) -> Project:
        spec = tmp_path / "spec.json"
        spec.write_text(json.dumps(document))
        return base.with_entities(spec, tmp_path / "service")

    return made


def take_newest(project: Project) -> None:
    """Lift the upper bounds, then lock and install whatever there is."""
    path = project.path / "pyproject.toml"
    text = re.sub(r'("[\w\[\]-]+>=[\w.]+),<[\w.]+', r"\1", path.read_text())
    path.write_text(text)
    project.run("make", "lock")
    project.run("git", "commit", "--all", "--quiet", "--message", "Take the newest")


@pytest.fixture(scope="session")
def baked(bake: Callable[..., Project]) -> Callable[[str], Project]:
    """An example, baked when the first test asks for it, and kept for all others."""
    return functools.cache(lambda name: bake(name, f"example={name}"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL that tests may stop or break, if they start it again."""
    server = Server(tmp_path_factory.mktemp("postgres"), "max_connections=100")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def things(
    baked: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project with every type of field and every kind of relation."""
    path = tmp_path_factory.mktemp("things") / "things"
    return baked("simple_task_api").with_entities(HERE / "things.json", path)


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(name))
        for name in ("ecommerce_api", "simple_task_api")
    ],
)
def project(request: pytest.FixtureRequest, baked: Callable[[str], Project]) -> Project:
    """Each of the two examples."""
    return baked(str(request.param))
