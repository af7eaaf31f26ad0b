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


def test_names_that_one_branch_has_exchanged_are_merged(project: Path) -> None:
    """The same lines in another order are another text."""
    names = ("code", "note")
    fields = [{"name": name, "type": "string"} for name in names]
    task = {**TASK, "fields": [*TASK["fields"], *fields]}  # type: ignore[misc]
    commit_run(project, task)
    git(project, "switch", "--quiet", "--create", "other")
    commit_run(project, task, PERSON)
    git(project, "switch", "--quiet", "main")
    exchanged = [
        {"name": new, "type": "string", "renamed_from": old}
        for old, new in zip(names, reversed(names), strict=True)
    ]
    task = {**TASK, "fields": [*TASK["fields"], *exchanged]}  # type: ignore[misc]
    commit_run(project, task)
    git(project, "merge", "--no-commit", "other", fails=True)
    assert "<<<<<<<" in (project / "src/models/entities.py").read_text()
    write(project, task, PERSON)
    assert main(["apply"], project) == 0
    assert "<<<<<<<" not in (project / "src/models/entities.py").read_text()


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


def test_an_import_that_git_loses_comes_back(project: Path) -> None:
    """One branch gives it an alias, and the other one has new code that uses it."""
    page = project / "src" / "models" / "entities.py"
    number = {"name": "number", "type": "uuid"}
    task = {**TASK, "fields": [*TASK["fields"], number]}  # type: ignore[misc]
    commit_run(project, task, PERSON)
    git(project, "switch", "--quiet", "--create", "other")
    text = page.read_text().replace("import uuid", "import uuid as ids")
    page.write_text(text.replace("uuid.UUID", "ids.UUID"))
    git(project, "commit", "--quiet", "--all", "--message", "Edit")
    commit_run(project, {**task, "description": "What to do"}, PERSON)
    git(project, "switch", "--quiet", "main")
    person = {**PERSON, "fields": [*PERSON["fields"], number]}  # type: ignore[misc]
    commit_run(project, task, person)
    git(project, "merge", "--no-commit", "other", fails=True)
    text = page.read_text()
    assert "import uuid\n" not in text
    assert "uuid.UUID" in text
    write(project, {**task, "description": "What to do"}, person)
    assert main(["apply", "--allow-dirty"], project) == 0
    assert "import uuid\nimport uuid as ids\n" in page.read_text()
    assert "Mapped[ids.UUID" in page.read_text()
    assert main(["plan"], project) == 0


def test_a_file_that_was_taken_back_to_before_a_rename_is_renamed_again(
    project: Path,
) -> None:
    page = project / "src" / "models" / "schemas.py"
    commit_run(project, {**TASK, "name": "Job", "renamed_from": "Task"}, PERSON)
    git(project, "checkout", "--quiet", "HEAD~1", "--", str(page))
    page.write_text(page.read_text() + "\nMINE = 1\n")
    git(project, "commit", "--quiet", "--all", "--message", "Ours")
    assert "class Task(" in page.read_text()
    assert main(["apply"], project) == 0
    assert "class Job(" in page.read_text()
    assert "Task" not in page.read_text()
    assert "MINE = 1" in page.read_text()
    assert main(["plan"], project) == 0


def test_a_document_of_a_branch_that_was_squashed_gets_what_it_lacks(
    project: Path,
) -> None:
    """Nothing but the document's sections tells that a run on the branch wrote it."""
    page = project / "docs" / "lists.md"
    mine, other = ({**TASK, "name": name} for name in ("Mine", "Other"))
    git(project, "switch", "--quiet", "--create", "other")
    commit_run(project, TASK, PERSON, other)
    page.write_text(page.read_text() + "\nOthers are few.\n")
    git(project, "commit", "--quiet", "--all", "--message", "Edit")
    git(project, "switch", "--quiet", "main")
    commit_run(project, TASK, PERSON, mine)
    git(project, "merge", "--squash", "other", fails=True)
    git(project, "checkout", "other", "--", "docs", "src", "tests")
    write(project, TASK, PERSON, mine, other)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Merge")
    git(project, "branch", "--delete", "--force", "other")
    assert main(["apply"], project) == 0
    lines = page.read_text().splitlines()
    sections = [line for line in lines if line.startswith("## ")]
    assert sections == ["## Tasks", "## People", "## Mines", "## Others"]
    assert "Others are few." in lines
    assert main(["plan"], project) == 0
