"""One project of uv and one of Poetry; a missing program skips, and says so."""

from collections.abc import Callable

import pytest

from tools import debian, packs
from tools.packs import Pack

# A worker for each of them, where there are several.
PACKS = [
    pytest.param(manager, marks=pytest.mark.xdist_group(f"operations-{manager}"))
    for manager in packs.MANAGERS
]


@pytest.fixture(scope="session", params=PACKS)
def pack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Pack:
    """The e-commerce example, with everything."""
    manager = str(request.param)
    return packs.make(tmp_path_factory.mktemp(manager), manager)


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """Find a program, or skip with the reason."""

    def find(name: str, package: str = "") -> str:
        try:
            return debian.need(name, package)
        except debian.Missing as reason:
            pytest.skip(str(reason))

    return find
