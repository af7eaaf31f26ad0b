"""Environments as uv, Poetry and pip really make them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scaffold.processes import base_python
from scaffold.project import environment
from tests.harness.project import Project, clean_environment, cookiecutter

pytestmark = pytest.mark.live

PROJECT = """
[project]
name = "x"
version = "1"
requires-python = ">=3.11,<4"
dependencies = ["idna>=3,<4"]

[dependency-groups]
dev = ["iniconfig"]

[tool.uv]
package = false

[tool.poetry]
package-mode = false
"""
OLD = "3.7"  # a release that no resolver takes of its own accord


@pytest.fixture
def small(tmp_path: Path) -> Path:
    root = tmp_path / "small"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "dev.txt").write_text(f"idna=={OLD}\niniconfig==2.0.0\n")
    (root / "pyproject.toml").write_text(PROJECT)
    return root


def locked(path: Path) -> dict[str, str]:
    packages = tomllib.loads(path.read_text())["package"]
    return {package["name"]: package["version"] for package in packages}


def installed(root: Path) -> str:
    code = "from importlib.metadata import version; print(version('idna'))"
    command = [str(root / ".venv" / "bin" / "python"), "-c", code]
    return subprocess.check_output(command, text=True).strip()


def test_uv_keeps_the_tested_versions_until_asked(small: Path) -> None:
    assert environment.install(small) == "uv, with uv.lock"
    assert locked(small / "uv.lock")["idna"] == installed(small) == OLD
    assert "constraint" not in (small / "uv.lock").read_text()
    assert (small / "pyproject.toml").read_text() == PROJECT
    environment.install(small)
    assert installed(small) == OLD
    environment.upgrade(small)
    assert installed(small) != OLD


def test_pip_installs_the_tested_versions(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    assert environment.install(small) == "pip"
    assert installed(small) == OLD


@pytest.mark.slow
def test_poetry_keeps_the_tested_versions_until_asked(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a Poetry of the test's own, which asks the index that pip asks."""
    tools = tmp_path / "poetry"
    python = tools / "bin" / "python"
    uv = shutil.which("uv") or "uv"
    subprocess.run([uv, "venv", "-q", "-p", base_python(), tools], check=True)
    names = ["pip", "poetry", "poetry-plugin-pypi-mirror"]
    subprocess.run([uv, "pip", "install", "-q", "-p", python, *names], check=True)
    code = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    index = subprocess.check_output([python, "-c", code], text=True).strip()
    monkeypatch.setenv("POETRY_PYPI_MIRROR_URL", index)
    poetry = str(tools / "bin" / "poetry")
    monkeypatch.setattr(environment.shutil, "which", lambda _: poetry)
    (small / "poetry.toml").write_text("[virtualenvs]\nin-project = true\n")

    assert environment.install(small) == "Poetry, with poetry.lock"
    assert locked(small / "poetry.lock")["idna"] == installed(small) == OLD
    assert (small / "pyproject.toml").read_text() == PROJECT
    environment.upgrade(small)
    assert installed(small) != OLD


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["uv", "poetry"])
def test_a_project_made_with_pip_asks_for_its_lock_file(
    tmp_path: Path, manager: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "make", "python3", "sh", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        cookiecutter(tmp_path / "out", f"package_manager={manager}"),
        env={**clean_environment(), "PATH": str(tools)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^  done  git ", done.stdout, re.MULTILINE), done.stdout
    assert f"  open  lockfile: there is no {manager}.lock" in done.stdout
    assert "make -C simple_task_api setup" in done.stdout
    assert "is ready" not in done.stdout


def test_one_command_finishes_what_generation_could_not(tmp_path: Path) -> None:
    """Generated with no tool and no network; then both come back."""
    offline = {"PATH": str(tmp_path), "PIP_NO_INDEX": "1", "HOME": str(tmp_path)}
    offline["PIP_FIND_LINKS"] = str(tmp_path)
    done = subprocess.run(
        cookiecutter(tmp_path / "out"),
        env={**clean_environment(), **offline},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    (line,) = re.findall(r"^  make -C \S+ setup$", done.stdout, re.MULTILINE)
    project = Project(tmp_path / "out" / "simple_task_api")
    command = [*line.replace("-C ", "-C ../").split(), f"PYTHON={sys.executable}"]
    said = project.run(*command)
    for step in ("environment", "migration", "openapi", "format", "git"):
        assert f"  done  {step}" in said
    assert project.run("git", "status", "--porcelain") == ""
    assert project.run("git", "rev-list", "--count", "HEAD") == "1\n"
    tracked = project.run("git", "ls-files")
    assert "uv.lock" in tracked
    assert re.search(r"alembic/versions/\S+\.py", tracked)
