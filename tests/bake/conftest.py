"""Bakes without their last steps: the tree alone, in half a second."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.project import setup
from tests.harness.project import ROOT, clean_environment

STEPS = tuple(step for step in setup.STEPS if step != "settings")
Generate = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.bake)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of its own: Cookiecutter keeps answers and clones there."""
    home = tmp_path / "home"
    home.mkdir()
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("DEVMATRIX_SKIP", ",".join(STEPS))


@pytest.fixture
def generate(tmp_path: Path) -> Generate:
    """Run the command as a person would, from a folder with nothing in it."""
    shell = tmp_path / "shell"
    shell.mkdir()

    def run(
        template: str | Path,
        *arguments: str,
        typed: str = "",
        cwd: Path = shell,
        steps: tuple[str, ...] = (),
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        skipped = ",".join(step for step in STEPS if step not in steps)
        return subprocess.run(
            [sys.executable, "-m", "cookiecutter", str(template), *arguments],
            cwd=cwd,
            env={
                **os.environ,
                "PWD": str(cwd),
                "DEVMATRIX_SKIP": skipped,
                **environment,
            },
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template as a clone has it: no caches, no environment."""
    copy = tmp_path_factory.mktemp("template") / "devmatrix"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return copy


@pytest.fixture(scope="session")
def git_url(template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    repository = tmp_path_factory.mktemp("git") / "devmatrix"
    shutil.copytree(template, repository)
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", *arguments], cwd=repository, check=True)
    return f"file://{repository}"


@pytest.fixture(scope="session")
def archive(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("zip") / "devmatrix"
    made = shutil.make_archive(str(base), "zip", template.parent, template.name)
    return Path(made)
