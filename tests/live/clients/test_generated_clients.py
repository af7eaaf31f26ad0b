"""Clients that tools generate from OpenAPI compile, with ids and names of any kind."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project
from tests.live.clients.test_clients import HERE, ask_to_install, need, run

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.xdist_group("base")]

SPEC = ROOT / "tests" / "specs" / "good" / "ids_and_names_of_a_database.json"


@pytest.fixture(scope="module")
def document(base: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = base.with_entities(SPEC, tmp_path_factory.mktemp("movies") / "service")
    project.run(project.python, "-m", "scripts.openapi")
    return project.path / "openapi.json"


def test_typescript(document: Path, tmp_path: Path) -> None:
    need("node", "nodejs")
    npm = need("npm")
    ask_to_install("openapi-typescript")
    packages = ["openapi-typescript@7", "openapi-fetch", "typescript@5"]
    options = ["--no-audit", "--no-fund", "--ignore-scripts"]
    run(npm, "install", *options, *packages, folder=tmp_path)
    programs = tmp_path / "node_modules" / ".bin"
    run(programs / "openapi-typescript", document, "-o", tmp_path / "schema.d.ts")
    client = shutil.copy(HERE / "movies.ts", tmp_path)
    module = ["--module", "nodenext", "--moduleResolution", "nodenext"]
    run(programs / "tsc", "--strict", "--noEmit", *module, client, folder=tmp_path)


def test_python(document: Path, tmp_path: Path) -> None:
    ask_to_install("openapi-python-client")
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project"]
    uv += ["--with", "openapi-python-client", "--with", "mypy"]
    generate = ["openapi-python-client", "generate", "--meta", "none"]
    generate += ["--fail-on-warning", "--output-path", str(tmp_path / "movies_client")]
    run(*uv, *generate, "--path", document)
    client = shutil.copy(HERE / "movies.py", tmp_path)
    run(*uv, "python", client)
    silent = "--follow-imports=silent"  # of the tool's own mistakes, nothing is said
    run(*uv, "mypy", "--strict", silent, client, folder=tmp_path)
