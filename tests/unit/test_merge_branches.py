"""Runs after git has merged two branches: what one side lacks is not lost."""

import json
import subprocess
from pathlib import Path

import pytest

from scaffold.cli import main

TASK = {"name": "Task", "fields": [{"name": "title", "type": "string"}]}
PERSON = {"name": "Person", "fields": [{"name": "name", "type": "string"}]}


def git(root: Path, *arguments: str, fails: bool = False) -> None:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True)
    assert fails or done.returncode == 0, done.stderr


def write(root: Path, *entities: object) -> None:
    (root / "entities.json").write_text(json.dumps({"entities": entities}))


def commit_run(root: Path, *entities: object) -> None:
    write(root, *entities)
    assert main(["apply"], root) == 0
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Run")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    attributes = ".devmatrix/entities.json merge=union\n.devmatrix/runs merge=union\n"
    (tmp_path / ".gitattributes").write_text(attributes)
    commit_run(tmp_path, TASK, PERSON)
    return tmp_path


def test_files_that_one_branch_has_renamed_come_back_where_the_merge_keeps_the_name(
    project: Path,
) -> None:
    git(project, "switch", "--quiet", "--create", "other")
    commit_run(project, {**TASK, "name": "Job", "renamed_from": "Task"}, PERSON)
    git(project, "switch", "--quiet", "main")
    number = {"name": "age", "type": "integer"}
    person = {**PERSON, "fields": [*PERSON["fields"], number]}  # type: ignore[misc]
    commit_run(project, TASK, person)
    git(project, "merge", "--no-commit", "other", fails=True)
    write(project, TASK, person)
    assert not (project / "src/services/task.py").exists()
    assert main(["apply"], project) == 0
    for path in ("services/task.py", "repositories/task.py", "api/routes/tasks.py"):
        assert (project / "src" / path).exists()
    assert not (project / "src/services/job.py").exists()
    assert main(["plan"], project) == 0
