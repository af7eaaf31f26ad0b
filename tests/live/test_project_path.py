"""A project in a folder whose name has a meaning to shells, make and configparser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.project import Project, clean_environment, cookiecutter

pytestmark = [pytest.mark.live, pytest.mark.slow]

FOLDER = """a b%2Fc%(x)s $HOME #é'x'"y" `id`"""
LONG = "日本語 😀 " + "x" * 150  # with FOLDER and the rest, more than 200 characters


def bake(folder: Path, **variables: str) -> str:
    done = subprocess.run(
        cookiecutter(folder, "project_slug=service"),
        env={**clean_environment(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0
    return done.stdout


def test_what_pip_installs_runs_in_a_path_with_special_characters(
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("awk", "git", "make", "python3", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    said = bake(tmp_path / FOLDER, PATH=str(tools))
    assert re.search(r"^  done  environment  pip ", said, re.MULTILINE), said
    project = Project(tmp_path / FOLDER / "service")
    assert "contracts" in project.run("make", "lint").lower()
    project.run("make", "check")


def test_all_commands_work_in_a_path_with_special_characters(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER / LONG
    said = bake(folder)
    assert "service is ready" in said, said
    project = Project(folder / "service")
    assert len(str(project.path)) > 200
    assert " done  environment " in project.run("make", "setup")

    path = project.path / "entities.json"
    spec = json.loads(path.read_text())
    spec["entities"][0]["fields"].append({"name": "notes", "type": "string"})
    path.write_text(json.dumps(spec))
    said = project.run("make", "entities", "ARGS=--allow-dirty")
    (migration,) = re.findall(r"wrote (alembic/versions/\S+\.py)", said)
    # The hooks of new migrations have run.
    project.run(project.python, "-m", "ruff", "format", "--check", migration)
    assert "up to date" in project.run("make", "migrate-create")
    project.run("make", "migrate")
    project.run("make", "check")
    project.run("make", "test")
    # Alembic's paths do not depend on where the tests are started.
    command = ["../.venv/bin/python", "-m", "pytest", "--no-cov", "-q"]
    subprocess.run(
        [*command, "integration/test_migrations.py"],
        cwd=project.path / "tests",
        env=clean_environment(),
        check=True,
        timeout=600,
    )
    with project.serving() as url:
        assert url
    project.run("make", "upgrade", "ARGS=--allow-dirty --set linters=black")
    project.run("make", "check")
