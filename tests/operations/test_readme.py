"""The commands of the project's README work."""

import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from scripts.postgres import EmbeddedPostgres
from tests.harness.documentation import Reader, blocks
from tests.harness.example_projects import ExampleProject
from tests.harness.project import HOST, Project, end, free_port, wait_until_healthy

pytestmark = pytest.mark.slow

ELSEWHERE = {
    "make docker-up": "tests/containers/test_containers.py",
    "make docker-down": "tests/containers/test_containers.py",
    "make check": "tests/live/test_service.py",
    "make test": "tests/live/test_service.py",
    "make import FROM=schema.prisma": "tests/live/test_importing.py",
    "make upgrade": "tests/live/test_entities.py",
}
SHIPPED = ("alembic", "alembic.ini", "openapi.json", "src")


@pytest.mark.parametrize(
    "example",
    [pytest.param("uv", marks=pytest.mark.xdist_group("operations-uv"))],
    indirect=True,
    scope="session",
)
def test_every_command_works(example: ExampleProject, tmp_path: Path) -> None:
    """In a fresh clone."""
    example.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    page = blocks((example.path / "README.md").read_text())
    typed = [one.text.splitlines() for one in page if one.language == "sh"]
    lines = [re.sub(" +# .*", "", line) for block in typed for line in block]
    assert set(ELSEWHERE) < set(lines)
    script = "\n".join(line for line in lines if line not in ELSEWHERE)
    reader = Reader(tmp_path / "clone")
    reader.follow(f"```sh\n{script}\n```\n")
    assert '"status":"ready"' in "".join(reader.said)


def test_service_runs_with_only_the_deployed_files(
    example: ExampleProject, tmp_path: Path
) -> None:
    """With only the files that the README names."""
    page = (example.path / "README.md").read_text()
    (install,) = re.findall(rf"`({example.manager} sync .*?)`", page)
    for name in (*SHIPPED, "pyproject.toml", f"{example.manager}.lock", "poetry.toml"):
        source = example.path / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        elif source.exists():
            shutil.copy(source, tmp_path)
    deployed = ExampleProject(Project(tmp_path), example.manager, example.environment)
    deployed.run(*install.split())
    programs = {path.name for path in (tmp_path / ".venv" / "bin").iterdir()}
    assert "alembic" in programs
    assert "pytest" not in programs
    port = free_port()
    with EmbeddedPostgres() as server:
        settings = {"DATABASE_URL": server.url, "HOST": HOST, "PORT": str(port)}
        deployed.project.run(
            ".venv/bin/alembic", "upgrade", "head", environment=settings
        )
        service = deployed.project.start("src", environment=settings)
        try:
            url = f"http://{HOST}:{port}"
            wait_until_healthy(service, url, deployed.project.log)
            assert urllib.request.urlopen(f"{url}/health/ready").status == 200
        finally:
            assert end(service) == 0
