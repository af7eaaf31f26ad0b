"""Installs the version of Poetry with which generated images are built."""

import re
import subprocess
import sys
from pathlib import Path

from tests.harness.project import ROOT, clean_environment

DOCKERFILE = ROOT / "{{cookiecutter.project_slug}}" / "docker" / "Dockerfile"
# It uses the simple index, as pip does: many mirrors have only that. The lock file does
# not name the mirror.
PLUGIN = "poetry-plugin-pypi-mirror==0.6.5"
OURS = str(Path(sys.executable).parent)
UV = f"{OURS}/uv"
PLUGIN_SETTING = "POETRY_PYPI_MIRROR_URL"


def version() -> str:
    """Return the requirement of Poetry in docker/Dockerfile, for pip."""
    found = re.search(r"poetry==[0-9.]+", DOCKERFILE.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{DOCKERFILE} has no version of Poetry")
    return found[0]


def index() -> str:
    """Return the index that pip uses on this machine."""
    ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    python = getattr(sys, "_base_executable", sys.executable)
    return _run(python, "-c", ask).strip()


def install(python: Path) -> dict[str, str]:
    """Install Poetry for this interpreter; return its environment variables."""
    _run(UV, "pip", "install", "--python", str(python), version(), PLUGIN)
    return {PLUGIN_SETTING: index()}


def make_environment(folder: Path) -> Path:
    """Create an environment with pip, as in CI; return the folder of its programs."""
    _run(UV, "venv", "--quiet", "--seed", str(folder))
    return folder / "bin"


def _run(*command: str) -> str:
    environment = clean_environment()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    done.check_returncode()
    return done.stdout
