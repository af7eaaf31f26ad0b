"""A container engine, and a project with its stack for each package manager."""

from collections.abc import Iterator

import pytest

from tools import debian, engine, packs, stack
from tools.engine import Engine
from tools.packs import Pack
from tools.stack import Stack

# A worker for each of them, where there are several.
PACKS = [
    pytest.param(manager, marks=pytest.mark.xdist_group(f"containers-{manager}"))
    for manager in packs.MANAGERS
]


@pytest.fixture(scope="session")
def docker() -> Engine:
    """The engine that `make test-containers` has found or started."""
    try:
        return engine.given()
    except debian.Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session", params=PACKS)
def pack(
    request: pytest.FixtureRequest,
    docker: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> Pack:
    """The e-commerce example, with everything."""
    manager = str(request.param)
    return packs.make(tmp_path_factory.mktemp(manager), manager)


@pytest.fixture(scope="session")
def shop(docker: Engine, pack: Pack) -> Iterator[Stack]:
    """The project's stack, not started yet."""
    found = stack.of(docker, pack, [stack.MAIN])
    yield found
    found.down("--volumes")
