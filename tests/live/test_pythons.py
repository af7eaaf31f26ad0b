"""The other versions of Python that a project promises to run on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.project import ROOT, Project, clean_environment

pytestmark = [pytest.mark.live, pytest.mark.slow]

PROMISED = ("3.11", "3.12", "3.13")
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def find(version: str) -> str | None:
    """An interpreter of this version: on the PATH, or of pyenv, whose shims may refuse."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [shutil.which(f"python{version}")]
    places += map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for place in filter(None, places):
        asked = subprocess.run([place, "-c", ""], capture_output=True)
        if asked.returncode == 0:
            return place
    return None


@pytest.mark.parametrize("version", [one for one in PROMISED if one != OWN])
def test_a_project_passes_its_checks_and_tests(version: str, tmp_path: Path) -> None:
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version} here; .github/workflows/ci.yml has it")
    tools = tmp_path / "tools"
    uv = shutil.which("uv") or "uv"
    subprocess.run([uv, "venv", "-q", "-p", python, tools], check=True)
    interpreter = str(tools / "bin" / "python")
    install = [uv, "pip", "install", "-q", "-p", interpreter, "cookiecutter>=2.6"]
    subprocess.run(install, check=True)
    command = [interpreter, "-m", "cookiecutter", str(ROOT), "--no-input"]
    subprocess.run(command, cwd=tmp_path, env=clean_environment(), check=True)
    project = Project(tmp_path / "simple_task_api")
    assert project.run(project.python, "--version").startswith(f"Python {version}.")
    project.run("make", "check")
    assert " passed" in project.run("make", "test")
