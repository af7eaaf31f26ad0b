"""A container engine, and a project with its stack for each package manager."""

from collections.abc import Iterator

import pytest

from tools import debian, engine, packs, stack, standins
from tools.engine import Engine
from tools.packs import Pack
from tools.stack import Stack


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The machine's engine, or our own with stand-ins for published images."""
    try:
        with engine.running(tmp_path_factory.mktemp("engine")) as found:
            if found.ours:
                folder = tmp_path_factory.mktemp("images")
                standins.make(found, stack.published_images(), folder)
            yield found
    except debian.Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session", params=packs.MANAGERS)
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
