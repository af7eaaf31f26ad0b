"""A container engine, and a project with its stack for each package manager."""

from collections.abc import Iterator

import pytest

from tests.harness import (
    compose_stack,
    container_engine,
    debian_packages,
    example_projects,
)
from tests.harness.compose_stack import Stack
from tests.harness.container_engine import Engine
from tests.harness.example_projects import ExampleProject

# A worker for each of them, where there are several.
PACKS = [
    pytest.param(manager, marks=pytest.mark.xdist_group(f"containers-{manager}"))
    for manager in example_projects.MANAGERS
]


@pytest.fixture(scope="session")
def docker() -> Engine:
    """The engine that `make test-containers` has found or started."""
    try:
        return container_engine.given()
    except debian_packages.Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session", params=PACKS)
def example(
    request: pytest.FixtureRequest,
    docker: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> ExampleProject:
    """The complete e-commerce example."""
    manager = str(request.param)
    return example_projects.generate(tmp_path_factory.mktemp(manager), manager)


@pytest.fixture(scope="session")
def shop(docker: Engine, example: ExampleProject) -> Iterator[Stack]:
    """The project's stack, not started yet."""
    found = compose_stack.of(docker, example, [compose_stack.MAIN])
    yield found
    found.down("--volumes")
