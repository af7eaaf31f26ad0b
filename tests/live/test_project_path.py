"""A project in a folder whose name has a meaning to shells, make and configparser."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness.project import Project, clean_environment, cookiecutter

pytestmark = [pytest.mark.live, pytest.mark.slow]

FOLDER = """a b%2Fc%(x)s $HOME #é'x'"y" `id`"""


def test_all_commands_work_in_a_path_with_special_characters(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    done = subprocess.run(
        cookiecutter(folder, "project_slug=service"),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0
    assert "service is ready" in done.stdout, done.stdout
    project = Project(folder / "service")

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
