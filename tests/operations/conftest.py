"""A project with uv and one with Poetry; tests without their program are skipped."""

from collections.abc import Callable

import pytest

from tests.harness import debian_packages, example_projects
from tests.harness.example_projects import ExampleProject

# A worker for each of them, where there are several.
PACKS = [
    pytest.param(manager, marks=pytest.mark.xdist_group(f"operations-{manager}"))
    for manager in example_projects.MANAGERS
]


@pytest.fixture(scope="session", params=PACKS)
def example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ExampleProject:
    """The complete e-commerce example."""
    manager = str(request.param)
    return example_projects.generate(tmp_path_factory.mktemp(manager), manager)


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """Find a program, or skip with the reason."""

    def find(name: str, package: str = "") -> str:
        try:
            return debian_packages.need(name, package)
        except debian_packages.Missing as reason:
            pytest.skip(str(reason))

    return find
